"""Reading a request's body, up to a limit."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from sluice_model_server.errors import RequestError


async def read_body(
    headers: Mapping[bytes, bytes],
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    max_bytes: int,
) -> bytes:
    """The whole body.

    headers: by lower-case name. Raises RequestError 413 above `max_bytes` (by Content-Length before anything is read),
    415 for a compressed body, and ConnectionResetError when the client leaves first.
    """
    length = headers.get(b"content-length")
    if length is not None and int(length) > max_bytes:
        raise _too_large(max_bytes)
    encoding = headers.get(b"content-encoding")
    if encoding and (encoding := encoding.strip().lower()) not in {b"", b"identity"}:
        raise RequestError(
            415, f"Content-Encoding: {encoding.decode('latin-1')[:40]} is not supported; send the body as it is"
        )
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionResetError("the client left before its request was complete")
        part = message.get("body", b"")
        size += len(part)
        if size > max_bytes:
            raise _too_large(max_bytes)
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts) if len(parts) > 1 else part


def _too_large(max_bytes: int) -> RequestError:
    return RequestError(413, f"the body is larger than {max_bytes} bytes (SLUICE_MODEL_MAX_BODY_BYTES)")
