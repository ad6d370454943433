"""Models that lie in a directory: a mounted PersistentVolumeClaim, or any file."""

from collections.abc import Generator
from pathlib import Path
from urllib.parse import urlsplit

from sluice_model_server.errors import FetchError
from sluice_model_server.sources import CHUNK_BYTES, Access


class FileSource:
    """pvc://claim/path is `path` below the claim's mount, file:///path itself."""

    def __init__(self, access: Access) -> None:
        self._pvc_dir = access.pvc_dir

    def chunks(self, uri: str) -> Generator[bytes, None, None]:
        """See Source."""
        path = self._path(uri)
        try:
            with path.open("rb") as stream:
                while chunk := stream.read(CHUNK_BYTES):
                    yield chunk
        except OSError as error:
            raise FetchError(f"{uri}: {error.strerror} ({path})") from error

    def _path(self, uri: str) -> Path:
        parts = urlsplit(uri)
        if parts.scheme == "file":
            return Path(parts.path)
        claim = self._pvc_dir / parts.netloc
        if not claim.is_dir():
            raise FetchError(f"{uri}: the claim {parts.netloc} is not mounted at {claim}")
        return claim / parts.path.lstrip("/")
