"""Which addresses may a model come from, and where do its files lie?"""

import re
from collections.abc import Callable, Collection
from typing import Final
from urllib.parse import SplitResult, quote, urlsplit, urlunsplit

from sluice_model_server.errors import FetchError
from sluice_model_server.manifest import MANIFEST_FILE

_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_CLAIM: Final = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")


def check_address(uri: str, plain_http_hosts: Collection[str]) -> str:
    """Returns the scheme of an address that may be asked and names a manifest.json; raises FetchError for others.

    plain_http_hosts: `host` (any port) or `host:port`. Plain http is safe to verify (the digest pins every byte) but
    tells everyone on the way what is fetched, so each host is allowed by name.
    """
    try:
        parts = urlsplit(uri)
        _ = parts.port
    except ValueError as error:
        raise FetchError(f"{uri}: no valid address: {error}") from None
    check = _CHECKS.get(parts.scheme)
    if check is None:
        raise FetchError(
            f"{uri}: scheme {parts.scheme!r} is not supported; use {', '.join(_CHECKS)} (http to allowed hosts only)"
        )
    if parts.username or parts.password or parts.fragment or any(c.isspace() for c in uri):
        raise FetchError(f"{uri}: must be scheme://host/path without user, password, fragment or spaces")
    if not parts.path.endswith(f"/{MANIFEST_FILE}"):
        raise FetchError(f"{uri}: must end in /{MANIFEST_FILE}")
    check(uri, parts, plain_http_hosts)
    return parts.scheme


def _check_host(uri: str, parts: SplitResult, _: Collection[str]) -> None:
    if not parts.hostname:
        raise FetchError(f"{uri}: must be scheme://host/path without user, password, fragment or spaces")


def _check_plain_http(uri: str, parts: SplitResult, allowed: Collection[str]) -> None:
    _check_host(uri, parts, allowed)
    host = parts.hostname
    if host not in allowed and f"{host}:{parts.port or 80}" not in allowed:
        raise FetchError(
            f"{uri}: plain http to {host} is not allowed; use https or allow the host (--allow-host {host})"
        )


def _check_bucket(uri: str, parts: SplitResult, _: Collection[str]) -> None:
    if parts.query or not _BUCKET.fullmatch(parts.netloc):
        raise FetchError(f"{uri}: must be s3://bucket/key; the endpoint of the store is AWS_ENDPOINT_URL")


def _check_claim(uri: str, parts: SplitResult, _: Collection[str]) -> None:
    if parts.query or not _CLAIM.fullmatch(parts.netloc) or ".." in parts.path.split("/"):
        raise FetchError(f"{uri}: must be pvc://claim/path, with the name of a PersistentVolumeClaim and no ..")


def _check_file(uri: str, parts: SplitResult, _: Collection[str]) -> None:
    if parts.query or parts.netloc:
        raise FetchError(f"{uri}: must be file:///path")


_CHECKS: Final[dict[str, Callable[[str, SplitResult, Collection[str]], None]]] = {
    "https": _check_host,
    "http": _check_plain_http,
    "s3": _check_bucket,
    "pvc": _check_claim,
    "file": _check_file,
}


def file_address(manifest_uri: str, path: str) -> str:
    """Where a file listed in the manifest lies: `path` relative to the manifest's folder, query and all else kept off.

    >>> file_address("https://models.example/delay/42/manifest.json", "model.skops")
    'https://models.example/delay/42/model.skops'
    """
    parts = urlsplit(manifest_uri)
    folder = parts.path.removesuffix(MANIFEST_FILE)
    return urlunsplit((parts.scheme, parts.netloc, folder + quote(path), "", ""))
