"""Where models come from: one Source per scheme, all read the same way."""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from sluice_model_server.credentials import Credentials

CHUNK_BYTES: Final = 1 << 20
PVC_DIR: Final = Path("/mnt/pvc")
"""Where the pod mounts PersistentVolumeClaims, each by its name."""


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """max_bytes: of all files together. attempts: per file; the pauses between them double from 0.5 s to at most 8 s.

    connect_seconds, read_seconds: the longest silence while connecting and between two pieces of an answer.
    """

    max_bytes: int = 2 << 30
    attempts: int = 5
    connect_seconds: float = 5.0
    read_seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class Access:
    """How a source may be asked. pvc_dir: the directory of mounted claims."""

    limits: FetchLimits = field(default_factory=FetchLimits)
    credentials: Credentials = field(default_factory=Credentials)
    pvc_dir: Path = PVC_DIR


class Source(Protocol):
    """A place with files."""

    def chunks(self, uri: str) -> Generator[bytes, None, None]:
        """The bytes of one file, in pieces.

        Raises FetchError when it cannot be had, Interrupted when it broke off and another attempt may succeed.
        """


def _http(access: Access) -> Source:
    from sluice_model_server.sources.http import HttpSource  # noqa: PLC0415 - each brings a library of its own

    return HttpSource(access)


def _s3(access: Access) -> Source:
    from sluice_model_server.sources.s3 import S3Source  # noqa: PLC0415

    return S3Source(access)


def _files(access: Access) -> Source:
    from sluice_model_server.sources.files import FileSource  # noqa: PLC0415

    return FileSource(access)


SOURCES: Final[dict[str, Callable[[Access], Source]]] = {
    "https": _http,
    "http": _http,
    "s3": _s3,
    "pvc": _files,
    "file": _files,
}
