"""What does the Secret of spec.model.secretRef say? It is mounted as a directory, a file per key."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sluice_model_server.errors import FetchError

KEYS: Final = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_ENDPOINT_URL",
    "token",
    "username",
    "password",
    "ca.crt",
)
"""Keys that are read; a Secret may have others."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """values: of KEYS, those that the Secret has. mounted: there is a Secret at all."""

    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    mounted: bool = False

    @property
    def for_http(self) -> dict[str, str]:
        """The Authorization header: Bearer with `token`, Basic with `username` and `password`; else none."""
        if "token" in self.values:
            return {"Authorization": f"Bearer {self.values['token']}"}
        if "username" in self.values:
            pair = f"{self.values['username']}:{self.values['password']}"
            return {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}
        return {}

    @property
    def hint(self) -> str:
        """What to do when access is denied."""
        if self.mounted:
            return "the Secret of spec.model.secretRef does not give access to it"
        return "name a Secret with credentials in spec.model.secretRef"


def read_credentials(directory: Path) -> Credentials:
    """The credentials in a mounted Secret. Raises FetchError when there are none, or only half of a pair."""
    try:
        values = {key: (directory / key).read_text().strip() for key in KEYS if (directory / key).is_file()}
    except (OSError, UnicodeDecodeError) as error:
        raise FetchError(f"credentials: {directory} cannot be read: {error}") from error
    if not values:
        raise FetchError(
            f"credentials: the Secret of spec.model.secretRef does not exist or has none of the keys {', '.join(KEYS)}"
        )
    if ("username" in values) != ("password" in values):
        raise FetchError("credentials: username and password go together; one is missing")
    return Credentials(values, mounted=True)
