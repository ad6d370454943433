"""What a decision asks for: frozen actions in order, the status to write, and when to look again."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from sluice.api.names import Reason
from sluice.api.status import Status


@dataclass(frozen=True, slots=True)
class Apply:
    """Bring one object of ours to this manifest. Idempotent.

    resource_version: the version the decision was made on; the write fails if the object has moved since.
    fresh: the decision raises traffic: the object and its owner are read live before the write.
    """

    manifest: Mapping[str, Any]
    resource_version: str | None = None
    fresh: bool = False

    @property
    def kind(self) -> str:
        """Kubernetes kind."""
        return str(self.manifest["kind"])

    @property
    def name(self) -> str:
        """metadata.name."""
        return str(self.manifest["metadata"]["name"])


@dataclass(frozen=True, slots=True)
class Mark:
    """Write (or with None: remove) the rejection on a ControllerRevision."""

    name: str
    rejected: str | None


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove exactly this object."""

    kind: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Announce:
    """Tell people by an Event."""

    type: Literal["Normal", "Warning"]
    reason: Reason
    message: str


Action = Apply | Mark | Delete | Announce


DELETING: Final = "delete"
MARKING: Final = "mark"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that the API server will not take. digest: of the manifest, or DELETING, or MARKING."""

    digest: str
    reason: str
    message: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Plan:
    """actions are done in order, up to the first that fails; the status is written when all of them are done."""

    actions: tuple[Action, ...] = ()
    status: Status | None = None
    requeue_after: timedelta | None = None
    urgent: bool = False
    """Traffic is being taken back: nothing may come before it."""
