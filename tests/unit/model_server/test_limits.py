"""What does the server refuse because it would be too much, too late, or by nobody it knows?"""

import asyncio
import json

import numpy as np
import pytest
import structlog

from sluice_model_server.errors import ModelServerError, RequestError
from sluice_model_server.faults import FaultPlan
from sluice_model_server.guard import RELOAD_SECONDS, Guard
from sluice_model_server.v2_request import parse_request
from unit.model_server.conftest import by_task

SLOW = FaultPlan(delay_seconds=30)


async def never():
    await asyncio.Event().wait()


async def test_rows_over_the_limit_are_413(client, data, matrix):
    app = client(max_rows=3)
    assert (await app.infer(matrix(data.rows[:3]))).status == 200
    answer = await app.infer(matrix(data.rows[:4]))
    assert answer.status == 413
    assert "inputs: 4 rows, more than 3 at once (SLUICE_MODEL_MAX_ROWS)" in answer.json["error"]
    columns = [{"name": f"x{i}", "shape": [4], "datatype": "FP64", "data": [1.0] * 4} for i in range(3)]
    assert (await app.infer({"inputs": columns})).status == 413


@by_task
async def test_more_at_once_than_allowed_are_429_until_one_is_answered(client, data, matrix):
    app = client(max_in_flight=2, faults=SLOW)
    running = [asyncio.create_task(app.infer(matrix(data.rows[:1]))) for _ in range(2)]
    await asyncio.sleep(0)
    refused = await app.infer(matrix(data.rows[:1]))
    assert (refused.status, refused.headers[b"retry-after"]) == (429, b"1")
    assert "SLUICE_MODEL_MAX_IN_FLIGHT" in refused.json["error"]
    assert (await app.ask("GET", "/v2/health/ready")).status == 200
    assert await app.metric('sluice_requests_total{code="429"}') == 1
    running.pop().cancel()
    await asyncio.sleep(0)
    running.append(asyncio.create_task(app.infer(matrix(data.rows[:1]))))
    await asyncio.sleep(0)
    assert await app.metric("sluice_requests_in_flight") == 2
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    assert await app.metric("sluice_requests_in_flight") == 0


async def test_a_request_that_takes_too_long_is_504_and_later_ones_have_their_own_time(client, data, matrix):
    app = client(request_seconds=0.02, faults=SLOW)
    first = asyncio.create_task(app.infer(matrix(data.rows[:1])))
    await asyncio.sleep(0)
    second = await app.infer(matrix(data.rows[:1]))
    for answer in (await first, second):
        assert (answer.status, answer.headers[b"retry-after"]) == (504, b"1")
        assert "no answer within 0.02 s (SLUICE_MODEL_REQUEST_SECONDS)" in answer.json["error"]
    assert await app.metric('sluice_requests_total{code="504"}') == 2
    assert await app.metric("sluice_requests_in_flight") == 0


@by_task
async def test_a_body_that_does_not_arrive_is_408_and_its_connection_is_closed(client):
    app, sent = client(request_seconds=0.01), []

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/v2/models/delay/infer", "headers": []}
    await app.app(scope, never, send)
    assert sent[0]["status"] == 408
    assert (b"connection", b"close") in sent[0]["headers"]
    assert b"did not arrive within 0.01 s" in sent[1]["body"]


@by_task
async def test_somebody_elses_cancellation_is_no_answer(client, data, matrix):
    app = client(faults=SLOW)
    task = asyncio.create_task(app.infer(matrix(data.rows[:1])))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.fixture
def tokens(tmp_path):
    path = tmp_path / "tokens"
    path.write_text("first\nsecond\n")
    return path


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (None, 401),
        (b"Bearer", 401),
        (b"Bearer ", 401),
        (b"Bearer firs", 401),
        (b"Bearer first!", 401),
        (b"Basic first", 401),
        (b"first", 401),
        (b"Bearer first", 200),
        (b"bearer  second ", 200),
    ],
)
async def test_inference_and_descriptions_want_a_token(client, tokens, data, matrix, sent, status):
    app = client(token_file=tokens)
    headers = ((b"authorization", sent),) if sent else ()
    answer = await app.infer(matrix(data.rows[:1]), headers=headers)
    assert answer.status == status
    if status == 401:
        assert answer.headers[b"www-authenticate"] == b"Bearer"
        assert "SLUICE_MODEL_TOKEN_FILE" in answer.json["error"]
    for path in ("/v2", "/v2/models/delay", "/openapi.json", "/docs"):
        assert (await app.ask("GET", path, headers=headers)).status == status
    assert (await app.ask("GET", "/nothing", headers=headers)).status == (404 if sent and status == 200 else 401)


@pytest.mark.parametrize("path", ["/v2/health/live", "/v2/health/ready", "/v2/models/delay/ready", "/metrics"])
async def test_health_and_metrics_stay_open(client, tokens, path):
    assert (await client(token_file=tokens).ask("GET", path)).status == 200


def test_tokens_are_read_again(tokens):
    now = [0.0]
    guard = Guard(tokens, lambda: now[0])
    guard.check(b"Bearer first")
    tokens.write_text("third")
    guard.check(b"Bearer first")
    now[0] += RELOAD_SECONDS
    guard.check(b"Bearer third")
    with pytest.raises(RequestError):
        guard.check(b"Bearer first")
    tokens.unlink()
    now[0] += RELOAD_SECONDS
    guard.check(b"Bearer third")  # a Secret that is being replaced locks nobody out


@pytest.mark.parametrize(("content", "said"), [(None, "No such file"), ("\n \n", "holds no token")])
def test_a_server_that_could_let_nobody_in_does_not_start(tmp_path, content, said):
    if content is not None:
        (tmp_path / "tokens").write_text(content)
    with pytest.raises(ModelServerError, match=f"SLUICE_MODEL_TOKEN_FILE: .*{said}"):
        Guard(tmp_path / "tokens")


async def test_requests_are_logged_when_asked_for_and_never_with_data(client, matrix, monkeypatch):
    told = structlog.testing.LogCapture()
    monkeypatch.setattr("sluice_model_server.inference._log", structlog.wrap_logger(None, processors=[told]))
    secret = 0.123456789
    await client("number", log_requests=True).infer(
        matrix([[secret, 1, 2]]), name="minutes", headers=((b"x-request-id", b"flight-1"),)
    )
    [entry] = told.entries
    assert (entry["event"], entry["id"]) == ("answered", "flight-1")
    assert str(secret) not in str(entry)
    await client("number").infer(matrix([[secret, 1, 2]]), name="minutes")
    assert told.entries == [entry]


@pytest.mark.parametrize(("model", "largest"), [("forest", np.finfo(np.float32).max), ("linear", np.finfo("f8").max)])
async def test_numbers_that_the_model_would_raise_on_are_the_clients_mistake(client, served, matrix, model, largest):
    assert served(model).predictor.largest == largest
    answer = await client(model).infer(matrix([[0.5, 1e300, 0.5]]))
    assert answer.status == (400 if model == "forest" else 200)
    if model == "forest":
        assert "column x1 in row 0 is beyond the numbers that this model takes, +-3.40282e+38" in answer.json["error"]


async def test_a_text_that_the_model_knows_tells_what_else_it_takes(served):
    assert served("mixed").predictor.largest == np.finfo("f8").max


def test_a_missing_value_is_named_by_column_and_row(served):
    body = {"inputs": [{"name": "x", "shape": [2, 3], "datatype": "FP64", "data": [1, 2, 3, 4, None, 6]}]}
    with pytest.raises(RequestError, match="column x1 is missing in row 1; this model takes no missing values"):
        parse_request(json.dumps(body).encode(), served("linear").predictor)
