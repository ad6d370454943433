"""Who may ask? With a token file: whoever sends one of its tokens as `Authorization: Bearer` (RFC 6750)."""

import hashlib
import hmac
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from sluice_model_server.errors import ModelServerError, RequestError

RELOAD_SECONDS: Final = 5.0
"""How long a token that was taken out of the file still works: a Secret's volume itself follows within a minute."""
_SCHEME: Final = b"bearer "
_log = structlog.get_logger()


class Guard:
    """The tokens of a file, one a line, read again while the server runs, so that a Secret can be rotated: first both
    tokens, then the new one alone.

    clock: monotonic seconds.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """Raises ModelServerError when the file cannot be read or holds no token."""
        self._path = path
        self._clock = clock
        self._tokens = _read(path)
        self._read_at = clock()

    def check(self, authorization: bytes) -> None:
        """authorization: the header's value, b"" without one. Raises RequestError(401)."""
        if self._clock() - self._read_at >= RELOAD_SECONDS:
            self._reload()
        scheme, credentials = authorization[: len(_SCHEME)].lower(), authorization[len(_SCHEME) :].strip()
        # Digests are compared, all of them and in constant time: neither the length nor a first part of a token shows.
        asked = hashlib.sha256(credentials).digest()
        matches = [hmac.compare_digest(asked, token) for token in self._tokens]
        if scheme != _SCHEME or not any(matches):
            raise RequestError(401, "Authorization: send `Bearer` and a token of this server (SLUICE_MODEL_TOKEN_FILE)")

    def _reload(self) -> None:
        self._read_at = self._clock()
        try:
            self._tokens = _read(self._path)
        except ModelServerError as error:  # the last ones stay: a Secret that is just being replaced must not lock out
            _log.error("the token file cannot be read again", error=str(error))


def _read(path: Path) -> tuple[bytes, ...]:
    try:
        lines = path.read_bytes().split()
    except OSError as error:
        raise ModelServerError(f"SLUICE_MODEL_TOKEN_FILE: {path}: {error.strerror}") from error
    if not lines:
        raise ModelServerError(f"SLUICE_MODEL_TOKEN_FILE: {path}: holds no token; write one a line")
    return tuple(hashlib.sha256(line).digest() for line in lines)
