"""A reviewed ONNX graph as a model."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from onnx import ModelProto

from sluice_model_server.errors import ModelBroken, ModelServerError, UntrustedModel
from sluice_model_server.graphs.asking import ROWS, check_nodes
from sluice_model_server.graphs.checks import CHECKS
from sluice_model_server.graphs.classes import classes_of
from sluice_model_server.graphs.intake import Intake
from sluice_model_server.graphs.interface import Outputs, inputs_of, outputs_of
from sluice_model_server.graphs.missing import handles_missing
from sluice_model_server.graphs.reading import read_graph
from sluice_model_server.graphs.rows import check_answers, some_rows
from sluice_model_server.graphs.session import Session
from sluice_model_server.graphs.structure import check_structure
from sluice_model_server.manifest import Column, Manifest
from sluice_model_server.predictor import Matrix, Prediction
from sluice_model_server.refusal import Refusal, demand


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What is known of a graph of which every check has passed.

    content: of the file, written anew. whole: positions of the columns that take whole numbers only. rows: some that it
    must be able to answer.
    """

    content: bytes
    intake: Intake
    columns: tuple[Column, ...]
    whole: tuple[int, ...]
    outputs: Outputs
    classes: tuple[Any, ...] | None
    rows: Matrix


class Graph:
    """Answers rows by onnxruntime, at most `ROWS` in one run: the graph's own answers, 32-bit ones widened to 64."""

    path = "onnxruntime"

    def __init__(self, session: Session, found: Reviewed) -> None:
        self.columns = found.columns
        self.whole = found.whole
        self.classes = found.classes
        self._session = session
        self._intake = found.intake
        self._outputs = found.outputs

    def predict(self, rows: Matrix) -> Prediction:
        """rows: rows x columns, float64, or object where a column is text.

        Raises ValueError for numbers that the graph's own types cannot take, and what onnxruntime raises.
        """
        if len(rows) <= ROWS:
            return self._run(rows)
        pieces = [self._run(rows[start : start + ROWS]) for start in range(0, len(rows), ROWS)]
        probabilities = [piece.probability for piece in pieces if piece.probability is not None]
        label = np.concatenate([piece.label for piece in pieces])
        return Prediction(label, np.concatenate(probabilities) if probabilities else None)

    def own_label(self, rows: Matrix) -> None:
        """The graph's label is the answer's."""

    def compile(self, probe: Matrix) -> None:
        """There is nothing faster than onnxruntime itself."""

    def _run(self, rows: Matrix) -> Prediction:
        answers = self._session.run(self._intake.feeds(rows))
        if self.classes is None:
            label = _one_per_row(answers[0], len(rows), self._outputs.names[0])
            return Prediction(label.astype(np.float64) if label.dtype.kind == "f" else label, None)
        label, probability = _one_per_row(answers[0], len(rows), self._outputs.names[0]), answers[1]
        if probability.shape != (len(rows), len(self.classes)):
            raise ModelBroken(
                f"the output {self._outputs.numbers} is of shape {list(probability.shape)} for {len(rows)} rows and "
                f"{len(self.classes)} classes; if it holds no probabilities, leave it out of the outputs"
            )
        return Prediction(label, probability.astype(np.float64))


def load_graph(path: Path, manifest: Manifest, max_bytes: int) -> Graph:
    """The graph in an ONNX file, reviewed. Raises UnsupportedFormat, UntrustedModel, ModelBroken, MemoryError."""
    try:
        found = _reviewed(read_graph(path.read_bytes(), path.name, max_bytes), manifest)
        # The decoded model, eight times the file, is gone by now: onnxruntime makes one of its own.
        graph = Graph(Session(found.content, found.outputs.names), found)
        check_answers(graph, found.rows)
    except Refusal as refusal:
        raise UntrustedModel(f"{path.name}: {refusal}") from None
    except ModelBroken as error:
        raise ModelBroken(f"{path.name}: {error}") from error
    except (ModelServerError, MemoryError):
        raise
    except Exception as error:  # a crafted file may raise anything while it is looked at, and onnxruntime on its rows
        said = " ".join(str(error).split())
        raise ModelBroken(
            f"{path.name}: does not answer rows like its probe: {type(error).__name__}: {said}"[:400]
        ) from error
    return graph


def _reviewed(model: ModelProto, manifest: Manifest) -> Reviewed:
    check_structure(model)
    del model.graph.value_info[:]  # what the file says of shapes in between; onnxruntime finds out itself
    del model.metadata_props[:]
    inputs, columns = inputs_of(model.graph, manifest)
    outputs = outputs_of(model.graph)
    classes = _classes(model, manifest, outputs)
    intake = Intake(inputs, missing=handles_missing(model.graph))
    rows = some_rows(manifest, columns)
    check_nodes(model, lambda count: intake.feeds(rows[:count]), CHECKS)
    whole = tuple(place for given in inputs if given.form.kind == "i" for place in given.places)
    return Reviewed(model.SerializeToString(), intake, columns, whole, outputs, classes, rows)


def _classes(model: ModelProto, manifest: Manifest, outputs: Outputs) -> tuple[Any, ...] | None:
    if outputs.label is None or outputs.numbers is None:
        return None
    classes = manifest.classes or classes_of(model.graph, outputs.label)
    demand(
        classes is not None,
        f"does not say what the numbers {outputs.numbers} are of: give classes=[...] in their order if they are "
        "probabilities, else leave them out "
        f"(skl2onnx.helpers.onnx_helper.select_model_inputs_outputs(model, outputs=[{outputs.label!r}]))",
    )
    return classes


def _one_per_row(answer: Matrix, rows: int, name: str) -> Matrix:
    if answer.shape not in {(rows,), (rows, 1)}:
        raise ModelBroken(
            f"the output {name} is of shape {list(answer.shape)} for {rows} rows; one number or label per row"
        )
    return answer.reshape(rows)
