"""The load generator against real servers on loopback that answer, hang, hang up, or are not there."""

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import pytest

from sluice_dev.load.generator import Generator, Target
from sluice_dev.load.loss import kinds, lost_near, near
from sluice_dev.load.outcome import QUERY, Outcome, follow_outcomes

BODIES = [b'{"inputs":[1]}', b'{"inputs":[2]}']
ANSWER = b'{"model_version":"v7","outputs":[]}'
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[int]:
    """A server on loopback; its port."""
    server = await asyncio.start_server(handler, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def request_of(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """(head, body) of the next request; raises IncompleteReadError when the client hangs up."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return head, await reader.readexactly(length)


async def load(port: int, *, rate: float = 200, count: int = 20, seconds: float = 5) -> list[Outcome]:
    """The outcomes of a load, by number."""
    out = io.BytesIO()
    target = Target("127.0.0.1", port, "/v2/models/m/infer", "m.example", seconds)
    await Generator(target, BODIES, rate, count, out).run()
    return sorted((Outcome(**orjson.loads(line)) for line in out.getvalue().splitlines()), key=lambda o: o.number)


async def test_half_of_the_requests_share_kept_connections() -> None:
    """Given a server that keeps connections, every request is answered once, and only every other one connects."""
    connections: list[list[bytes]] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads: list[bytes] = []
        connections.append(heads)
        try:
            while True:
                head, body = await request_of(reader)
                assert body in BODIES
                heads.append(head)
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(ANSWER) + ANSWER)
        except asyncio.IncompleteReadError:
            writer.close()

    async with serving(answer) as port:
        outcomes = await load(port, count=20)

    assert [o.number for o in outcomes] == list(range(20))
    assert all(o.code == 200 and o.version == "v7" and not o.error and not o.failed for o in outcomes)
    heads = [head for connection in connections for head in connection]
    assert len(heads) == 20, "nothing is sent twice"
    assert sum(b"connection: close" in head for head in heads) == 10
    assert sorted(len(connection) for connection in connections)[-1] > 1, "a kept connection is used again"
    ids = {head.partition(f"?{QUERY}=".encode())[2].partition(b" ")[0].decode() for head in heads}
    assert ids == {o.request_id for o in outcomes}


async def test_the_schedule_does_not_wait_for_answers() -> None:
    """Open loop: requests to a server that hangs are all sent on time, and are lost to the timeout."""

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with serving(hang) as port:
        outcomes = await load(port, rate=100, count=30, seconds=0.5)

    assert {o.error for o in outcomes} == {"timeout"}
    assert all(o.failed and o.code == 0 for o in outcomes)
    assert outcomes[-1].due - outcomes[0].due == pytest.approx(0.29, abs=0.001)
    assert max(o.lag for o in outcomes) < 0.4, "the last one was not held back until the first one had timed out"
    assert all(o.latency >= 0.5 for o in outcomes)


async def test_hanging_up_is_a_reset() -> None:
    """A connection that ends in the middle of an answer is a loss, also a kept one; it is not tried again."""
    seen = 0

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal seen
        await request_of(reader)
        seen += 1
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
        await writer.drain()
        writer.close()

    async with serving(hang_up) as port:
        outcomes = await load(port, count=10)

    assert {o.error for o in outcomes} == {"reset"}
    assert seen == 10


async def test_nobody_there_is_refused() -> None:
    """A port that nobody listens on."""
    async with serving(lambda _r, _w: asyncio.sleep(0)) as port:
        pass
    outcomes = await load(port, count=4)
    assert {o.error for o in outcomes} == {"refused"}


async def test_an_error_status_is_a_loss_with_its_code() -> None:
    """503 of a gateway without endpoints."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async with serving(refuse) as port:
        outcomes = await load(port, count=4)

    assert kinds(outcomes) == {"503, kept connection": 2, "503, new connection": 2}
    assert all(o.failed and not o.error for o in outcomes)


def outcome(due: float, code: int) -> Outcome:
    return Outcome(0, due, due, due + 0.01, code, "", "", keep_alive=True, request_id="r-0")


@pytest.mark.parametrize(("moment", "expected"), [(4.9, False), (5.0, True), (10, True), (15.0, True), (15.1, False)])
def test_near_means_within_five_seconds(moment: float, expected: bool) -> None:
    """Before and after a change alike."""
    assert near(moment, [10.0]) is expected
    assert near(moment, []) is False


def test_only_lost_requests_near_a_change_count() -> None:
    """One lost beside the change, one lost far away, one answered beside it."""
    assert lost_near([outcome(11, 503), outcome(90, 503), outcome(11, 200)], [10.0]) == 1


def test_each_reader_follows_at_its_own_pace(tmp_path: Path) -> None:
    """Whoever shares a place in the file with another reader loses lines to it, or reads from the middle of one."""
    path = tmp_path / "outcomes"
    early, late = follow_outcomes(path), follow_outcomes(path)
    assert early() == []
    first, second = (Outcome(number, 1.0, 1.0, 2.0, 200, "", "v1", True, f"r{number}") for number in (0, 1))
    path.write_bytes(first.line() + second.line()[:20])
    assert early() == [first]
    path.write_bytes(first.line() + second.line())
    assert early() == [second]
    assert late() == [first, second]
    assert early() == late() == []
