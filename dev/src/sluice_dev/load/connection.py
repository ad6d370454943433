"""One HTTP/1.1 connection: a request goes out, its answer comes back or the connection is lost. Nothing is repeated.

On httptools instead of a client library: aiohttp's client needs 23% of a core for 200 requests/s, this 10%, and the
generator shares two cores with the cluster that it measures.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import cast

import httptools


class Lost(Exception):
    """The connection ended, or said nonsense, before the answer was complete."""


@dataclass(frozen=True, slots=True)
class Answer:
    """code: HTTP status."""

    code: int
    content: bytes


class Connection(asyncio.Protocol):
    """One connection; one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[Answer] | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._content = bytearray()
        self.reusable = True
        """Neither side has closed it, and the last answer allows another request."""

    @classmethod
    async def open(cls, address: str, port: int) -> Connection:
        """Raises OSError: ConnectionRefusedError and its relatives."""
        _, connection = await asyncio.get_running_loop().create_connection(cls, address, port)
        return connection

    async def exchange(self, request: bytes) -> Answer:
        """Sends a complete request and waits for the complete answer. Raises Lost."""
        if self._transport is None or self._transport.is_closing():
            raise Lost("closed before the request")
        self._waiter = asyncio.get_running_loop().create_future()
        self._content.clear()
        self._transport.write(request)
        try:
            return await self._waiter
        finally:
            self._waiter = None

    def close(self) -> None:
        self.reusable = False
        if self._transport is not None:
            self._transport.close()

    # --- asyncio's side --------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one, but does not inherit from it

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as nonsense:
            self._lose(f"no HTTP: {nonsense}")
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.reusable = False
        self._lose(str(exc or "closed by the peer"))

    # --- httptools' side -------------------------------------------------------------------------------------------

    def on_body(self, body: bytes) -> None:
        self._content += body

    def on_message_complete(self) -> None:
        self.reusable = self.reusable and self._parser.should_keep_alive()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(Answer(self._parser.get_status_code(), bytes(self._content)))

    def _lose(self, why: str) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(Lost(why))
