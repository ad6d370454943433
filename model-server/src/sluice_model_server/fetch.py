"""How does a model get from an address into a directory, every byte verified?"""

import hashlib
from collections.abc import Collection
from contextlib import closing
from pathlib import Path

import structlog

from sluice_model_server.addresses import check_address, file_address
from sluice_model_server.credentials import Credentials
from sluice_model_server.errors import DigestMismatch, FetchError, Interrupted
from sluice_model_server.manifest import (
    MANIFEST_FILE,
    MAX_MANIFEST_BYTES,
    Manifest,
    ModelFile,
    check_digest,
    digest_of,
    parse_manifest,
)
from sluice_model_server.sources import PVC_DIR, SOURCES, Access, FetchLimits, Source

__all__ = ["FetchLimits", "fetch"]

_log = structlog.get_logger()


def fetch(
    uri: str,
    digest: str,
    into: Path,
    *,
    plain_http_hosts: Collection[str] = (),
    credentials: Credentials | None = None,
    pvc_dir: Path = PVC_DIR,
    limits: FetchLimits | None = None,
) -> Manifest:
    """Fetches manifest.json and the files it lists into `into`, and verifies all of them.

    digest: what the manifest's sha256 must be. The manifest is written last: where it lies, the model is complete.
    A file that is there already with the right bytes is kept, so a restarted init container does not fetch twice.
    Raises FetchError, DigestMismatch, ManifestError or UnsupportedFormat.
    """
    limits = limits or FetchLimits()
    check_digest(digest)
    scheme = check_address(uri, plain_http_hosts)
    source = SOURCES[scheme](Access(limits, credentials or Credentials(), pvc_dir))
    content = _read(source, uri, MAX_MANIFEST_BYTES)
    if digest_of(content) != digest:
        raise DigestMismatch(uri, digest, digest_of(content))
    manifest = parse_manifest(content, uri)
    total = sum(file.size for file in manifest.files)
    if total > limits.max_bytes:
        raise FetchError(f"{uri}: its files have {total} bytes, more than the limit of {limits.max_bytes}")
    try:
        into.mkdir(parents=True, exist_ok=True)
        for file in manifest.files:
            _fetch_file(source, file_address(uri, file.path), file, into / file.path, limits)
        _write(into / MANIFEST_FILE, content)
    except OSError as error:
        raise FetchError(f"{uri}: cannot write to {error.filename or into}: {error.strerror}") from error
    _log.info("fetched", uri=uri, digest=digest, files=len(manifest.files), bytes=total)
    return manifest


def _read(source: Source, uri: str, max_bytes: int) -> bytes:
    content = bytearray()
    try:
        with closing(source.chunks(uri)) as chunks:
            for chunk in chunks:
                content += chunk
                if len(content) > max_bytes:
                    raise FetchError(f"{uri}: larger than {max_bytes} bytes")
    except Interrupted as error:
        raise FetchError(f"{uri}: broke off: {error}") from error
    return bytes(content)


def _fetch_file(source: Source, uri: str, file: ModelFile, path: Path, limits: FetchLimits) -> None:
    if path.exists():
        with path.open("rb") as stream:
            if hashlib.file_digest(stream, "sha256").hexdigest() == file.sha256:
                return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    for attempt in range(1, limits.attempts + 1):
        try:
            actual = _stream(source, uri, part, file.size)
        except Interrupted as error:
            if attempt == limits.attempts:
                raise FetchError(f"{uri}: broke off {attempt} times: {error}") from error
            _log.warning("broke off, trying again", uri=uri, attempt=attempt)
            continue
        if actual != file.sha256:
            part.unlink()
            raise DigestMismatch(uri, f"sha256:{file.sha256}", f"sha256:{actual}")
        part.replace(path)
        return


def _stream(source: Source, uri: str, part: Path, size: int) -> str:
    digest = hashlib.sha256()
    received = 0
    with closing(source.chunks(uri)) as chunks, part.open("wb") as stream:
        for chunk in chunks:
            received += len(chunk)
            if received > size:
                break
            digest.update(chunk)
            stream.write(chunk)
    if received != size:
        raise FetchError(
            f"{uri}: has {'more than' if received > size else 'only'} {min(received, size)} bytes, "
            f"the manifest says {size}"
        )
    return digest.hexdigest()


def _write(path: Path, content: bytes) -> None:
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    part.replace(path)
