"""Reading a request's body, up to a limit."""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from sluice_model_server.errors import RequestError


async def read_body(
    headers: Iterable[tuple[bytes, bytes]],
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    max_bytes: int,
) -> bytes:
    """The whole body.

    Raises RequestError 413 above `max_bytes` (by Content-Length before anything is read), 415 for a compressed body,
    400 for V2's binary extension, and ConnectionResetError when the client leaves first.
    """
    for name, value in headers:
        if name == b"content-length" and int(value) > max_bytes:
            raise _too_large(max_bytes)
        if name == b"content-encoding" and value.strip().lower() not in {b"", b"identity"}:
            raise RequestError(
                415, f"Content-Encoding {value.decode('latin-1')[:40]} is not supported; send plain JSON"
            )
        if name == b"inference-header-content-length":
            raise RequestError(400, "binary tensors are not supported; send the data as JSON")
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
