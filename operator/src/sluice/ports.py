"""What the operator needs from the world, as protocols. Adapters implement them; the simulation does too."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeVar, cast

from sluice.core.metrics import Series

Object = Mapping[str, Any]
"""A Kubernetes object as plain JSON."""
Beside = Sequence[Sequence[Object]]
"""Objects that something is read from beside the one that it is about, in groups."""
Read = TypeVar("Read")


class Kept(dict[str, Any]):
    """An object that is never changed, only replaced by a newer one: what is read from it needs reading once."""

    __slots__ = ("_readings",)
    _readings: dict[Any, Any]

    def once(self, read: Callable[[Object], Read]) -> Read:
        """What `read` says of this object; asked the first time, remembered from then on."""
        try:
            readings = self._readings
        except AttributeError:
            readings = self._readings = {}
        if read not in readings:
            readings[read] = read(self)
        return cast(Read, readings[read])

    def once_beside(self, others: Beside, read: Callable[[Object, Beside], Read]) -> Read:
        """What `read` says of this object beside others; remembered until they are others."""
        held = self.once(_nothing_beside)
        # lists whose objects are the same ones are equal without a look into these
        if read not in held or held[read][0] != others:
            held[read] = (others, read(self, others))
        return cast(Read, held[read][1])


def _nothing_beside(_: Object) -> dict[Any, tuple[Beside, Any]]:
    return {}


def reading(obj: Object, read: Callable[[Object], Read]) -> Read:
    """What `read`, a function of the object alone, says of it; at once if it is Kept and was asked before."""
    return obj.once(read) if isinstance(obj, Kept) else read(obj)


def reading_beside(obj: Object, others: Beside, read: Callable[[Object, Beside], Read]) -> Read:
    """What `read`, a function of the object and of others, says; at once if it is Kept and was asked with the same."""
    return obj.once_beside(others, read) if isinstance(obj, Kept) else read(obj, others)


class PortError(Exception):
    """Something outside did not do what was asked. The subclasses say what that means for the caller.

    PortError
    +-- ClusterError
    |   +-- Conflict      somebody wrote in between: gather again, decide again
    |   +-- NotFound      the object is gone
    |   +-- Refused       the request itself is wrong (400, 403, 422): repeating it changes nothing
    |   +-- Unavailable   timeout, 429, 5xx, connection lost: repeat later; it may or may not have happened
    +-- MetricError
        +-- ProviderError the store did not answer, or only in part
        +-- QueryError    the store refuses this question
    """


class ClusterError(PortError):
    """The API server did not carry out a request."""


class Conflict(ClusterError):
    """The resourceVersion is no longer the newest, or the object exists already."""


class NotFound(ClusterError):
    """The object does not exist."""


class Refused(ClusterError):
    """The API server will never accept this request. `reason` is the API's own word (Invalid, Forbidden, ...)."""

    def __init__(self, message: str, reason: str = "Invalid") -> None:
        super().__init__(message)
        self.reason = reason


class Unavailable(ClusterError):
    """No answer, or one that says: later. The request may have happened."""


class MetricError(PortError):
    """The metrics store did not answer a question."""


class ProviderError(MetricError):
    """No answer, a 5xx, a timeout, or a partial response: nothing can be concluded."""


class QueryError(MetricError):
    """The store understood the request and refuses the query; its words are the message."""


class Cluster(Protocol):
    """The Kubernetes API, as little of it as the operator needs. `kind` is a key of the adapter's table of kinds.

    Every write returns the object as the API server then has it.
    """

    async def get(self, kind: str, namespace: str, name: str) -> Object:
        """The live object. Raises NotFound, Unavailable."""
        ...

    async def apply(self, kind: str, manifest: Object) -> Object:
        """Server-side apply as the operator's field manager, with force.

        A metadata.resourceVersion in the manifest is a precondition (Conflict). Raises Conflict, Refused, Unavailable.
        """
        ...

    async def create(self, kind: str, manifest: Object) -> Object:
        """Create; Conflict if it exists."""
        ...

    async def patch(self, kind: str, namespace: str, name: str, patch: Object) -> Object:
        """JSON merge patch. A metadata.resourceVersion in it is a precondition. Raises NotFound, Conflict, Refused."""
        ...

    async def replace_status(self, kind: str, manifest: Object) -> Object:
        """PUT of the status subresource, guarded by the manifest's metadata.resourceVersion."""
        ...

    async def delete(self, kind: str, namespace: str, name: str, uid: str) -> None:
        """Background deletion of exactly this object (uid precondition); an object already gone is success."""
        ...


class Store(Protocol):
    """The objects that the watches have told of. What it returns is shared and must not be changed."""

    def get(self, kind: str, namespace: str, name: str) -> Object | None:
        """The object, or None."""
        ...

    def owned(self, kind: str, namespace: str, owner: str) -> Sequence[Object]:
        """Objects labelled as children of the ModelDeployment `owner`, by name."""
        ...

    def all(self, kind: str) -> Iterator[Object]:
        """Every object of a kind."""
        ...

    def put(self, kind: str, obj: Object) -> bool:
        """Remember the result of a write of our own; False when something newer is known."""
        ...

    def drop(self, kind: str, namespace: str, name: str) -> Object | None:
        """Forget an object that we deleted."""
        ...


class MetricSource(Protocol):
    """A Prometheus-compatible store."""

    async def query(self, promql: str, at: datetime | None = None) -> tuple[Series, ...]:
        """Instant query: a range selector (`m[30s]`) yields raw samples, a vector one point per series.

        at: evaluation time; None: now, by the store's clock. A scalar comes back as one series without labels.
        Raises ProviderError, QueryError.
        """
        ...


class Clock(Protocol):
    """Time, so that tests need not wait for it."""

    def now(self) -> datetime:
        """Wall clock, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never jump; they go on while the process is stopped."""
        ...
