"""The one door by which news of the cluster comes in: into the cache, and from there to the queue."""

from collections.abc import Callable
from dataclasses import dataclass

from sluice.ports import Object
from sluice.runtime.cache import Cache
from sluice.runtime.schedule import Key
from sluice.runtime.wakes import concerned, hurries


@dataclass(frozen=True, slots=True)
class Watched:
    """A kind that is watched. group, version, plural: where it lives; labels: what narrows it at the server, or ""."""

    kind: str
    group: str
    version: str
    plural: str
    labels: str
    namespaced: bool = True


class Intake:
    """Takes objects from watches and listings.

    add: the queue's, called with (key, urgent) for every ModelDeployment that a real change concerns.
    """

    def __init__(self, cache: Cache, add: Callable[[Key, bool], None]) -> None:
        self._cache = cache
        self._add = add

    def seen(self, kind: str, obj: Object) -> None:
        """The object exists, or existed a moment ago."""
        before = self._find(kind, obj)
        if not self._cache.put(kind, obj):
            return
        after = self._find(kind, obj)
        self._wake(kind, obj, before, after)

    def gone(self, kind: str, obj: Object) -> None:
        """The object was deleted; its resourceVersion is that of the deletion."""
        metadata = obj["metadata"]
        version = int(metadata["resourceVersion"])
        before = self._cache.drop(kind, metadata.get("namespace", ""), metadata["name"], version)
        if before is not None:
            self._wake(kind, obj, before, None)

    def missing(self, kind: str, before: Object) -> None:
        """A listing did not have it any more: it was dropped from the cache."""
        self._wake(kind, before, before, None)

    def _find(self, kind: str, obj: Object) -> Object | None:
        return self._cache.get(kind, obj["metadata"].get("namespace", ""), obj["metadata"]["name"])

    def _wake(self, kind: str, obj: Object, before: Object | None, after: Object | None) -> None:
        urgent = hurries(kind, before, after)
        for key in concerned(kind, obj, self._cache):
            self._add(key, urgent)
