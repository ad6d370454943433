"""What does a client of the model server see?"""

import numpy as np
import orjson
import pytest
from sklearn.preprocessing import OneHotEncoder

from sluice_model_server import v2_request, v2_response
from sluice_model_server.faults import FaultPlan
from sluice_model_server.load import load_model
from sluice_model_server.packing import pack
from specs.models import MIXED, MIXED_COLUMNS, mixed


async def test_answers_like_the_estimator_with_name_version_and_id(client, data, matrix):
    answer = await client().infer(matrix(data.rows[:5], id="flight-1"))
    assert answer.status == 200
    assert {key: answer.json[key] for key in ("model_name", "model_version", "id")} == {
        "model_name": "delay",
        "model_version": "1",
        "id": "flight-1",
    }
    label, probability = answer.json["outputs"]
    assert label == {
        "name": "label",
        "datatype": "INT64",
        "shape": [5],
        "data": data.probability[:5].argmax(axis=1).tolist(),
    }
    assert probability["shape"] == [5, 2]
    assert probability["data"] == data.probability[:5].ravel().tolist()


async def test_id_falls_back_to_the_gateways_then_to_a_new_one(client, data, matrix):
    app = client()
    from_gateway = await app.infer(matrix(data.rows[:1]), headers=((b"x-request-id", b"abc"),))
    assert from_gateway.json["id"] == "abc"
    first, second = [(await app.infer(matrix(data.rows[:1]))).json["id"] for _ in range(2)]
    assert first
    assert first != second


async def test_text_labels_and_text_columns(client, data, matrix):
    answer = await client("forest").infer(matrix(data.rows[:3]))
    assert answer.json["outputs"][0]["datatype"] == "BYTES"
    assert set(answer.json["outputs"][0]["data"]) <= {"late", "on time"}
    columns = {
        "inputs": [
            {"name": "carrier", "shape": [2], "datatype": "BYTES", "data": ["UA", "AA"]},
            {"name": "hour", "shape": [2, 1], "datatype": "INT64", "data": [[1], [0]]},
            {"name": "humid", "shape": [2], "datatype": "FP32", "data": [0.5, 0.25]},
        ]
    }
    assert (await client("mixed").infer(columns)).json["outputs"][0]["shape"] == [2]


async def test_a_regression_answers_numbers_and_has_no_probability(client, data, matrix):
    answer = await client("number").infer(matrix(data.rows[:2]), name="minutes")
    (label,) = answer.json["outputs"]
    assert label["datatype"] == "FP64"
    assert label["data"] == pytest.approx(data.rows[:2, 0])
    refused = await client("number").infer(matrix(data.rows[:2], outputs=[{"name": "probability"}]), name="minutes")
    assert refused.status == 400


async def test_only_the_outputs_asked_for(client, data, matrix):
    answer = await client().infer(matrix(data.rows[:1], outputs=[{"name": "probability"}]))
    assert [output["name"] for output in answer.json["outputs"]] == ["probability"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v2", {"name": "sluice-model-server"}),
        ("/v2/health/live", {"live": True}),
        ("/v2/health/ready", {"ready": True}),
        ("/v2/models/delay", {"name": "delay", "versions": ["2"], "platform": "sklearn_skops"}),
        ("/v2/models/delay/ready", {"ready": True}),
        ("/v2/models/delay/versions/2", {"name": "delay"}),
    ],
)
async def test_pages(client, path, expected):
    answer = await client("forest").ask("GET", path)
    assert answer.status == 200
    assert expected.items() <= answer.json.items()


async def test_metadata_names_columns_outputs_and_classes(client, served):
    document = (await client("forest").ask("GET", "/v2/models/delay")).json
    assert [column["name"] for column in document["inputs"]] == ["x0", "x1", "x2"]
    assert document["outputs"][1]["parameters"]["classes"] == ["late", "on time"]
    assert document["parameters"]["digest"] == served("forest").digest


@pytest.mark.parametrize(
    ("method", "path", "status", "said"),
    [
        ("POST", "/v2/models/other/infer", 404, "the model served here is delay"),
        ("POST", "/v2/models/delay/versions/9/infer", 404, "delay"),
        ("GET", "/v2/models/delay/infer", 405, "POST"),
        ("POST", "/v2", 405, "GET"),
        ("GET", "/favicon.ico", 404, "favicon"),
    ],
)
async def test_wrong_paths_and_methods(client, data, matrix, method, path, status, said):
    answer = await client().ask(method, path, matrix(data.rows[:1]))
    assert answer.status == status
    assert said in answer.json["error"]


async def test_draining_is_not_ready_but_answers_and_closes_connections(client, data, matrix):
    app = client()
    assert b"connection" not in (await app.infer(matrix(data.rows[:1]))).headers
    app.lifecycle.drain()
    assert (await app.ask("GET", "/v2/health/ready")).status == 503
    answer = await app.infer(matrix(data.rows[:1]))
    assert (answer.status, answer.headers[b"connection"]) == (200, b"close")


async def test_a_body_over_the_limit_is_413_by_length_and_by_content(client, data, matrix):
    app = client(max_body_bytes=100)
    answer = await app.infer(matrix(data.rows[:20]))
    assert (answer.status, answer.headers[b"connection"]) == (413, b"close")
    assert "SLUICE_MODEL_MAX_BODY_BYTES" in answer.json["error"]
    sent: list[dict] = []
    pieces = [{"type": "http.request", "body": b" " * 60, "more_body": True} for _ in range(2)]

    async def receive():
        return pieces.pop(0)

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/v2/models/delay/infer", "headers": []}
    await app.app(scope, receive, send)  # chunked: no length is announced
    assert sent[0]["status"] == 413


@pytest.mark.parametrize(
    ("header", "status"),
    [((b"content-encoding", b"gzip"), 415), ((b"inference-header-content-length", b"12"), 400)],
)
async def test_bodies_that_are_not_plain_json(client, data, matrix, header, status):
    assert (await client().infer(matrix(data.rows[:1]), headers=(header,))).status == status


async def test_requests_are_counted_by_code_from_zero_and_probes_never(client, data, matrix):
    app = client()
    assert await app.metric('sluice_requests_total{code="200"}') == 0
    assert await app.metric('sluice_requests_total{code="500"}') == 0
    for _ in range(3):
        await app.infer(matrix(data.rows[:1]))
    await app.infer(b"no json")
    for path in ("/v2", "/v2/health/ready", "/v2/health/live", "/v2/models/delay", "/metrics"):
        await app.ask("GET", path)
    assert await app.metric('sluice_requests_total{code="200"}') == 3
    assert await app.metric('sluice_requests_total{code="400"}') == 1
    assert await app.metric("sluice_request_duration_seconds_count") == 4
    assert await app.metric("sluice_requests_in_flight") == 0


async def test_a_client_that_leaves_is_counted_under_no_code(client):
    app = client()

    async def receive():
        return {"type": "http.disconnect"}

    async def send(message):
        raise AssertionError(message)

    await app.app({"type": "http", "method": "POST", "path": "/v2/models/delay/infer", "headers": []}, receive, send)
    assert await app.metric("sluice_request_duration_seconds_count") == 0
    assert await app.metric("sluice_requests_in_flight") == 0


async def test_bounds_of_the_histogram_as_prometheus_reads_them(client):
    text = (await client().ask("GET", "/metrics")).content.decode()
    prefix = 'sluice_request_duration_seconds_bucket{le="'
    bounds = [line.removeprefix(prefix).split('"')[0] for line in text.splitlines() if line.startswith(prefix)]
    below = ["0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.075", "0.1", "0.15", "0.2", "0.25", "0.35", "0.5"]
    assert bounds == [*below, "0.75", "1.0", "1.5", "2.5", "5.0", "10.0", "+Inf"]
    assert "_created" not in text


async def test_model_info_names_what_is_served(client, served):
    digest = served("linear").digest
    line = f'sluice_model_info{{digest="{digest}",format="skops",name="delay",version="1"}}'
    assert await client().metric(line) == 1


@pytest.mark.filterwarnings("ignore:invalid value encountered in log1p")
async def test_a_model_that_raises_is_a_500_without_the_payload(client, matrix, capfd):
    app = client("logs")
    answer = await app.infer(matrix([[-7.25, 1.0, 1.0]]))
    assert answer.status == 500
    assert await app.metric('sluice_requests_total{code="500"}') == 1
    said = "".join(capfd.readouterr()) + answer.content.decode()
    assert "ValueError" in said
    assert "7.25" not in said


def flights_of(*carriers):
    """A request for the model `mixed`."""
    columns = (("hour", "FP64", 1.0), ("humid", "FP64", 0.5))
    inputs = [{"name": n, "shape": [len(carriers)], "datatype": d, "data": [v] * len(carriers)} for n, d, v in columns]
    inputs.append({"name": "carrier", "shape": [len(carriers)], "datatype": "BYTES", "data": list(carriers)})
    return {"inputs": inputs}


@pytest.mark.parametrize("carriers", [["ZZ"], ["AA", "UA", "ZZ"], [*["UA"] * 99, "ZZ", "YY", "AA"]])
async def test_a_text_that_the_model_must_know_is_the_clients_mistake(client, carriers):
    app = client("mixed")
    answer = await app.infer(flights_of(*carriers))
    assert answer.status == 400
    row = carriers.index("ZZ")
    assert f"column carrier in row {row} is a text that the model was not trained on" in answer.json["error"]
    assert "ZZ" not in answer.json["error"]
    assert await app.metric('sluice_requests_total{code="400"}') == 1


async def test_a_text_may_be_missing_where_the_model_says_so(client, served, tmp_path):
    refused = await client("mixed").infer(flights_of("AA", None))
    assert refused.status == 400
    assert "column carrier is missing in row 1; this model takes no missing texts" in refused.json["error"]
    rows = np.array([*MIXED[:-1], [0.5, np.nan, 0.5]], dtype=object)
    model = mixed(rows, OneHotEncoder(handle_unknown="ignore"))
    pack(model, tmp_path, name="delay", version="5", columns=MIXED_COLUMNS, probe=[[1.0, "AA", 0.5]])
    answer = await client(load_model(tmp_path, max_bytes=1 << 30)).infer(flights_of("AA", None, "ZZ"))
    assert answer.status == 200
    asked = np.array([[1.0, carrier, 0.5] for carrier in ("AA", np.nan, "ZZ")], dtype=object)
    assert answer.json["outputs"][1]["data"] == pytest.approx(model.predict_proba(asked).ravel())


@pytest.mark.parametrize("place", [(v2_request, "_usual"), (v2_response, "inference")], ids=["reading", "writing"])
async def test_a_mistake_of_ours_costs_its_own_request_only(client, data, matrix, monkeypatch, place):
    def fails(*_, **__):
        raise ZeroDivisionError

    app = client(max_in_flight=1)
    monkeypatch.setattr(*place, fails)
    for _ in range(3):
        answer = await app.infer(matrix(data.rows[:1]))
        assert (answer.status, answer.json["error"]) == (500, "the server failed on this request (ZeroDivisionError)")
    monkeypatch.undo()
    assert (await app.infer(matrix(data.rows[:1]))).status == 200
    assert await app.metric("sluice_requests_in_flight") == 0


async def test_error_share_fails_its_share_and_counts_it(client, data, matrix):
    app = client(faults=FaultPlan(error_share=0.5, seed=1))
    statuses = [(await app.infer(matrix(data.rows[:1]))).status for _ in range(400)]
    failures = statuses.count(500)
    assert 150 < failures < 250
    assert await app.metric('sluice_requests_total{code="500"}') == failures


async def test_answers_are_json_numbers_for_every_float(client, data, matrix):
    huge = await client("number").infer(matrix([[1e300, 0.0, 0.0]]), name="minutes")
    assert np.isfinite(orjson.loads(huge.content)["outputs"][0]["data"]).all()
