"""Which addresses may a model come from, and where do its files lie?"""

from collections.abc import Collection
from urllib.parse import quote, urlsplit, urlunsplit

from sluice_model_server.errors import FetchError
from sluice_model_server.manifest import MANIFEST_FILE


def check_address(uri: str, plain_http_hosts: Collection[str]) -> None:
    """Raises FetchError unless `uri` is https, or http to a host on the list, and names a manifest.json.

    plain_http_hosts: `host` (any port) or `host:port`. Plain http is safe to verify (the digest pins every byte) but
    tells everyone on the way what is fetched, so each host is allowed by name.
    """
    try:
        parts = urlsplit(uri)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise FetchError(f"{uri}: no valid address: {error}") from None
    if not host or parts.username or parts.password or parts.fragment or any(c.isspace() for c in uri):
        raise FetchError(f"{uri}: must be scheme://host/path without user, password, fragment or spaces")
    if not parts.path.endswith(f"/{MANIFEST_FILE}"):
        raise FetchError(f"{uri}: must end in /{MANIFEST_FILE}")
    if parts.scheme == "https":
        return
    if parts.scheme != "http":
        raise FetchError(f"{uri}: scheme {parts.scheme!r} is not supported; use https, or http to an allowed host")
    if host not in plain_http_hosts and f"{host}:{port or 80}" not in plain_http_hosts:
        raise FetchError(
            f"{uri}: plain http to {host} is not allowed; use https or allow the host (--allow-host {host})"
        )


def file_address(manifest_uri: str, path: str) -> str:
    """Where a file listed in the manifest lies: `path` relative to the manifest's folder, query and all else kept off.

    >>> file_address("https://models.example/delay/42/manifest.json", "model.skops")
    'https://models.example/delay/42/model.skops'
    """
    parts = urlsplit(manifest_uri)
    folder = parts.path.removesuffix(MANIFEST_FILE)
    return urlunsplit((parts.scheme, parts.netloc, folder + quote(path), "", ""))
