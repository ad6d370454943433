"""ONNX models: do they answer as onnxruntime and scikit-learn do, and does a server process serve them as any model?"""

import asyncio
import hashlib
import json
import subprocess
import sys
import warnings

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest

from model_server.test_process import COMMAND, START_SECONDS, session, start
from sluice_dev.modelbench import hostile, hostile_graphs
from sluice_dev.modelbench.families import FAMILIES
from sluice_dev.modelbench.graphs import matrix_graph
from sluice_dev.modelbench.hostile_graphs import graph, node
from sluice_dev.modelbench.sample import sample
from sluice_model_server.errors import ModelBroken
from sluice_model_server.graphs.asking import ROWS
from sluice_model_server.graphs.checks import CHECKS
from sluice_model_server.isolation import check_in_child
from sluice_model_server.load import load_model
from sluice_model_server.packing import pack

__all__ = ["start"]

MAX = 1 << 30
TOLERANCE = 1e-5
"""Of numbers by scikit-learn in 64 bits and onnxruntime in 32, relative where they are large."""

MATRICES = (
    "logistic", "scaled logistic", "scaled logistic, three classes", "logistic, text labels",
    "stochastic gradient, log loss", "linear", "ridge", "elastic net", "Poisson", "forest, three classes",
    "forest, text labels", "extra trees", "forest regression", "gradient boosting",
    "gradient boosting, three classes", "gradient boosting regression", "histogram boosting",
    "histogram boosting, three classes", "histogram boosting regression", "bagging", "AdaBoost", "stacking",
    "naive Bayes, Gaussian", "neural network", "neural network regression", "support vector regression",
    "polynomial", "principal components", "selected by a model", "a union of features", "power transform", "binary",
)  # fmt: skip
"""Families of estimators that skl2onnx converts and the server admits."""


def own_answers(content: bytes, rows, inputs):
    """onnxruntime's answers to at most ROWS rows, by its own defaults but for its optimizers and threads."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    asked = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return asked.run(None, inputs(asked, rows))


def as_matrix(asked, rows):
    (given,) = asked.get_inputs()
    return {given.name: rows.astype("f8" if given.type == "tensor(double)" else "f4")}


def as_columns(asked, rows):
    forms = {"tensor(float)": "f4", "tensor(int64)": "i8", "tensor(string)": object}
    return {given.name: rows[:, [place]].astype(forms[given.type]) for place, given in enumerate(asked.get_inputs())}


@pytest.mark.parametrize("name", MATRICES)
def test_a_converted_family_answers_as_onnxruntime_and_nearly_as_scikit_learn(name, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few rows, few iterations
        drawn = sample(FAMILIES[name], rows=120, seed=1)
    rows = drawn.rows if name.startswith("histogram") else np.nan_to_num(drawn.rows, nan=0.5)
    rows = rows.astype("f4").astype("f8")  # as the graph sees them, so that what differs is arithmetic
    model = matrix_graph(drawn.model, rows.shape[1])
    pack(model, tmp_path, name="m", version="1", probe=[rows[0].tolist(), rows[1].tolist()])
    predictor = load_model(tmp_path, max_bytes=MAX).predictor
    assert predictor.path == "onnxruntime"
    assert predictor.accepts_missing == (name.startswith("histogram") or name == "power transform")
    assert predictor.largest == np.finfo("f4").max
    for asked in (rows[:1], rows[1:8], rows[:ROWS]):
        answer = predictor.predict(asked)
        own = own_answers(model.SerializeToString(), asked, as_matrix)
        if answer.probability is None:
            assert answer.label.tobytes() == own[0].astype("f8").ravel().tobytes()
        else:
            assert np.array_equal(answer.label, own[0])
            assert answer.probability.tobytes() == own[1].astype("f8").tobytes()
    answer = predictor.predict(rows)
    assert len(answer.label) == len(rows) > ROWS
    if answer.probability is None:
        apart = np.abs(answer.label - drawn.model.predict(rows)) / (1 + np.abs(answer.label))
    else:
        assert predictor.classes == tuple(drawn.model.classes_.tolist())
        apart = np.abs(answer.probability - drawn.model.predict_proba(rows)).max(axis=1)
        assert np.array_equal(answer.label, drawn.model.predict(rows))
    assert apart.max() <= TOLERANCE


def test_columns_of_text_and_of_whole_numbers_answer_as_scikit_learn_does(converted, served_graph):
    found, predictor = converted["flights"], served_graph("flights").predictor
    assert [(column.name, column.datatype) for column in predictor.columns] == [
        ("carrier", "BYTES"), ("distance", "FP32"), ("hour", "INT64"), ("temp", "FP32"),
    ]  # fmt: skip
    assert (predictor.accepts_missing, predictor.whole, predictor.classes) == (True, (2,), ("late", "on time"))
    answer = predictor.predict(found.rows[:ROWS])
    own = own_answers(found.graph.SerializeToString(), found.rows[:ROWS], as_columns)
    assert answer.probability.tobytes() == own[1].astype("f8").tobytes()
    fitted = found.estimator.predict_proba(
        pd.DataFrame(found.rows, columns=[column.name for column in predictor.columns])
    )
    assert np.abs(predictor.predict(found.rows).probability - fitted).max() < TOLERANCE


def test_numbers_of_64_bits_are_taken_as_such(converted, served_graph):
    predictor = served_graph("double").predictor
    assert predictor.largest == np.finfo("f8").max
    assert [column.datatype for column in predictor.columns] == ["FP64"] * 3
    assert served_graph("linear").predictor.columns[0].datatype == "FP32"


def test_a_hostile_graph_that_would_end_the_process_is_refused_before_it_does(tmp_path, monkeypatch):
    """The judge itself: without the check the least whole number by -1 takes the process along, and that is bad."""
    drawn = sample(FAMILIES["linear"], rows=60, seed=0)
    model = hostile_graphs.ARRAYS["least whole number by -1"]
    case = hostile_graphs.Hostile("arrays", "division", model.SerializeToString(), format="onnx")
    assert hostile.judge(drawn, case, tmp_path) == (
        "refused", "model.onnx: Div: divides whole numbers by computed ones; cast them to float first",
    )  # fmt: skip
    monkeypatch.setitem(CHECKS, "quotient", lambda *_: None)
    verdict, said = hostile.judge(drawn, case, tmp_path)
    assert (verdict, "SIGFPE" in said) == ("refused", True)  # the trial child died, the server did not
    monkeypatch.setattr("sluice_dev.modelbench.hostile.check_in_child", lambda *args, **more: None)
    assert hostile.judge(drawn, case, tmp_path) == ("bad", "died: SIGFPE")


@pytest.fixture(scope="module")
def cases():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return list(
            hostile.graph_files(("scaled logistic, three classes", "histogram boosting"), mutations=12, step=512)
        )


SAMPLE = 24
"""Files of each kind, spread over all of them: each costs a process or two."""


@pytest.mark.parametrize("kind", ["graph", "trees", "arrays", "files", "tampered", "bytes", "truncated"])
def test_each_hostile_graph_is_refused_with_a_reason_or_answered_as_onnxruntime_does(
    cases, kind, tmp_path, monkeypatch
):
    monkeypatch.setattr(hostile, "LOAD_SECONDS", 10)
    made = [(drawn, case) for drawn, case in cases if case.kind == kind]
    asked = made[:: max(1, len(made) // SAMPLE)]
    assert len(asked) > 5
    judged = [(case.what, *hostile.judge(drawn, case, tmp_path)) for drawn, case in asked]
    assert not [what for what in judged if what[1] == "bad"]


def test_a_graph_that_unfolds_to_more_than_its_size_allows_is_refused(cases, tmp_path):
    made = [(drawn, case) for drawn, case in cases if case.kind == "bombs"]
    said = {case.what: hostile.judge(drawn, case, tmp_path) for drawn, case in made}
    assert {verdict for verdict, _ in said.values()} == {"refused"}
    assert "takes more than" in said["doubled 36 times"][1]


def test_memory_of_the_trial_is_limited_and_named():
    with pytest.raises(ModelBroken, match="takes more than 32 MiB"):
        check_in_child(lambda: bytearray(1 << 30), "model", seconds=20, memory=32 << 20)
    check_in_child(lambda: bytearray(1 << 20), "model", seconds=20, memory=32 << 20)


PROCESS = """
import sys
before = set(sys.modules)
from pathlib import Path
from sluice_model_server import serve
from sluice_model_server.formats import loader
from sluice_model_server.manifest import read_manifest
loader(read_manifest(Path(sys.argv[1]))[0])
print(sorted({name.partition(".")[0] for name in sys.modules} & {"sklearn", "scipy", "skops", "onnx", "onnxruntime"}))
"""


def test_a_pod_of_one_format_imports_nothing_of_the_other(converted, packed, environment):
    def imported(folder):
        ran = subprocess.run(
            [sys.executable, "-c", PROCESS, folder], check=True, capture_output=True, text=True, env=environment
        )
        return ran.stdout.strip()

    assert imported(converted["linear"].folder) == "['onnx']"  # onnxruntime comes after the fork: it starts a thread
    assert imported(packed / "linear") == "['scipy', 'sklearn', 'skops']"


@pytest.fixture
def serve(start, converted):
    return lambda name, **settings: start(converted[name].folder, **settings)


async def test_a_server_process_answers_json_and_binary_with_the_same_numbers(serve, converted, served_graph, matrix):
    server, found = serve("linear"), converted["linear"]
    expected = served_graph("linear").predictor.predict(found.rows[:8])
    body = matrix(found.rows[:8])
    raw = found.rows[:8].astype("<f4").tobytes()
    tensor = {"name": "rows", "shape": [8, 3], "datatype": "FP32", "parameters": {"binary_data_size": len(raw)}}
    head = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    async with session() as client:
        async with client.get(f"{server.url}/v2/models/delay") as response:
            metadata = await response.json()
        async with client.post(server.infer, json=body) as response:
            answer = await response.json()
        headers = {"Inference-Header-Content-Length": str(len(head))}
        async with client.post(server.infer, data=head + raw, headers=headers) as response:
            content, length = await response.read(), int(response.headers["Inference-Header-Content-Length"])
        together = await asyncio.gather(*(_answer(client, server, matrix(found.rows[i : i + 1])) for i in range(32)))
        async with client.get(f"{server.url}/metrics") as response:
            metrics = await response.text()
    assert metadata["platform"] == "onnxruntime_onnx"
    assert [output["datatype"] for output in metadata["outputs"]] == ["INT64", "FP64"]
    label, probability = answer["outputs"]
    assert label["data"] == expected.label.tolist()
    assert np.array_equal(np.reshape(probability["data"], (8, 2)), expected.probability)
    assert np.array_equal(np.frombuffer(content[length + 64 :], "<f8").reshape(8, 2), expected.probability)
    singles = served_graph("linear").predictor.predict(found.rows[:32]).probability
    assert np.allclose([one["outputs"][1]["data"] for one in together], singles, rtol=1e-5)
    assert 'format="onnx"' in metrics


async def _answer(client, server, body):
    async with client.post(server.infer, json=body) as response:
        assert response.status == 200
        return await response.json()


async def test_a_server_process_takes_text_and_whole_numbers_and_refuses_others(serve, converted):
    server, found = serve("flights"), converted["flights"]
    carrier, distance, hour, _ = found.rows[0].tolist()

    def body(**changes):
        values = {"carrier": carrier, "distance": distance, "hour": hour, "temp": None} | changes
        kinds = {"carrier": "BYTES", "distance": "FP64", "hour": "FP64", "temp": "FP32"}
        inputs = [{"name": n, "shape": [1, 1], "datatype": kinds[n], "data": [value]} for n, value in values.items()]
        return {"inputs": inputs}

    async def said(client, **changes):
        async with client.post(server.infer, json=body(**changes)) as response:
            answer = await response.json()
            return response.status, answer.get("error", "") or answer["outputs"][0]["data"]

    async with session() as client:
        status, label = await said(client)
        row = pd.DataFrame([{"carrier": carrier, "distance": distance, "hour": hour, "temp": np.nan}])
        assert (status, label) == (200, found.estimator.predict(row).tolist())
        row = row.assign(carrier="never seen")
        assert await said(client, carrier="never seen") == (200, found.estimator.predict(row).tolist())
        for changes, reason in (
            ({"hour": 2.5}, "inputs: column hour in row 0 is no whole number"),
            ({"hour": None}, "inputs: column hour in row 0 is no whole number"),
            ({"hour": 2.0**60}, "inputs: column hour in row 0 is no whole number of at most +-2^53"),
            (
                {"distance": 1e39},
                "inputs: column distance in row 0 is beyond the numbers that this model takes, +-3.40282e+38",
            ),
        ):
            status, text = await said(client, **changes)
            assert (status, text.startswith(reason)) == (400, True), text
        async with client.get(f"{server.url}/metrics") as response:
            metrics = await response.text()
    assert 'sluice_feature_missing_total{feature="temp"} 2' in metrics
    assert 'sluice_slice_rows_total{slice="carrier",value="AA",outcome="answered"} 1' in metrics


def test_a_hostile_graph_ends_the_start_with_one_line(tmp_path, environment):
    other = graph(
        [node("ReduceMean", "x", "m", axes=[0]), node("Sub", "x m", "d"), node("ReduceSum", "d", axes=[1])], opset=11
    )
    onnx.save(other, tmp_path / "model.onnx")
    content = (tmp_path / "model.onnx").read_bytes()
    file = {"path": "model.onnx", "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    (tmp_path / "manifest.json").write_text(
        json.dumps({"name": "m", "version": "1", "format": "onnx", "files": [file]})
    )
    ended = subprocess.run(
        [COMMAND, "serve", "--dir", tmp_path, "--port", "0"], env=environment, capture_output=True, text=True,
        timeout=START_SECONDS, check=False,
    )  # fmt: skip
    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [
        "error: model.onnx: answers a row otherwise when it is asked together with others; "
        "every row must be answered by itself"
    ]
