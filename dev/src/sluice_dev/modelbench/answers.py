"""The model server's answers on real flights against scikit-learn's own: `make bench-answers`.

Every supported family is fitted on flights, packed and loaded as the server does, and asked 100,000 other flights in
batches of 1 to 64 rows. For the same batch every bit must be the same as that of scikit-learn's own predict and
predict_proba of the same file. What tick batching may change (another batch around the same row) is measured: labels
must not differ, and how far numbers do is told. Some hundred flights go through the whole application too, 16 requests
at once.
"""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import orjson
import skops.io
import typer
from rich.console import Console
from rich.progress import track

from sluice_dev.bench.figures import Result, Target
from sluice_dev.cluster.layout import Layout
from sluice_dev.demo.flights import Flights, load_flights
from sluice_dev.modelbench.asgi import infer
from sluice_dev.modelbench.families import FAMILIES, Family
from sluice_dev.modelbench.sample import targets
from sluice_model_server.app import ModelApp
from sluice_model_server.faults import FaultPlan, Faults
from sluice_model_server.lifecycle import Lifecycle
from sluice_model_server.load import ServedModel, load_model
from sluice_model_server.manifest import Column
from sluice_model_server.metrics import Metrics
from sluice_model_server.packing import pack
from sluice_model_server.settings import Settings

TRAINED_ON: Final = 3_000
LARGEST_BATCH: Final = 64
THROUGH_THE_APPLICATION: Final = 320
AT_ONCE: Final = 16
_SEED: Final = 2013


@dataclass(slots=True)
class Compared:
    """One family. unequal: rows of which a bit differs in the same batch. labels: rows whose label differs in another
    batch. apart: the largest difference of a number in another batch, relative to the number. application: rows that
    the application answered otherwise than by these rules.
    """

    path: str
    rows: int
    unequal: int
    labels: int
    apart: float
    application: int
    seconds: float = 0.0


def compare(family: Family, flights: Flights, count: int, folder: Path) -> Compared:
    """Fits, packs, loads and asks."""
    random = np.random.default_rng(_SEED)
    train, asked = np.split(random.permutation(len(flights.rows))[: TRAINED_ON + count], [TRAINED_ON])
    rows, columns = flight_rows(family, flights)
    fitted = family.make().fit(rows[train], flight_targets(flights)[family.target][train])
    pack(fitted, folder, name="m", version="1", columns=columns, probe=[_plain(rows[train[0]])])
    # The reference is what scikit-learn says of the same file. The estimator in memory may hold an array in another
    # order, in which sums round otherwise.
    path = folder / "model.skops"
    model = skops.io.load(path, trusted=skops.io.get_untrusted_types(file=path))
    served = load_model(folder, max_bytes=1 << 30)
    has_probability = served.predictor.classes is not None
    unequal, first = 0, []
    for batch in batches(asked, random):
        answer = served.predictor.predict(rows[batch])
        expected = model.predict_proba(rows[batch]) if has_probability else None
        unequal += _differing(answer.label, model.predict(rows[batch]))
        if expected is not None:
            unequal += _differing(answer.probability, expected)
        first.append(answer)
    # The same rows in other batches, as tick batching makes them.
    labels, apart, at = 0, 0.0, 0
    whole = np.concatenate([answer.label for answer in first])
    numbers = np.concatenate([answer.label if answer.probability is None else answer.probability for answer in first])
    for batch in batches(asked, random):
        answer = served.predictor.predict(rows[batch])
        there = slice(at, at + len(batch))
        at += len(batch)
        other = answer.label if answer.probability is None else answer.probability
        if other.dtype.kind == "f":
            apart = max(apart, _apart(numbers[there], other))
        if answer.label.dtype.kind != "f":
            labels += int((whole[there] != answer.label).sum())
    wrong = asyncio.run(_application(served, model, rows[asked[:THROUGH_THE_APPLICATION]], columns))
    return Compared(served.predictor.path, len(asked), unequal, labels, apart, wrong)


def flight_targets(flights: Flights) -> dict[str, Any]:
    """What the families learn of flights: lateness by hour and weather, with noise."""
    numbers = np.nan_to_num(
        flights.rows[:, [flights.columns.index(name) for name in ("departure_hour", "humid", "distance")]]
    )
    return targets(numbers @ np.array([0.05, 0.01, -0.0002]) + 0.5 * flights.late)


def flight_rows(family: Family, flights: Flights) -> tuple[Any, tuple[Column, ...]]:
    """All flights as rows of this family's columns, and the columns."""
    numbers = flights.rows if family.missing or family.mixed else np.nan_to_num(flights.rows, nan=-1.0)
    if not family.mixed:
        # The first column is small whole numbers, as a categorical one must be.
        return numbers, tuple(Column(name=name) for name in flights.columns)
    carriers = [name for name in flights.columns if name.startswith("carrier_")]
    codes = flights.rows[:, [flights.columns.index(name) for name in carriers]].argmax(axis=1)
    kept = [number for number, name in enumerate(flights.columns) if name not in carriers]
    table = np.empty((len(numbers), len(kept) + 1), dtype=object)
    table[:, 0] = np.array([name.removeprefix("carrier_") for name in carriers], dtype=object)[codes]
    table[:, 1:] = numbers[:, kept]
    names = (Column(name="carrier", datatype="BYTES"), *(Column(name=flights.columns[number]) for number in kept))
    return table, names


def _plain(row: Any) -> list[Any]:
    return [value if isinstance(value, str) else None if np.isnan(value) else float(value) for value in row]


def batches(asked: Any, random: np.random.Generator) -> Iterator[Any]:
    """These row numbers, 1 to LARGEST_BATCH at a time."""
    at = 0
    while at < len(asked):
        size = int(random.integers(1, LARGEST_BATCH + 1))
        yield asked[at : at + size]
        at += size


def _differing(answer: Any, expected: Any) -> int:
    """Rows of which a bit differs."""
    answer, expected = np.asarray(answer), np.asarray(expected)
    if answer.shape != expected.shape or answer.dtype.kind != expected.dtype.kind:
        return len(expected)
    if answer.dtype.kind != "f":
        return int((answer != expected).reshape(len(answer), -1).any(axis=1).sum())
    same = answer.view(np.int64) == expected.view(np.int64) if answer.dtype == np.float64 else answer == expected
    return int((~same).reshape(len(answer), -1).any(axis=1).sum())


def _apart(one: Any, other: Any) -> float:
    scale = np.maximum(np.abs(one), np.finfo(np.float64).tiny)
    return float((np.abs(one - other) / scale).max())


async def _application(served: ServedModel, model: Any, rows: Any, columns: tuple[Column, ...]) -> int:
    """Rows that the application, asked AT_ONCE requests at a time, answers otherwise than the estimator row by row."""
    plan = Faults(FaultPlan(), background_error_share=0.0, host="bench")
    app = ModelApp(served, Settings(), Metrics(), Lifecycle(), plan)
    wrong = 0
    for at in range(0, len(rows), AT_ONCE):
        some = rows[at : at + AT_ONCE]
        answers = await asyncio.gather(*(infer(app, _body(row, columns)) for row in some))
        for row, (status, content) in zip(some, answers, strict=True):
            if status != 200:
                wrong += 1
                continue
            outputs = {output["name"]: output for output in orjson.loads(content)["outputs"]}
            expected = model.predict(row[np.newaxis])
            label = np.asarray(outputs["label"]["data"])
            close = (
                np.allclose(label, expected, rtol=1e-12, atol=0)
                if expected.dtype.kind == "f"
                else label[0] == expected[0]
            )
            if "probability" in outputs:
                near = model.predict_proba(row[np.newaxis])[0]
                close = bool(close) and np.allclose(outputs["probability"]["data"], near, rtol=1e-9, atol=1e-15)
            wrong += not close
    return wrong


def _body(row: Any, columns: tuple[Column, ...]) -> bytes:
    tensors = [
        {"name": column.name, "shape": [1], "datatype": column.datatype, "data": [value]}
        for column, value in zip(columns, _plain(row), strict=True)
    ]
    return orjson.dumps({"inputs": tensors})


def _document(one: Compared) -> dict[str, Any]:
    return {slot: getattr(one, slot) for slot in Compared.__slots__}


def _key() -> str:
    """Changes with anything the answers come from: the server, the families, the libraries."""
    digest = hashlib.sha256()
    for package in ("sluice_model_server", "sluice_dev.modelbench"):
        for path in sorted(Path(import_module(package).__path__[0]).rglob("*.py")):
            digest.update(path.read_bytes())
    for library in ("scikit-learn", "skops", "numpy", "scipy"):
        digest.update(version(library).encode())
    return digest.hexdigest()


def _known(kept: Path, rows: int) -> dict[str, Compared]:
    """Families that an earlier run of the same code compared on as many rows: it goes on where it was interrupted."""
    found = {}
    for line in kept.read_bytes().splitlines() if kept.exists() else ():
        document = orjson.loads(line)
        if document.pop("key") == _key() and document["rows"] >= rows and document["name"] in FAMILIES:
            name = document.pop("name")
            found[name] = Compared(**document)
    return found


def main(
    rows: Annotated[int, typer.Option(help="Flights per family.")] = 100_000,
    only: Annotated[str, typer.Option(help="Families whose name holds this.")] = "",
) -> None:
    """Answers of the model server against scikit-learn's own; exit status 1 when one differs."""
    console = Console()
    warnings.simplefilter("ignore")
    flights = load_flights()
    folder = Layout.here().checkout / "build" / "bench"
    kept = folder / "answers.jsonl"
    found = _known(kept, rows)
    chosen = [name for name in FAMILIES if only in name and name not in found]
    with tempfile.TemporaryDirectory() as temporary:
        for number, name in enumerate(track(chosen, "families", console=console)):
            started = time.monotonic()
            compared = found[name] = compare(FAMILIES[name], flights, rows, Path(temporary) / str(number))
            compared.seconds = round(time.monotonic() - started, 1)
            kept.parent.mkdir(parents=True, exist_ok=True)
            with kept.open("ab") as file:
                file.write(orjson.dumps({"key": _key(), "name": name, **_document(compared)}) + b"\n")
            console.print(f"{name}: {compared}", highlight=False, markup=False)
    targets_met = [
        Target("families", len(found), len(FAMILIES), least=True),
        Target("rows of each family", min(one.rows for one in found.values()), 100_000, least=True),
        Target("rows not bit for bit scikit-learn's, same batch", sum(one.unequal for one in found.values()), 0),
        Target("labels that another batch changes", sum(one.labels for one in found.values()), 0),
        Target("answers of the application that are others", sum(one.application for one in found.values()), 0),
    ]
    result = Result("Answers of the model server", targets_met)
    result.details = {name: _document(one) for name, one in found.items()}
    result.write(folder / "answers.json")
    result.show(console)
    console.print("written to build/bench/answers.json", highlight=False)
    raise typer.Exit(0 if result.met else 1)


if __name__ == "__main__":
    typer.run(main)
