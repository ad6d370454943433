"""Models in S3 and in stores that speak like it (MinIO, Ceph, R2): the extra `s3`.

By obstore, the object_store crate of Apache Arrow: requests are signed, tried again and limited in time there.
"""

import os
from collections.abc import Generator
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlsplit

from sluice_model_server.errors import FetchError, Interrupted
from sluice_model_server.sources import CHUNK_BYTES, Access

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig, S3Config

_FROM_SECRET: Final = {
    "AWS_ACCESS_KEY_ID": "access_key_id",
    "AWS_SECRET_ACCESS_KEY": "secret_access_key",
    "AWS_SESSION_TOKEN": "session_token",
    "AWS_REGION": "region",
    "AWS_ENDPOINT_URL": "endpoint",
}
_IDENTITIES: Final = (
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
"""Any of these in the environment: the pod has an identity of its own. Without one the bucket is asked as a stranger
is; the node's own identity is never used, as it is not this pod's."""
_ALL_ATTEMPTS_SECONDS: Final = 120


class S3Source:
    """Files of buckets."""

    def __init__(self, access: Access) -> None:
        try:
            from obstore.store import S3Store  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise FetchError("s3://: needs the extra s3: pip install 'sluice-model-server[s3]'") from error
        self._open = S3Store
        self._access = access
        given = access.credentials.values
        config: dict[str, Any] = {name: given[key] for key, name in _FROM_SECRET.items() if key in given}
        if ("access_key_id" in config) != ("secret_access_key" in config):
            raise FetchError("credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY go together; one is missing")
        if "access_key_id" not in config and not any(name in os.environ for name in _IDENTITIES):
            config["skip_signature"] = True
        config.setdefault("region", os.environ.get("AWS_REGION", "us-east-1"))
        endpoint = config.get("endpoint", os.environ.get("AWS_ENDPOINT_URL", ""))
        limits = access.limits
        self._config = cast("S3Config", config)
        self._client: ClientConfig = {
            # Requests are signed and every byte is verified; whether others may read along, the Secret's author says.
            "allow_http": str(endpoint).startswith("http://"),
            "connect_timeout": timedelta(seconds=limits.connect_seconds),
            "read_timeout": timedelta(seconds=limits.read_seconds),
        }
        self._retry: RetryConfig = {
            "max_retries": limits.attempts - 1,
            "retry_timeout": timedelta(seconds=_ALL_ATTEMPTS_SECONDS),
            "backoff": {"init_backoff": timedelta(seconds=0.5), "max_backoff": timedelta(seconds=8), "base": 2},
        }

    def chunks(self, uri: str) -> Generator[bytes, None, None]:
        """See Source."""
        from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError  # noqa: PLC0415

        parts = urlsplit(uri)
        try:
            store = self._open(parts.netloc, config=self._config, client_options=self._client, retry_config=self._retry)
            pieces = store.get(parts.path.lstrip("/")).stream(min_chunk_size=CHUNK_BYTES)
        except FileNotFoundError as error:
            raise FetchError(f"{uri}: no such bucket or object") from error
        except (PermissionDeniedError, UnauthenticatedError) as error:
            raise FetchError(f"{uri}: access denied; {self._access.credentials.hint}") from error
        except BaseError as error:
            raise FetchError(f"{uri}: cannot be read: {_first_line(error)}") from error
        try:
            for piece in pieces:
                yield bytes(piece)
        except BaseError as error:
            raise Interrupted(_first_line(error)) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:300]
