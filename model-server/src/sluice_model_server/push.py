"""How does a packed model get into a store?"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import urllib3

from sluice_model_server.errors import PushError
from sluice_model_server.load import verify_file
from sluice_model_server.manifest import MANIFEST_FILE, digest_of, read_manifest

_TIMEOUT: Final = urllib3.Timeout(connect=5.0, read=60.0)


@dataclass(frozen=True, slots=True)
class Pushed:
    """uri: of the manifest in the store. digest: of the model."""

    uri: str
    digest: str


class Store(Protocol):
    """A place for files. Paths are relative to it, with `/`. Both raise OSError or PushError."""

    def read(self, path: str) -> bytes | None:
        """The content of a file, None if there is none."""

    def write(self, path: str, content: bytes) -> None:
        """Writes a file."""


def push(folder: Path, target: str) -> Pushed:
    """Copies a packed model, the manifest last: where it lies the model is complete.

    target: a folder, an address of fsspec (`s3://bucket/prefix`), or http(s) of a server that takes PUT. A target that
    holds the same model already stays as it is; one with another model is refused, as a version never changes.
    Raises PushError, and ManifestError or DigestMismatch for a folder that is not what its manifest says.
    """
    manifest, digest = read_manifest(folder)
    for file in manifest.files:
        verify_file(folder / file.path, file)
    base = target.rstrip("/")
    store = _STORES.get(base.partition("://")[0] if "://" in base else "", _Filesystem)(base)
    uri = f"{base}/{MANIFEST_FILE}"
    try:
        there = store.read(MANIFEST_FILE)
        if there is None:
            for path in (*(file.path for file in manifest.files), MANIFEST_FILE):
                store.write(path, (folder / path).read_bytes())
        elif digest_of(there) != digest:
            raise PushError(f"{uri}: another model lies there ({digest_of(there)}); push to a folder of its own")
    except OSError as error:
        raise PushError(f"{base}: {error}") from error
    return Pushed(uri, digest)


class _Filesystem:
    """What fsspec knows: folders of this machine, and, with its package installed, s3, gs, abfs and others."""

    def __init__(self, base: str) -> None:
        try:
            import fsspec  # noqa: PLC0415

            self._files, self._base = fsspec.core.url_to_fs(base)
        except ImportError as error:  # of fsspec, or of the package for this scheme
            raise PushError(
                f"{base}: {error}; pip install 'sluice-model-server[pack]' and the package named"
            ) from error
        except ValueError as error:
            raise PushError(f"{base}: {error}") from error

    def read(self, path: str) -> bytes | None:
        place = f"{self._base}/{path}"
        return bytes(self._files.cat_file(place)) if self._files.exists(place) else None

    def write(self, path: str, content: bytes) -> None:
        place = f"{self._base}/{path}"
        self._files.makedirs(place.rpartition("/")[0], exist_ok=True)
        self._files.pipe_file(place, content)


class _Http:
    """A server that takes PUT, such as nginx with WebDAV or an artifact repository."""

    def __init__(self, base: str) -> None:
        self._base = base
        self._pool = urllib3.PoolManager(timeout=_TIMEOUT, retries=urllib3.Retry(3, redirect=False, backoff_factor=0.5))

    def read(self, path: str) -> bytes | None:
        status, content = self._ask("GET", path, None)
        if status == 404:
            return None
        if status != 200:
            raise PushError(f"{self._base}/{path}: GET answered {status}")
        return content

    def write(self, path: str, content: bytes) -> None:
        status, _ = self._ask("PUT", path, content)
        if status not in {200, 201, 204}:
            raise PushError(f"{self._base}/{path}: PUT answered {status}; does the store allow uploads?")

    def _ask(self, method: str, path: str, content: bytes | None) -> tuple[int, bytes]:
        try:
            response = self._pool.request(method, f"{self._base}/{path}", body=content, redirect=False)
        except urllib3.exceptions.HTTPError as error:
            raise PushError(f"{self._base}/{path}: cannot be reached: {error}") from error
        return response.status, response.data


_STORES: Final[dict[str, Callable[[str], Store]]] = {"http": _Http, "https": _Http}
"""By scheme; all others are fsspec's."""
