"""The model server's answers of ONNX models on real flights: `make bench-onnx`.

Each estimator is fitted on flights, converted by skl2onnx, packed, loaded as the server does, and asked 100,000 other
flights in batches of 1 to 64 rows. For the same batch every bit must be that of onnxruntime's own answer. How far it
lies from scikit-learn's, which computes in 64 bits, is told, and how far another batch around the same row moves it.
"""

from __future__ import annotations

import tempfile
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import onnxruntime
import typer
from rich.console import Console
from rich.progress import track

from sluice_dev.bench.figures import Result, Target
from sluice_dev.cluster.layout import Layout
from sluice_dev.demo.flights import Flights, load_flights
from sluice_dev.modelbench.answers import batches, flight_rows, flight_targets
from sluice_dev.modelbench.families import FAMILIES
from sluice_dev.modelbench.graphs import matrix_graph
from sluice_model_server.load import load_model
from sluice_model_server.packing import pack

CONVERTED: Final = (
    "scaled logistic", "scaled logistic, three classes", "ridge", "forest, text labels", "forest regression",
    "gradient boosting, three classes", "histogram boosting", "histogram boosting regression",
    "support vector regression", "neural network", "stacking",
)  # fmt: skip
TRAINED_ON: Final = 3_000
TOLERANCE: Final = 2e-5
"""Of a number by scikit-learn in 64 bits and by onnxruntime in 32, relative to the greatest in the column."""
_SEED: Final = 2013


@dataclass(frozen=True, slots=True)
class Compared:
    """One estimator. unequal: rows of which a bit differs from onnxruntime's own answer to the same batch. beyond: rows
    further than TOLERANCE from scikit-learn's. apart: the largest distance of the others. labels: rows with another
    label than scikit-learn's. moved: the largest distance of a row's numbers in two batches. relabelled: rows whose
    label another batch changes.
    """

    rows: int
    unequal: int
    beyond: int
    apart: float
    labels: int
    moved: float
    relabelled: int


def compare(name: str, flights: Flights, count: int, folder: Path) -> Compared:
    """Fits, converts, packs, loads and asks. count: rows."""
    random = np.random.default_rng(_SEED)
    family = FAMILIES[name]
    train, asked = np.split(random.permutation(len(flights.rows))[: TRAINED_ON + count], [TRAINED_ON])
    rows, columns = flight_rows(family, flights)
    if not name.startswith("histogram"):
        rows = np.nan_to_num(rows, nan=-1.0)  # converted, other trees take no missing values
    fitted = family.make().fit(rows[train], flight_targets(flights)[family.target][train])
    model = matrix_graph(fitted, len(columns))
    pack(model, folder, name="m", version="1", columns=columns, probe=[rows[train[0]].tolist()])
    predictor = load_model(folder, max_bytes=1 << 30).predictor
    own = _onnxruntime(folder / "model.onnx")
    unequal, moved, relabelled = 0, 0.0, 0
    numbers: list[Any] = []
    labels: list[Any] = []
    for batch in batches(asked, random):
        answer = predictor.predict(rows[batch])
        numbers.append(answer.label[:, np.newaxis] if answer.probability is None else answer.probability)
        labels.append(answer.label)
        expected = own(rows[batch])
        unequal += int((numbers[-1] != expected.astype(np.float64)).any(axis=1).sum())
    answered, labelled = np.concatenate(numbers), np.concatenate(labels)
    scale = np.maximum(1.0, np.abs(answered).max(axis=0))
    at = 0
    for batch in batches(asked, random):
        answer = predictor.predict(rows[batch])
        there = slice(at, at + len(batch))
        at += len(batch)
        other = answer.label[:, np.newaxis] if answer.probability is None else answer.probability
        moved = max(moved, float((np.abs(other - answered[there]) / scale).max()))
        relabelled += 0 if answer.label.dtype.kind == "f" else int((answer.label != labelled[there]).sum())
    reference = fitted.predict_proba(rows[asked]) if hasattr(fitted, "predict_proba") else fitted.predict(rows[asked])
    distance = (np.abs(reference.reshape(answered.shape) - answered) / scale).max(axis=1)
    near = distance <= TOLERANCE
    wrong = 0 if labelled.dtype.kind == "f" else int((labelled != fitted.predict(rows[asked])).sum())
    return Compared(len(asked), unequal, int((~near).sum()), float(distance[near].max()), wrong, moved, relabelled)


def _onnxruntime(path: Path) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    name = session.get_outputs()[-1].name
    return lambda rows: session.run([name], {given.name: rows.astype(np.float32)})[0]


def main(rows: Annotated[int, typer.Option(help="Flights per estimator.")] = 100_000) -> None:
    """Answers of ONNX models against onnxruntime's and scikit-learn's own; exit status 1 when a target is missed."""
    console = Console()
    warnings.simplefilter("ignore")
    flights = load_flights()
    found: dict[str, Compared] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for number, name in enumerate(track(CONVERTED, "estimators", console=console)):
            found[name] = compare(name, flights, rows, Path(temporary) / str(number))
            console.print(f"{name}: {found[name]}", highlight=False, markup=False)
    smooth = [
        one for name, one in found.items() if not name.startswith(("forest", "gradient", "histogram", "stacking"))
    ]
    result = Result(
        "Answers of ONNX models",
        [
            Target("rows of each", min(one.rows for one in found.values()), 100_000, least=True),
            Target("rows not bit for bit onnxruntime's, same batch", sum(one.unequal for one in found.values()), 0),
            Target("rows without trees beyond 2e-5 of scikit-learn", sum(one.beyond for one in smooth), 0),
            Target("labels that another batch changes", sum(one.relabelled for one in found.values()), 10),
        ],
    )
    result.details = {name: asdict(one) for name, one in found.items()}
    folder = Layout.here().checkout / "build" / "bench"
    result.write(folder / "onnx.json")
    result.show(console)
    console.print("written to build/bench/onnx.json", highlight=False)
    raise typer.Exit(0 if result.met else 1)


if __name__ == "__main__":
    typer.run(main)
