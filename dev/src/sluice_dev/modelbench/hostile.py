"""Hostile model files against the model server's own loading: `make bench-hostile`.

Each file goes the server's way in a process of its own: a child tries first, then the process itself loads and answers.
Good is: refused with a reason, or answers that are bit for bit those of scikit-learn, or of onnxruntime, for the same
file. Bad is: the process died, hung, failed without a reason, or answered something else.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import resource
import signal
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import skops.io
import typer
from rich.console import Console
from rich.progress import track

from sluice_dev.bench.figures import Result, Target
from sluice_dev.cluster.layout import Layout
from sluice_dev.modelbench import hostile_files, hostile_graphs
from sluice_dev.modelbench.families import FAMILIES
from sluice_dev.modelbench.graphs import matrix_graph
from sluice_dev.modelbench.hostile_files import Hostile
from sluice_dev.modelbench.sample import Sample, sample
from sluice_model_server.archive import dump
from sluice_model_server.errors import ModelServerError
from sluice_model_server.formats import memory_of
from sluice_model_server.graphs.asking import ROWS
from sluice_model_server.graphs.missing import handles_missing
from sluice_model_server.isolation import check_in_child
from sluice_model_server.load import load_model
from sluice_model_server.manifest import SUFFIXES, read_manifest

SUBJECTS: Final = (
    "scaled logistic", "forest, text labels", "gradient boosting", "histogram boosting, categories", "support vectors",
    "neighbours", "neural network", "text, one-hot, rare together", "text, counts of words", "calibrated, isotonic",
    "stacking", "k-means", "isolation forest", "tree regression",
)  # fmt: skip
GRAPHS: Final = (
    "scaled logistic, three classes", "forest, text labels", "histogram boosting", "gradient boosting regression",
    "support vector regression", "neural network", "stacking", "calibrated, isotonic",
)  # fmt: skip
"""Of those, as ONNX."""
LOAD_SECONDS: Final = 20
CASE_SECONDS: Final = 60
MEMORY_BYTES: Final = 1 << 30
"""A model of 1 MB must not make the server take this much."""
_MAX_MODEL_BYTES: Final = 256 << 20
_SEED: Final = 2013

Answers = tuple[Any, Any] | str
"""Labels and probabilities, or the name of what was raised."""


def files(subjects: tuple[str, ...], mutations: int, step: int) -> Iterator[tuple[Sample, Hostile]]:
    """Every attack on every subject. mutations: tampered files per subject. step: of truncation, bytes."""
    for number, name in enumerate(subjects):
        drawn = sample(FAMILIES[name], rows=200, seed=number)
        content = dump(drawn.model)
        if number == 0:
            yield from ((drawn, case) for case in hostile_files.pickles(drawn.model))
        if number < 2:
            yield from ((drawn, case) for case in hostile_files.archives(name, content))
            yield from ((drawn, case) for case in hostile_files.types(name, content))
        yield from ((drawn, case) for case in hostile_files.truncated(name, content, step))
        random = np.random.default_rng((_SEED, number))
        yield from ((drawn, case) for case in hostile_files.tampered(name, content, random, mutations))


def graph_files(subjects: tuple[str, ...], mutations: int, step: int) -> Iterator[tuple[Sample, Hostile]]:
    """The same of ONNX files."""
    for number, name in enumerate(subjects):
        drawn = sample(FAMILIES[name], rows=200, seed=number)
        model = matrix_graph(drawn.model, len(drawn.columns))
        if not handles_missing(model.graph):
            drawn = replace(drawn, rows=np.nan_to_num(drawn.rows, nan=0.5))
        content = model.SerializeToString()
        if number == 0:
            yield from ((drawn, case) for case in hostile_graphs.structures(model))
        yield from ((drawn, case) for case in hostile_graphs.truncated(name, content, step))
        yield from ((drawn, case) for case in hostile_graphs.flipped(name, content, mutations))
        random = np.random.default_rng((_SEED, number))
        yield from ((drawn, case) for case in hostile_graphs.tampered(name, model, random, 2 * mutations))


def judge(drawn: Sample, case: Hostile, folder: Path) -> tuple[str, str]:
    """(`refused`, its reason), (`equal`, ``), or (`bad`, what happened)."""
    _write(drawn, case, folder)
    kind, said = _in_a_process(partial(_serve, folder, drawn.rows))
    if kind == "refused":
        return ("refused", said) if said.strip() else ("bad", "refused without a reason")
    if kind != "answered":
        return "bad", f"{kind}: {said}"
    if not case.may_load:
        return "bad", "was loaded and answered"
    reference, expected = _in_a_process(partial(REFERENCES[case.format], folder, drawn.rows))
    if reference != "answered":
        return "bad", f"answered, but the library alone: {reference} {expected}"
    return ("equal", "") if _same(said, expected) else ("bad", "answers otherwise than the library alone")


def _write(drawn: Sample, case: Hostile, folder: Path) -> None:
    path = f"model{SUFFIXES[case.format]}"
    (folder / path).write_bytes(case.content)
    file = {"path": path, "sha256": hashlib.sha256(case.content).hexdigest(), "size": len(case.content)}
    document: dict[str, Any] = {"name": "m", "version": "1", "format": case.format, "files": [file]}
    document["columns"] = [column.model_dump() for column in drawn.columns]
    document["probe"] = [list(drawn.rows[0])]
    (folder / "manifest.json").write_text(json.dumps(document))


def _serve(folder: Path, rows: Any) -> tuple[str, Any]:
    """What `sluice-model serve` does at start, and then a request."""
    load = partial(load_model, folder, max_bytes=_MAX_MODEL_BYTES)
    try:
        memory = memory_of(folder, read_manifest(folder)[0])
        check_in_child(load, "model", seconds=LOAD_SECONDS, memory=memory)
        model = load()
    except ModelServerError as error:
        return "refused", str(error)
    try:
        answer = model.predictor.predict(rows)
    except Exception as error:  # becomes a 500 of the server
        return "answered", type(error).__name__
    return "answered", (np.asarray(answer.label), answer.probability)


def _sklearn(folder: Path, rows: Any) -> tuple[str, Any]:
    path = folder / "model.skops"
    model = skops.io.load(path, trusted=skops.io.get_untrusted_types(file=path))
    try:
        probability = model.predict_proba(rows) if hasattr(model, "predict_proba") else None
        return "answered", (np.asarray(model.predict(rows)), probability)
    except Exception as error:  # compared with what the server's own call raised
        return "answered", type(error).__name__


def _onnxruntime(folder: Path, rows: Any) -> tuple[str, Any]:
    """onnxruntime with the file as it is, in runs of as many rows as the server's."""
    import onnxruntime  # noqa: PLC0415 - it starts a thread, and children are forked here

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.add_session_config_entry("session.load_model_format", "ONNX")
    session = onnxruntime.InferenceSession((folder / "model.onnx").read_bytes(), options)
    (given,) = session.get_inputs()
    form = {"tensor(float)": "f4", "tensor(double)": "f8", "tensor(int64)": "i8"}[given.type]
    outputs = sorted(session.get_outputs(), key=lambda output: output.type not in {"tensor(int64)", "tensor(string)"})
    names = [output.name for output in outputs]
    try:
        runs = [
            session.run(names, {given.name: rows[start : start + ROWS].astype(form)})
            for start in range(0, len(rows), ROWS)
        ]
    except Exception as error:  # compared with what the server's own call raised
        return "answered", type(error).__name__
    label, *more = (np.concatenate(parts) for parts in zip(*runs, strict=True))
    label = label.reshape(len(rows))
    answered = label.astype(np.float64) if label.dtype.kind == "f" else label
    return "answered", (answered, more[0].astype(np.float64) if more else None)


REFERENCES: Final[dict[str, Callable[[Path, Any], tuple[str, Any]]]] = {"skops": _sklearn, "onnx": _onnxruntime}
"""Whose answers, of the same file, are right."""


def _same(one: Answers, other: Answers) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return one == other
    return all(_bits(a) == _bits(b) for a, b in zip(one, other, strict=True))


def _bits(array: Any) -> Any:
    if array is None:
        return None
    array = np.asarray(array)
    return array.shape, array.tolist() if array.dtype.kind in "OUS" else np.ascontiguousarray(array).tobytes()


def _in_a_process(work: Callable[[], tuple[str, Any]]) -> tuple[str, Any]:
    context = multiprocessing.get_context("fork")
    receiving, sending = context.Pipe(duplex=False)
    child = context.Process(target=_worker, args=(work, sending))
    child.start()
    sending.close()
    try:
        answered = receiving.poll(CASE_SECONDS)
        result: tuple[str, Any] = receiving.recv() if answered else ("hung", f"for {CASE_SECONDS} s")
    except EOFError:
        child.join()
        code = child.exitcode or 0
        result = ("died", signal.Signals(-code).name if code < 0 else f"exit status {code}")
    finally:
        receiving.close()
    if child.is_alive():
        child.join(1)
        child.kill()
    child.join()
    return result


def _worker(work: Callable[[], tuple[str, Any]], sending: Connection) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # a child that is killed by its own assertions says so there
    resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))  # a bomb that goes off must not take the machine
    warnings.simplefilter("ignore")
    try:
        result = work()
    except Exception as error:  # not one of ours: the server would end with a traceback
        result = ("raised", f"{type(error).__name__}: {error}")
    sending.send(result)


def main(
    mutations: Annotated[int, typer.Option(help="Tampered files per model.")] = 60,
    step: Annotated[int, typer.Option(help="Bytes between two truncations.")] = 1024,
) -> None:
    """Hostile model files against the model server; exit status 1 when one is neither refused nor answered rightly."""
    console = Console()
    outcomes: Counter[tuple[str, str]] = Counter()
    bad: list[str] = []
    reasons: Counter[str] = Counter()
    started = time.monotonic()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as temporary:
        cases = [*files(SUBJECTS, mutations, step), *graph_files(GRAPHS, mutations, step)]
        for drawn, case in track(cases, "hostile files", console=console):
            verdict, said = judge(drawn, case, Path(temporary))
            outcomes[f"{case.format} {case.kind}", verdict] += 1
            if verdict == "bad":
                bad.append(f"{case.kind}, {case.what}: {said}")
                console.print(bad[-1], style="bold red", markup=False)
            elif verdict == "refused":
                reasons[" ".join(said.split()[1:6])] += 1
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    tampered = sum(count for (kind, _), count in outcomes.items() if kind.endswith((" tampered", " bytes")))
    targets = [
        Target("files neither refused with a reason nor answered as their library does", len(bad), 0),
        Target("files", sum(outcomes.values()), 1000, least=True),
        Target("mutations of good files", tampered, 500, least=True),
        Target("most memory of a process, MiB", peak >> 20, MEMORY_BYTES >> 20),
    ]
    result = Result("Hostile model files", targets)
    kinds = sorted({kind for kind, _ in outcomes})
    result.details = {
        "outcomes": {kind: {verdict: n for (k, verdict), n in sorted(outcomes.items()) if k == kind} for kind in kinds},
        "bad": bad,
        "reasons": reasons.most_common(60),
        "seconds": round(time.monotonic() - started),
    }
    folder = Layout.here().checkout / "build" / "bench"
    result.write(folder / "hostile.json")
    result.show(console)
    console.print(result.details["outcomes"], "written to build/bench/hostile.json", highlight=False)
    raise typer.Exit(0 if result.met else 1)


if __name__ == "__main__":
    typer.run(main)
