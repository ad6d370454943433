"""Models over https, and over http from hosts that are allowed by name.

By urllib3: bounded retries, a time limit for each silence, and no redirects, which would lead past the allowed hosts.
"""

import ssl
from collections.abc import Generator
from typing import Final

import urllib3
from urllib3.exceptions import HTTPError

from sluice_model_server.credentials import Credentials
from sluice_model_server.errors import FetchError, Interrupted
from sluice_model_server.sources import CHUNK_BYTES, Access

_RETRIED_STATUSES: Final = (408, 429, 500, 502, 503, 504)
_REFUSED_STATUSES: Final = (401, 403)


class HttpSource:
    """Files of web servers."""

    def __init__(self, access: Access) -> None:
        self._credentials = access.credentials
        self._pool = _pool(access)

    def chunks(self, uri: str) -> Generator[bytes, None, None]:
        """See Source."""
        response = self._open(uri)
        try:
            while chunk := response.read(CHUNK_BYTES):
                yield chunk
        except HTTPError as error:  # in the middle: urllib3 retries only until the answer's head
            raise Interrupted(str(error)) from error
        finally:
            response.close()

    def _open(self, uri: str) -> urllib3.BaseHTTPResponse:
        if self._credentials.for_http and uri.startswith("http://"):
            raise FetchError(f"{uri}: credentials would cross the network readable; use https, or no secretRef")
        try:
            response = self._pool.request("GET", uri, preload_content=False, redirect=False)
        except HTTPError as error:
            reason = getattr(error, "reason", None) or error
            raise FetchError(f"{uri}: cannot be reached: {reason}") from error
        if response.status != 200:
            hint = ""
            if 300 <= response.status < 400:
                target = response.headers.get("location", "?")
                hint = f" to {target}; redirects are not followed, name the final address"
            elif response.status in _REFUSED_STATUSES:
                hint = f"; {self._credentials.hint}"
            response.release_conn()
            raise FetchError(f"{uri}: answered {response.status}{hint}")
        return response


def _pool(access: Access) -> urllib3.PoolManager:
    limits = access.limits
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
    return urllib3.PoolManager(
        retries=retry,
        timeout=urllib3.Timeout(connect=limits.connect_seconds, read=limits.read_seconds),
        headers={"Accept-Encoding": "identity", **access.credentials.for_http},
        ssl_context=_authorities(access.credentials),
    )


def _authorities(credentials: Credentials) -> ssl.SSLContext | None:
    certificate = credentials.values.get("ca.crt")
    if certificate is None:
        return None
    context = ssl.create_default_context()
    try:
        context.load_verify_locations(cadata=certificate)
    except ssl.SSLError as error:
        raise FetchError(f"credentials: ca.crt is no PEM certificate: {error}") from error
    return context
