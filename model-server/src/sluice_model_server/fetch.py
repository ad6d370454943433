"""How does a model get from an address into a directory, every byte verified?"""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog
import urllib3
from urllib3.exceptions import HTTPError

from sluice_model_server.addresses import check_address, file_address
from sluice_model_server.errors import DigestMismatch, FetchError
from sluice_model_server.manifest import (
    MANIFEST_FILE,
    MAX_MANIFEST_BYTES,
    Manifest,
    ModelFile,
    check_digest,
    digest_of,
    parse_manifest,
)

CHUNK_BYTES: Final = 1 << 20
_RETRIED_STATUSES: Final = (408, 429, 500, 502, 503, 504)
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """max_bytes: of all files together. attempts: per file; the pauses between them double from 0.5 s to at most 8 s.

    connect_seconds, read_seconds: the longest silence while connecting and between two pieces of an answer.
    """

    max_bytes: int = 2 << 30
    attempts: int = 5
    connect_seconds: float = 5.0
    read_seconds: float = 30.0


def fetch(
    uri: str, digest: str, into: Path, *, plain_http_hosts: Collection[str] = (), limits: FetchLimits | None = None
) -> Manifest:
    """Fetches manifest.json and the files it lists into `into`, and verifies all of them.

    digest: what the manifest's sha256 must be. The manifest is written last: where it lies, the model is complete.
    A file that is there already with the right bytes is kept, so a restarted init container does not fetch twice.
    Raises FetchError, DigestMismatch, ManifestError or UnsupportedFormat.
    """
    limits = limits or FetchLimits()
    check_digest(digest)
    check_address(uri, plain_http_hosts)
    pool = _pool(limits)
    content = _read(pool, uri, MAX_MANIFEST_BYTES)
    if digest_of(content) != digest:
        raise DigestMismatch(uri, digest, digest_of(content))
    manifest = parse_manifest(content, uri)
    total = sum(file.size for file in manifest.files)
    if total > limits.max_bytes:
        raise FetchError(f"{uri}: its files have {total} bytes, more than the limit of {limits.max_bytes}")
    try:
        into.mkdir(parents=True, exist_ok=True)
        for file in manifest.files:
            _fetch_file(pool, file_address(uri, file.path), file, into / file.path, limits)
        _write(into / MANIFEST_FILE, content)
    except OSError as error:
        raise FetchError(f"{uri}: cannot write to {error.filename or into}: {error.strerror}") from error
    _log.info("fetched", uri=uri, digest=digest, files=len(manifest.files), bytes=total)
    return manifest


def _pool(limits: FetchLimits) -> urllib3.PoolManager:
    # Redirects are refused: they would lead past the list of allowed hosts.
    retry = urllib3.Retry(
        total=limits.attempts - 1,
        redirect=False,
        status_forcelist=_RETRIED_STATUSES,
        allowed_methods={"GET"},
        backoff_factor=0.5,
        backoff_max=8,
        raise_on_status=False,
        raise_on_redirect=False,
    )
    timeout = urllib3.Timeout(connect=limits.connect_seconds, read=limits.read_seconds)
    return urllib3.PoolManager(retries=retry, timeout=timeout, headers={"Accept-Encoding": "identity"})


def _open(pool: urllib3.PoolManager, uri: str) -> urllib3.BaseHTTPResponse:
    try:
        response = pool.request("GET", uri, preload_content=False, redirect=False)
    except HTTPError as error:
        reason = getattr(error, "reason", None) or error
        raise FetchError(f"{uri}: cannot be reached: {reason}") from error
    if response.status != 200:
        hint = ""
        if 300 <= response.status < 400:
            hint = f" to {response.headers.get('location', '?')}; redirects are not followed, name the final address"
        response.release_conn()
        raise FetchError(f"{uri}: answered {response.status}{hint}")
    return response


def _read(pool: urllib3.PoolManager, uri: str, max_bytes: int) -> bytes:
    response = _open(pool, uri)
    try:
        content = response.read(max_bytes + 1)
    except HTTPError as error:
        raise FetchError(f"{uri}: broke off: {error}") from error
    finally:
        response.close()
    if len(content) > max_bytes:
        raise FetchError(f"{uri}: larger than {max_bytes} bytes")
    return content


def _fetch_file(pool: urllib3.PoolManager, uri: str, file: ModelFile, path: Path, limits: FetchLimits) -> None:
    if path.exists():
        with path.open("rb") as stream:
            if hashlib.file_digest(stream, "sha256").hexdigest() == file.sha256:
                return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    for attempt in range(1, limits.attempts + 1):
        try:
            actual = _stream(pool, uri, part, file.size)
        except HTTPError as error:  # the connection broke in the middle: urllib3 retries only until the answer's head
            if attempt == limits.attempts:
                raise FetchError(f"{uri}: broke off {attempt} times: {error}") from error
            _log.warning("broke off, trying again", uri=uri, attempt=attempt)
            continue
        if actual != file.sha256:
            part.unlink()
            raise DigestMismatch(uri, f"sha256:{file.sha256}", f"sha256:{actual}")
        part.replace(path)
        return


def _stream(pool: urllib3.PoolManager, uri: str, part: Path, size: int) -> str:
    response = _open(pool, uri)
    digest = hashlib.sha256()
    received = 0
    try:
        with part.open("wb") as stream:
            while chunk := response.read(CHUNK_BYTES):
                received += len(chunk)
                if received > size:
                    break
                digest.update(chunk)
                stream.write(chunk)
    finally:
        response.close()
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
