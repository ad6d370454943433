"""Asks an ASGI application in this process, without a socket."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any


async def infer(app: Callable[..., Awaitable[None]], body: bytes, name: str = "m") -> tuple[int, bytes]:
    """Status and content of one inference request."""
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    headers = [(b"content-length", str(len(body)).encode())]
    scope = {"type": "http", "method": "POST", "path": f"/v2/models/{name}/infer", "headers": headers}
    await app(scope, receive, send)
    return sent[0]["status"], b"".join(part["body"] for part in sent[1:])
