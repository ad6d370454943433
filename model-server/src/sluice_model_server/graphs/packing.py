"""What of an ONNX model goes into a packed one?"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onnx import ModelProto, TensorProto

from sluice_model_server.errors import DataError, UntrustedModel
from sluice_model_server.graphs.attributes import kind_of
from sluice_model_server.graphs.classes import classes_of
from sluice_model_server.graphs.interface import inputs_of, outputs_of
from sluice_model_server.graphs.reading import read_graph
from sluice_model_server.graphs.structure import check_structure
from sluice_model_server.graphs.table import ML
from sluice_model_server.graphs.zipmap import without_zipmap
from sluice_model_server.manifest import Column, Manifest
from sluice_model_server.refusal import Refusal


@dataclass(frozen=True, slots=True)
class PackedGraph:
    """content: of the file. columns: its inputs. by_name: whether it has one for each column. mapped: the classes
    that a ZipMap named, which was taken out.
    """

    model: ModelProto
    content: bytes
    columns: tuple[Column, ...]
    by_name: bool
    mapped: tuple[Any, ...] | None

    @property
    def described(self) -> str:
        """The operators that learnt something."""
        seen = dict.fromkeys(node.op_type for node in self.model.graph.node if kind_of(node)[0] == ML)
        return "An ONNX graph" + (f" of {' and '.join(seen)}" if seen else "")

    def classes_of(self, given: Sequence[Any]) -> list[Any]:
        """What the manifest must say of the classes: those given, or those of the ZipMap where the graph itself does
        not say.

        Raises DataError for classes that are no labels of this graph.
        """
        outputs = outputs_of(self.model.graph)
        if outputs.label is None or outputs.numbers is None:
            if given:
                raise DataError("classes: the graph has no probabilities beside its label that they could be of")
            return []
        if given:
            return self._as_labels(given)
        return [] if classes_of(self.model.graph, outputs.label) else list(self.mapped or ())

    def _as_labels(self, given: Sequence[Any]) -> list[Any]:
        kinds = {value.name: value.type.tensor_type.elem_type for value in self.model.graph.output}
        if kinds[outputs_of(self.model.graph).names[0]] == TensorProto.STRING:
            return [str(value) for value in given]
        try:
            return [int(value) for value in given]
        except ValueError as error:
            raise DataError(f"classes: the graph's labels are whole numbers: {error}") from error


def graph_of(model: ModelProto | Path | str, max_bytes: int) -> PackedGraph:
    """The model, or the one in a file, without a ZipMap. Raises UnsupportedFormat, UntrustedModel, DataError."""
    name, content = "model", b""
    if isinstance(model, str | Path):
        name = Path(model).name
        try:
            content = Path(model).read_bytes()
        except OSError as error:
            raise DataError(f"{model}: cannot be read: {error.strerror}") from error
    else:
        content = model.SerializeToString(deterministic=True)
    decoded = read_graph(content, name, max_bytes)
    changed, mapped = without_zipmap(decoded)
    if changed is not decoded:
        content = changed.SerializeToString(deterministic=True)
    try:
        check_structure(changed)
        outputs_of(changed.graph)
        inputs, columns = inputs_of(changed.graph, _NOTHING_SAID)
    except Refusal as refusal:
        raise UntrustedModel(f"{name}: {refusal}") from None
    by_name = len(inputs) > 1 and all(len(given.places) == 1 for given in inputs)
    return PackedGraph(changed, content, columns, by_name, mapped)


_NOTHING_SAID = Manifest.model_validate(
    {"name": "m", "version": "1", "format": "onnx", "files": [{"path": "model.onnx", "sha256": "0" * 64, "size": 0}]}
)
