"""Reading a request's body, up to a limit."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from sluice_model_server.errors import RequestError

Headers = Mapping[bytes, bytes]
"""By lower-case name."""


def check_head(headers: Headers, max_bytes: int) -> None:
    """Whether such a body may come: raises RequestError 413 for a Content-Length above `max_bytes`, 415 for a
    compressed body."""
    length = headers.get(b"content-length")
    # The parser lets any number of zeros through, int() does not.
    if length is not None and int(length.strip().lstrip(b"0") or b"0") > max_bytes:
        raise _too_large(max_bytes)
    encoding = headers.get(b"content-encoding")
    if encoding and (encoding := encoding.strip().lower()) not in {b"", b"identity"}:
        raise RequestError(
            415, f"Content-Encoding: {encoding.decode('latin-1')[:40]} is not supported; send the body as it is"
        )


def check_size(size: int, max_bytes: int) -> None:
    """Raises RequestError 413 for more bytes than `max_bytes`."""
    if size > max_bytes:
        raise _too_large(max_bytes)


async def read_body(
    headers: Headers, receive: Callable[[], Awaitable[MutableMapping[str, Any]]], max_bytes: int
) -> bytes:
    """The whole body.

    Raises RequestError as `check_head` does, before anything is read, and as `check_size`, and ConnectionResetError
    when the client leaves first.
    """
    check_head(headers, max_bytes)
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionResetError("the client left before its request was complete")
        part = message.get("body", b"")
        size += len(part)
        check_size(size, max_bytes)
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts) if len(parts) > 1 else part


def _too_large(max_bytes: int) -> RequestError:
    return RequestError(413, f"the body is larger than {max_bytes} bytes (SLUICE_MODEL_MAX_BODY_BYTES)")
