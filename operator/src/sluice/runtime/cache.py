"""What the cluster looked like when it last told us: objects by kind, namespace and name, and by owner.

Filled by three writers that do not wait for each other: watch events, periodic listings and the results of the
operator's own writes. An object is replaced only by a newer one, so they may arrive in any order. "Newer" compares
resourceVersions as integers, which Kubernetes guarantees within one resource (KEP-5504; and etcd always did).
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from sluice.api import names
from sluice.ports import Kept, Object
from sluice.runtime.trim import trimmed

TOMBSTONES: Final = 10_000
"""Deleted objects remembered. A watch event that is later than 10,000 deletions cannot occur: its watch is closed."""

Name = tuple[str, str]
"""(namespace, name); the namespace is "" for objects that have none."""


class Cache:
    """Trimmed objects. What it returns is shared and must not be changed.

    kinds: those whose first listing must be complete before anything is decided.
    """

    def __init__(self, kinds: Iterable[str]) -> None:
        self._objects: dict[str, dict[Name, Kept]] = {kind: {} for kind in kinds}
        self._owned: dict[tuple[str, str, str], dict[str, Kept]] = {}
        self._tombstones: OrderedDict[tuple[str, Name], int] = OrderedDict()
        self._unlisted = set(self._objects)

    def put(self, kind: str, obj: Object) -> bool:
        """Remember this object unless what is known is as new or newer.

        True when something that decisions read has changed: a write that only touched the rest is remembered (its
        resourceVersion guards the next write) but is no news.
        """
        metadata = obj["metadata"]
        key = (metadata.get("namespace", ""), metadata["name"])
        if _version(obj) <= max(self._known(kind, key), self._tombstones.get((kind, key), -1)):
            return False
        kept = trimmed(kind, obj)
        before = self._forget(kind, key)
        if before is not None and isinstance(kept.get("spec"), Kept) and kept["spec"] == before.get("spec"):
            kept["spec"] = before["spec"]  # most writes are of the status: what was read from the spec stays read
        self._objects.setdefault(kind, {})[key] = kept
        if owner := _owner(kept):
            self._owned.setdefault((kind, key[0], owner), {})[key[1]] = kept
        self._tombstones.pop((kind, key), None)
        return before is None or _content(before) != _content(kept)

    def drop(self, kind: str, namespace: str, name: str, version: int | None = None) -> Object | None:
        """Forget an object that is gone; returns what was known of it.

        version: the resourceVersion at which it was seen to be gone (of the DELETED event, of a listing without it); an
        object written after that stays. None: the version known now, as after a deletion of our own.
        """
        key = (namespace, name)
        known = self._known(kind, key)
        if version is not None and known > version:
            return None
        gone_at = known if version is None else version
        if gone_at >= 0:
            self._tombstones[kind, key] = gone_at
            self._tombstones.move_to_end((kind, key))
            if len(self._tombstones) > TOMBSTONES:
                self._tombstones.popitem(last=False)
        return self._forget(kind, key)

    def keep_only(self, kind: str, listed: set[Name], version: int) -> list[Object]:
        """End of a complete listing of `kind` as it was at `version`: forget what was not in it; returns what went.

        Objects first seen after that moment stay. The kind counts as listed from here on.
        """
        missing = [key for key in self._objects.get(kind, {}) if key not in listed]
        gone = [self.drop(kind, namespace, name, version) for namespace, name in missing]
        self._unlisted.discard(kind)
        return [obj for obj in gone if obj is not None]

    def get(self, kind: str, namespace: str, name: str) -> Object | None:
        """The object, or None."""
        return self._objects.get(kind, {}).get((namespace, name))

    def owned(self, kind: str, namespace: str, owner: str) -> list[Object]:
        """Objects labelled as the children of the ModelDeployment `owner`, by name."""
        children = self._owned.get((kind, namespace, owner), {})
        return [children[name] for name in sorted(children)]

    def all(self, kind: str) -> Iterator[Object]:
        """Every object of a kind."""
        return iter(list(self._objects.get(kind, {}).values()))

    def synced(self) -> bool:
        """True once every kind was listed completely: until then nothing may be concluded from an absence."""
        return not self._unlisted

    def unlisted(self) -> frozenset[str]:
        """Kinds whose first listing is not complete."""
        return frozenset(self._unlisted)

    def sizes(self) -> Mapping[str, int]:
        """Objects held per kind."""
        return {kind: len(objects) for kind, objects in self._objects.items()}

    def _known(self, kind: str, key: Name) -> int:
        held = self._objects.get(kind, {}).get(key)
        return -1 if held is None else _version(held)

    def _forget(self, kind: str, key: Name) -> Object | None:
        held = self._objects.get(kind, {}).pop(key, None)
        if held is not None and (owner := _owner(held)):
            children = self._owned[kind, key[0], owner]
            del children[key[1]]
            if not children:
                del self._owned[kind, key[0], owner]
        return held


def _version(obj: Object) -> int:
    return int(obj["metadata"]["resourceVersion"])


def _content(obj: Object) -> dict[str, Any]:
    return {**obj, "metadata": {k: v for k, v in obj["metadata"].items() if k != "resourceVersion"}}


def _owner(obj: Object) -> str | None:
    owner = (obj["metadata"].get("labels") or {}).get(names.LABEL_NAME)
    return None if owner is None else str(owner)
