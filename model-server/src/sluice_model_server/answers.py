"""An HTTP answer, and which headers its status brings along."""

from typing import Final, NamedTuple

import orjson

from sluice_model_server.binary import LENGTH_HEADER
from sluice_model_server.errors import RequestError

Headers = tuple[tuple[bytes, bytes], ...]

JSON: Final[Headers] = ((b"content-type", b"application/json"),)
RETRY_AFTER_SECONDS: Final = 1
"""What 429, 503 and 504 advise: a server's overload passes within a batch or two, and another replica may answer."""
CLOSE: Final = (b"connection", b"close")
_RETRY: Final = (b"retry-after", str(RETRY_AFTER_SECONDS).encode())
_BY_STATUS: Final[dict[int, Headers]] = {
    401: ((b"www-authenticate", b"Bearer"),),
    408: (CLOSE,),  # the rest of the body may still come, and would be read as the next request
    413: (CLOSE,),
    429: (_RETRY,),
    503: (_RETRY,),
    504: (_RETRY,),
}


class Answer(NamedTuple):
    """status: HTTP status. headers: all but Content-Length and what a drain adds."""

    status: int
    content: bytes
    headers: Headers = JSON


def failure(status: int, message: str, headers: Headers = ()) -> Answer:
    """The protocol's error object, with the headers of that status."""
    return Answer(status, orjson.dumps({"error": message}), (*JSON, *_BY_STATUS.get(status, ()), *headers))


def refused(error: RequestError) -> Answer:
    """What a request gets that cannot be served."""
    return failure(error.status, str(error))


def only(methods: str, path: str) -> Answer:
    """405 with the methods that `path` does take, e.g. `GET, HEAD`."""
    return failure(405, f"{path[:200]} is {methods} only", ((b"allow", methods.encode()),))


def inference(content: bytes, json_length: int | None) -> Answer:
    """An inference answer; json_length: where its JSON ends when binary tensors stand behind it."""
    if json_length is None:
        return Answer(200, content)
    return Answer(
        200, content, ((b"content-type", b"application/octet-stream"), (LENGTH_HEADER, str(json_length).encode()))
    )
