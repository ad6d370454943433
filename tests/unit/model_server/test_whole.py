"""Is a request that arrives whole answered as any other, without a task, and whatever else comes by one?"""

import asyncio
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from sluice_model_server import v2_request, v2_response
from sluice_model_server.faults import FaultPlan
from unit.model_server.conftest import Answer, Client, Connection, by_whole, http_request

pytestmark = by_whole
PATH = "/v2/models/delay/infer"


@pytest.fixture
def row(data, matrix) -> Callable[..., bytes]:
    """A request for one row of the data, with an id to know it again by."""

    def make(number: int = 0, **more: Any) -> bytes:
        body = matrix(data.rows[number : number + 1], id=str(number))
        return http_request("POST", PATH, orjson.dumps(body), **more)

    return make


def ids(*answers: Answer) -> list[str]:
    return [answer.json["id"] for answer in answers]


async def several(connection: Connection, count: int) -> list[Answer]:
    return [await connection.answer() for _ in range(count)]


async def test_it_takes_no_task_and_its_answer_is_one_write(client, row):
    connection = Connection(client().app)
    connection.send(row())
    assert not connection.state.tasks
    answer = await connection.answer()
    assert (answer.status, ids(answer)) == (200, ["0"])
    assert len(connection.wire.writes) == 1
    assert not connection.wire.closed


@pytest.mark.parametrize("cut", [1, 30, -100, -1])
async def test_one_in_pieces_takes_a_task(client, row, cut):
    connection = Connection(client().app)
    connection.send(row()[:cut])
    connection.send(row()[cut:])
    # Cut within its head it is whole when its head is.
    assert len(connection.state.tasks) == (0 if cut > 0 else 1)
    assert ids(await connection.answer()) == ["0"]


async def test_connections_of_one_turn_share_a_call(client, row):
    app = client()
    connections = [Connection(app.app) for _ in range(5)]
    for number, connection in enumerate(connections):
        connection.send(row(number))
    assert ids(*[await connection.answer() for connection in connections]) == list("01234")
    assert await app.metric("sluice_batch_rows_sum") == 5
    assert await app.metric("sluice_batch_rows_count") == 1


async def test_a_connection_is_used_again(client, row):
    connection = Connection(client().app)
    for number in range(3):
        connection.send(row(number))
        assert ids(await connection.answer()) == [str(number)]
    assert connection.state.total_requests == 3


async def test_pipelined_requests_are_answered_in_their_order(client, row):
    connection = Connection(client().app)
    connection.send(row(0) + http_request("GET", "/v2", b"") + row(1) + http_request("POST", PATH, b"no json") + row(2))
    answers = await several(connection, 5)
    assert [answer.status for answer in answers] == [200, 200, 200, 400, 200]
    assert ids(answers[0], answers[2], answers[4]) == list("012")
    assert connection.wire.reading


async def test_one_that_is_refused_at_once_leaves_the_next_its_turn(client, row):
    connection = Connection(client().app)
    connection.send(http_request("POST", PATH, b"no json") + row(1))
    first, second = await several(connection, 2)
    assert (first.status, ids(second)) == (400, ["1"])


@pytest.mark.parametrize(
    "more", [{"version": "1.0"}, {"headers": ((b"connection", b"close"),)}], ids=["HTTP/1.0", "close"]
)
async def test_who_wants_no_further_answer_gets_none(client, row, more):
    connection = Connection(client().app)
    connection.send(row(**more))
    assert (await connection.answer()).headers[b"connection"] == b"close"
    assert connection.wire.closed


async def test_a_drain_closes_the_connection_with_the_answer(client, row):
    app = client()
    app.lifecycle.drain()
    connection = Connection(app.app)
    connection.send(row())
    answer = await connection.answer()
    assert (answer.status, answer.headers[b"connection"]) == (200, b"close")
    assert connection.wire.closed


async def test_the_end_of_the_server_waits_for_the_answer(client, row):
    connection = Connection(client().app)
    connection.send(row())
    connection.protocol.shutdown()
    assert not connection.wire.closed
    assert (await connection.answer()).headers[b"connection"] == b"close"
    assert connection.wire.closed


async def test_a_client_that_left_is_sent_nothing(client, row):
    app = client()
    connection = Connection(app.app)
    connection.send(row())
    connection.protocol.connection_lost(ConnectionResetError())
    assert await app.metric("sluice_requests_in_flight") == 0
    assert await app.metric('sluice_requests_total{code="200"}') == 1
    assert connection.wire.writes == []


async def test_one_that_takes_too_long_is_504_and_is_not_predicted(client, row, data, matrix):
    app = client(request_seconds=0.05, batch_wait_seconds=0.1)
    connection = Connection(app.app)
    connection.send(row())
    answer = await connection.answer()
    assert (answer.status, answer.headers[b"retry-after"]) == (504, b"1")
    connection.send(http_request("POST", PATH, orjson.dumps(matrix(data.rows[:64]))))  # fills the batch: it is called
    assert (await connection.answer()).status == 200
    assert await app.metric("sluice_batch_rows_sum") == 64
    assert await app.metric("sluice_requests_in_flight") == 0
    assert len(connection.wire.writes) == 2


async def test_more_at_once_than_allowed_are_429(client, row):
    app = client(max_in_flight=2)
    connections = [Connection(app.app) for _ in range(3)]
    for connection in connections:
        connection.send(row())
    assert [(await connection.answer()).status for connection in connections] == [200, 200, 429]
    connections[2].send(row())
    assert (await connections[2].answer()).status == 200


@pytest.mark.filterwarnings("ignore:invalid value encountered in log1p")
async def test_who_raises_fails_alone(client, matrix):
    app = client("logs")
    connections = [Connection(app.app) for _ in range(3)]
    for connection, number in zip(connections, (1.0, -7.0, 2.0), strict=True):
        connection.send(http_request("POST", PATH, orjson.dumps(matrix([[number, 1.0, 1.0]]))))
    assert [(await connection.answer()).status for connection in connections] == [200, 500, 200]


async def test_any_number_of_zeros_may_stand_before_a_length(client, row):
    connection = Connection(client().app)
    connection.send(row().replace(b"content-length: ", b"content-length: " + b"0" * 5000))
    assert ids(await connection.answer()) == ["0"]


async def test_a_body_is_not_kept_while_its_connection_idles(client, row):
    connection = Connection(client().app)
    connection.send(row())
    await connection.answer()
    assert connection.protocol.cycle.body == b""


@pytest.mark.parametrize("cut", [None, -20])
async def test_trailers_are_no_headers(client, row, tmp_path, cut):
    (tmp_path / "tokens").write_text("right")
    connection = Connection(client(token_file=tmp_path / "tokens").app)
    head, body = row().split(b"\r\n\r\n")
    head = head[: head.index(b"content-length")] + b"transfer-encoding: chunked"
    chunked = b"%x\r\n%s\r\n0\r\nauthorization: Bearer right\r\n\r\n" % (len(body), body)
    message = head + b"\r\n\r\n" + chunked
    connection.send(message[:cut])
    if cut:
        connection.send(message[cut:])
    assert (await connection.answer()).status == 401


async def test_what_follows_an_upgrade_that_is_not_made_is_no_request(client, row):
    connection = Connection(client().app)
    connection.send(row(headers=((b"connection", b"upgrade"), (b"upgrade", b"h2c"))) + row(1))
    assert (await connection.answer()).headers[b"connection"] == b"close"
    assert connection.wire.closed


@pytest.mark.parametrize("place", [(v2_response, "inference"), (v2_request, "_usual")])
async def test_a_mistake_of_ours_is_one_requests_500(client, row, monkeypatch, place):
    module, name = place
    right, fails = getattr(module, name), [True]

    def sometimes(*arguments, **more):
        if fails.pop() if fails else False:
            raise ZeroDivisionError
        return right(*arguments, **more)

    monkeypatch.setattr(module, name, sometimes)
    app = client()
    connections = [Connection(app.app) for _ in range(3)]
    for connection in connections:
        connection.send(row())
    answers = [await connection.answer() for connection in connections]
    assert sorted(answer.status for answer in answers) == [200, 200, 500]
    assert await app.metric('sluice_requests_total{code="500"}') == 1
    assert await app.metric("sluice_requests_in_flight") == 0


async def test_a_client_that_does_not_read_is_waited_for(client, row):
    connection = Connection(client().app)
    connection.protocol.pause_writing()
    connection.send(row())
    for _ in range(5):
        await asyncio.sleep(0)
    assert connection.wire.writes == []
    connection.protocol.resume_writing()
    assert ids(await connection.answer()) == ["0"]


async def test_who_asks_whether_to_go_on_is_told_so(client, row):
    connection = Connection(client().app)
    head, body = row(headers=((b"expect", b"100-continue"),)).split(b"\r\n\r\n")
    connection.send(head + b"\r\n\r\n")
    assert (await connection.answer()).status == 100
    connection.send(body)
    assert (await connection.answer()).status == 200


async def test_what_is_no_http_ends_the_connection(client, row):
    connection = Connection(client().app)
    connection.send(row() + b"no http\r\n\r\n")
    assert connection.wire.closed
    for _ in range(3):
        await asyncio.sleep(0)


async def test_a_fault_plan_has_its_say_on_every_request(client: Callable[..., Client], row):
    connection = Connection(client(faults=FaultPlan(error_share=1)).app)
    connection.send(row())
    assert len(connection.state.tasks) == 1
    assert (await connection.answer()).status == 500
