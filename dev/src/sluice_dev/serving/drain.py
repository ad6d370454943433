"""`make bench-drain`: servers are told to end under 500 requests/s, one after the other. Is a request lost?

Each has a successor before it is told. What stands in front does what a gateway does: it asks each server every 100 ms
whether it is ready, sends requests only to those that were, half on kept-alive connections and half on new ones, and
repeats none. Lost is every request without a complete answer 200.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rich.console import Console

from sluice_dev.bench.figures import Result, Target, spread
from sluice_dev.load.connection import Connection, Lost
from sluice_dev.serving.server import HOST, Server, ServerFailed, packed_model, request

RATE: Final = 500.0
PROBE_SECONDS: Final = 0.1
DRAIN_SECONDS: Final = 3.0
"""SLUICE_MODEL_DRAIN_SECONDS: thirty probes, so that a machine on which some come late still learns in time."""
LAG_SECONDS: Final = 0.1
"""Above it the machine was too busy for what is measured, and says nothing about the server."""
ANSWER_SECONDS: Final = 10.0
END_SECONDS: Final = 60.0
_READY: Final = f"GET /v2/health/ready HTTP/1.1\r\nhost: {HOST}\r\nconnection: close\r\n\r\n".encode()


@dataclass(slots=True)
class Backend:
    """A server as the front sees it: its idle connections and whether it was ready when last asked."""

    server: Server
    idle: list[Connection] = field(default_factory=list)
    ready: bool = False

    async def send(self, content: bytes, *, keep: bool) -> int:
        """The status of the answer. Raises Lost, OSError."""
        connection = self._kept() if keep else None
        if connection is None:
            connection = await Connection.open(HOST, self.server.port)
        code = 0
        try:
            code = (await connection.exchange(content)).code
        finally:
            if code and keep and connection.reusable:
                self.idle.append(connection)
            else:
                connection.close()
        return code

    def _kept(self) -> Connection | None:
        while self.idle:
            connection = self.idle.pop()
            if connection.reusable:
                return connection
        return None

    async def probe(self) -> None:
        try:
            self.ready = await self.send(_READY, keep=False) == 200
        except (Lost, OSError):
            self.ready = False


class Front:
    """Sends at a constant rate to whichever servers are ready."""

    def __init__(self) -> None:
        self.backends: list[Backend] = []
        self.outcomes: Counter[str] = Counter()
        self.stopped = False
        self.lags: list[float] = []
        """Seconds by which each request was sent late."""
        self._requests = {keep: request(keep=keep) for keep in (True, False)}

    async def probe(self) -> None:
        """Asks all servers again and again."""
        while not self.stopped:
            await asyncio.gather(*(backend.probe() for backend in self.backends))
            await asyncio.sleep(PROBE_SECONDS)

    async def load(self) -> None:
        """Open loop; returns when it was stopped and every request has its outcome."""
        begin = time.monotonic()
        under_way: set[asyncio.Task[None]] = set()
        number = 0
        while not self.stopped:
            due = begin + number / RATE
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            self.lags.append(time.monotonic() - due)
            task = asyncio.create_task(self._send(number))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
            number += 1
        while under_way:
            await asyncio.wait(set(under_way))

    async def _send(self, number: int) -> None:
        ready = [backend for backend in self.backends if backend.ready]
        if not ready:
            self.outcomes["no server ready"] += 1
            return
        keep = number // len(ready) % 2 == 0
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                code = await ready[number % len(ready)].send(self._requests[keep], keep=keep)
            outcome = str(code)
        except TimeoutError:
            outcome = "timeout"
        except Lost as lost:
            outcome = f"lost, {'kept' if keep else 'new'} connection: {lost}"
        except OSError as error:
            outcome = type(error).__name__
        self.outcomes[outcome] += 1


async def _replaced(front: Front, old: Backend, model: Path) -> tuple[Backend, int, float]:
    """Starts a successor and ends `old`. Returns the successor, the exit status and the seconds from SIGTERM to it."""
    new = Backend(await asyncio.to_thread(_started, model))
    front.backends.append(new)
    await new.probe()
    if not new.ready:
        raise ServerFailed("a server that listens is not ready")
    old.server.terminate()
    told = time.monotonic()
    status = await asyncio.to_thread(old.server.ended, END_SECONDS)
    seconds = time.monotonic() - told
    front.backends.remove(old)
    for connection in old.idle:
        connection.close()
    return new, status, seconds


def _started(model: Path) -> Server:
    return Server(model, SLUICE_MODEL_DRAIN_SECONDS=f"{DRAIN_SECONDS:g}", SLUICE_MODEL_LOG_LEVEL="INFO")


async def _run(rounds: int, model: Path, console: Console) -> Result:
    front = Front()
    current = Backend(await asyncio.to_thread(_started, model))
    front.backends.append(current)
    await current.probe()
    statuses: list[int] = []
    seconds: list[float] = []
    begin = time.monotonic()
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(front.probe())
            tasks.create_task(front.load())
            for number in range(1, rounds + 1):
                current, status, took = await _replaced(front, current, model)
                statuses.append(status)
                seconds.append(took)
                console.print(f"{number} of {rounds}: ended after {took:.1f} s, so far {_lost(front)} lost", end="\r")
            front.stopped = True
    finally:
        for backend in front.backends:
            backend.server.kill()
    requests = sum(front.outcomes.values())
    rate = requests / (time.monotonic() - begin)
    lag = sorted(front.lags)[int(0.99 * (len(front.lags) - 1))]
    return Result(
        f"{rounds} drains under {RATE:g} requests/s",
        [
            Target("requests lost", _lost(front), 0),
            Target("servers that did not exit with 0", sum(status != 0 for status in statuses), 0),
            Target("drains", len(statuses), rounds, least=True),
            Target("requests/s sent", round(rate, 1), 0.98 * RATE, least=True),
            Target("p99 of how late the requests were sent, s", round(lag, 4), LAG_SECONDS),
        ],
        {"requests": requests, "outcomes": dict(front.outcomes), "seconds from SIGTERM to exit": spread(seconds)},
    )


def _lost(front: Front) -> int:
    return sum(front.outcomes.values()) - front.outcomes["200"]


def run(rounds: int, folder: Path, console: Console) -> Result:
    """folder: for the packed model."""
    return asyncio.run(_run(rounds, packed_model(folder), console))
