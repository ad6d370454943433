"""How are requests sent at a constant rate? Open loop: a slow answer delays no request after it.

Every other request goes over a kept-alive connection, the rest each over a new one. Nothing is ever sent twice.
"""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

import orjson

from sluice_dev.load.connection import Connection, Lost
from sluice_dev.load.effort import Effort
from sluice_dev.load.outcome import QUERY, Outcome


@dataclass(frozen=True, slots=True)
class Target:
    """address, port: of the gateway. host: the Host header. timeout: seconds for the whole request."""

    address: str
    port: int
    path: str
    host: str
    timeout: float = 10.0

    def request(self, body: bytes, request_id: str, *, keep: bool) -> bytes:
        """The request as it goes over the wire.

        Its id is in the query, where the gateway logs it as it is; x-request-id it replaces by one of its own.
        """
        head = (
            f"POST {self.path}?{QUERY}={request_id} HTTP/1.1\r\nhost: {self.host}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
        )
        return head.encode() + (b"\r\n" if keep else b"connection: close\r\n\r\n") + body


class Generator:
    """Sends `bodies` in turn, `rate` per second, at most `count` of them; `stop` ends it earlier."""

    def __init__(self, target: Target, bodies: Sequence[bytes], rate: float, count: int, out: BinaryIO) -> None:
        self._target = target
        self._bodies = bodies
        self._rate = rate
        self._count = count
        self._out = out
        self._stopped = False
        self._idle: list[Connection] = []
        self._lags: list[float] = []
        self._run = f"{time.time_ns() & 0xFFFFFFFF:08x}"

    def stop(self) -> None:
        """No further request is sent; those under way are waited for."""
        self._stopped = True

    async def run(self) -> Effort:
        """Sends until the count is reached or it is stopped. Returns once every request has its outcome."""
        begin = time.time()
        ahead = begin - time.monotonic()
        under_way: set[asyncio.Task[None]] = set()
        for number in range(self._count):
            due = begin + number / self._rate
            # A late one yields too: the answers must be read meanwhile.
            await asyncio.sleep(max(0.0, due - ahead - time.monotonic()))
            if self._stopped:
                break
            task = asyncio.create_task(self._send(number, due, ahead))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
        while under_way:
            await asyncio.wait(set(under_way))
        for connection in self._idle:
            connection.close()
        self._out.flush()
        return self._effort(time.time() - begin)

    async def _send(self, number: int, due: float, ahead: float) -> None:
        start = time.monotonic() + ahead
        self._lags.append(start - due)
        keep = number % 2 == 0
        request_id = f"{self._run}-{number}"
        request = self._target.request(self._bodies[number % len(self._bodies)], request_id, keep=keep)
        code, error, content = 0, "", b""
        try:
            async with asyncio.timeout(self._target.timeout):
                code, content = await self._exchange(request, keep=keep)
        except TimeoutError:
            error = "timeout"
        except Lost:
            error = "reset"
        except OSError as failure:  # not connected: refused, unreachable, no port left
            error = "refused" if isinstance(failure, ConnectionRefusedError) else type(failure).__name__
        end = time.monotonic() + ahead
        version = _version(content) if code == 200 else ""
        self._out.write(Outcome(number, due, start, end, code, error, version, keep, request_id).line())

    async def _exchange(self, request: bytes, *, keep: bool) -> tuple[int, bytes]:
        connection = self._kept() if keep else None
        if connection is None:
            connection = await Connection.open(self._target.address, self._target.port)
        answered = False
        try:
            answer = await connection.exchange(request)
            answered = True
        finally:
            if answered and keep and connection.reusable:
                self._idle.append(connection)
            else:
                connection.close()
        return answer.code, answer.content

    def _kept(self) -> Connection | None:
        """The idle connection used last; those that the gateway closed meanwhile are dropped."""
        while self._idle:
            connection = self._idle.pop()
            if connection.reusable:
                return connection
        return None

    def _effort(self, seconds: float) -> Effort:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        lags = sorted(self._lags) or [0.0]
        return Effort(
            requests=len(self._lags),
            seconds=seconds,
            cpu_seconds=usage.ru_utime + usage.ru_stime,
            max_lag=lags[-1],
            p99_lag=lags[int(0.99 * (len(lags) - 1))],
        )


def _version(content: bytes) -> str:
    """model_version of an answer of the Open Inference Protocol V2."""
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError:
        return ""
    return str(document.get("model_version", "")) if isinstance(document, dict) else ""
