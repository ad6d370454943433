"""An API server in memory, with the semantics that the operator relies on. The contract suite holds it to the real one.

Objects are never changed in place: a write makes a new one, so what was handed out stays as it was.
"""

import uuid
from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from random import Random
from typing import Any, Final

from simulation.apply_semantics import merge_patch, server_side_apply
from sluice.adapters.kube.kinds import KINDS
from sluice.api.names import FIELD_MANAGER, KIND
from sluice.ports import Conflict, NotFound, Object, Refused

Key = tuple[str, str, str]
"""(kind, namespace, name); the namespace is "" for kinds without one."""
Listener = Callable[[str, str, dict[str, Any]], None]
"""Told (ADDED | MODIFIED | DELETED, kind, object) at the moment of each write."""

STATUS_APART: Final = frozenset({KIND, "Deployment", "Pod", "PodDisruptionBudget", "HTTPRoute", "Gateway"})
"""Kinds whose status is a subresource: other writes leave it alone."""
COUNTED: Final = frozenset({KIND, "Deployment", "HTTPRoute", "PodDisruptionBudget", "Gateway"})
"""Kinds with a generation: it rises with the spec and with nothing else."""
IMMUTABLE: Final[Mapping[str, tuple[str, ...]]] = {
    "ControllerRevision": ("data",),
    "Deployment": ("spec", "selector"),
}
"""Fields that the API server refuses to change."""


class ApiServer:
    """Storage and rules, without any waiting.

    now: wall clock. admit: raises Refused for what an admission webhook or a quota would not take.
    """

    def __init__(self, now: Callable[[], datetime], random: Random | None = None) -> None:
        self._now = now
        self._random = random or Random(0)
        self._objects: dict[str, dict[tuple[str, str], dict[str, Any]]] = defaultdict(dict)
        self._applied: dict[tuple[Key, str], Object] = {}
        self.version = 1000
        self.listeners: list[Listener] = []
        self.admit: Callable[[str, Object], None] = well_formed
        self.namespaces: set[str] | None = None
        """Those that exist; None: every one."""

    # --- reading ---------------------------------------------------------------------------------------------------

    def find(self, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        """The object, or None."""
        return self._objects[kind].get(_key(kind, namespace, name)[1:])

    def get(self, kind: str, namespace: str, name: str) -> dict[str, Any]:
        """The object; raises NotFound."""
        found = self.find(kind, namespace, name)
        if found is None:
            raise NotFound(f"{kind} {namespace}/{name} not found (404 NotFound)")
        return found

    def all(self, kind: str) -> list[dict[str, Any]]:
        """Every object of a kind, oldest first."""
        return list(self._objects[kind].values())

    def list(self, kind: str, labels: str = "") -> tuple[list[dict[str, Any]], int]:
        """Objects with these labels (`key=value,...`) and the resourceVersion of the listing."""
        wanted = dict(part.split("=", 1) for part in labels.split(",") if part)
        return [obj for obj in self.all(kind) if wanted.items() <= _labels(obj).items()], self.version

    # --- writing ---------------------------------------------------------------------------------------------------

    def create(self, kind: str, manifest: Object) -> dict[str, Any]:
        """POST."""
        metadata = manifest["metadata"]
        key = _key(kind, metadata.get("namespace", ""), metadata["name"])
        if self.namespaces is not None and key[1] and key[1] not in self.namespaces:
            raise NotFound(f"namespaces {key[1]} not found (404 NotFound)")
        if self.find(*key) is not None:
            raise Conflict(f"{kind} {key[1]}/{key[2]} already exists (409 AlreadyExists)")
        self.admit(kind, manifest)
        body = {k: v for k, v in manifest.items() if k != "status" or kind not in STATUS_APART}
        body["metadata"] = {
            **metadata,
            "uid": str(uuid.UUID(int=self._random.getrandbits(128))),
            "creationTimestamp": whole_seconds(self._now()),
            **({"generation": 1} if kind in COUNTED else {}),
        }
        return self._store("ADDED", key, body)

    def apply(self, kind: str, manifest: Object, manager: str = FIELD_MANAGER) -> dict[str, Any]:
        """Server-side apply with force. A version does not keep it from creating what is gone; a uid does."""
        metadata = manifest["metadata"]
        key = _key(kind, metadata.get("namespace", ""), metadata["name"])
        before = self.find(*key)
        uid = metadata.get("uid")
        if uid and (before is None or before["metadata"]["uid"] != uid):
            raise Conflict(f"{kind} {key[2]}: Precondition failed: UID in precondition: {uid} (409 Conflict)")
        if before is None:
            made = self.create(kind, manifest)
            self._applied[key, manager] = manifest
            return made
        _guard(kind, before, metadata.get("resourceVersion"))
        if kind in STATUS_APART:
            manifest = {k: v for k, v in manifest.items() if k != "status"}
        after = server_side_apply(before, manifest, self._applied.get((key, manager), {}))
        stored = self._update(kind, key, before, after)
        self._applied[key, manager] = manifest
        return stored

    def patch(self, kind: str, namespace: str, name: str, patch: Object) -> dict[str, Any]:
        """JSON merge patch (RFC 7396) of everything but the status."""
        before = self.get(kind, namespace, name)
        _guard(kind, before, patch.get("metadata", {}).get("resourceVersion"))
        if kind in STATUS_APART:
            patch = {k: v for k, v in patch.items() if k != "status"}
        return self._update(kind, _key(kind, namespace, name), before, merge_patch(before, patch))

    def replace_status(self, kind: str, manifest: Object) -> dict[str, Any]:
        """PUT of the status."""
        metadata = manifest["metadata"]
        before = self.get(kind, metadata.get("namespace", ""), metadata["name"])
        if not metadata.get("resourceVersion"):
            raise Refused("metadata.resourceVersion: must be specified for an update")
        _guard(kind, before, metadata["resourceVersion"])
        return self.set_status(kind, metadata.get("namespace", ""), metadata["name"], manifest.get("status"))

    def set_status(self, kind: str, namespace: str, name: str, status: Any) -> dict[str, Any]:
        """What another controller writes into the status, unguarded."""
        before = self.get(kind, namespace, name)
        if before.get("status") == status:
            return before
        return self._store("MODIFIED", _key(kind, namespace, name), {**before, "status": status})

    def delete(self, kind: str, namespace: str, name: str, uid: str | None = None) -> None:
        """DELETE with background propagation. Pods go on until `remove`; what is gone already is success."""
        before = self.find(kind, namespace, name)
        if before is None or (uid is not None and before["metadata"]["uid"] != uid):
            return
        if kind == "Pod":
            if not before["metadata"].get("deletionTimestamp"):
                metadata = {**before["metadata"], "deletionTimestamp": whole_seconds(self._now())}
                self._store("MODIFIED", _key(kind, namespace, name), {**before, "metadata": metadata})
            return
        self.remove(kind, namespace, name)

    def remove(self, kind: str, namespace: str, name: str) -> None:
        """Take an object out of the storage."""
        key = _key(kind, namespace, name)
        gone = self._objects[kind].pop(key[1:], None)
        for applied in [one for one in self._applied if one[0] == key]:
            del self._applied[applied]
        if gone is not None:
            self.version += 1
            self._tell("DELETED", key[0], _versioned(gone, self.version))

    def collect_garbage(self) -> None:
        """Delete what has owners and none of them alive, until nothing is left to do."""
        while True:
            alive = {obj["metadata"]["uid"] for objects in self._objects.values() for obj in objects.values()}
            orphans = [
                (kind, *key)
                for kind, objects in self._objects.items()
                for key, obj in objects.items()
                if (refs := obj["metadata"].get("ownerReferences"))
                and not any(ref["uid"] in alive for ref in refs)
                and not obj["metadata"].get("deletionTimestamp")
            ]
            if not orphans:
                return
            for kind, namespace, name in orphans:
                self.delete(kind, namespace, name)

    # --- storage ---------------------------------------------------------------------------------------------------

    def _update(self, kind: str, key: Key, before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
        path = IMMUTABLE.get(kind)
        if path and _at(before, path) != _at(after, path):
            raise Refused(f"{kind} {key[2]}: {'.'.join(path)}: Invalid value: field is immutable")
        kept = {name: before["metadata"].get(name) for name in ("uid", "creationTimestamp", "resourceVersion")}
        generation = before["metadata"].get("generation")
        named = {k: v for k, v in after["metadata"].items() if v or k not in ("annotations", "labels")}
        after["metadata"] = {**named, **kept}
        if generation is not None:
            after["metadata"]["generation"] = generation
        if after == before:
            return before  # nothing changed: no new version, no event
        self.admit(kind, after)
        if generation is not None and after.get("spec") != before.get("spec"):
            after["metadata"]["generation"] = generation + 1
        return self._store("MODIFIED", key, after)

    def _store(self, change: str, key: Key, obj: dict[str, Any]) -> dict[str, Any]:
        self.version += 1
        stored = _versioned(obj, self.version)
        stored.setdefault("kind", key[0])
        stored.setdefault("apiVersion", KINDS[key[0]].api_version)
        self._objects[key[0]][key[1:]] = stored
        self._tell(change, key[0], stored)
        return stored

    def _tell(self, change: str, kind: str, obj: dict[str, Any]) -> None:
        for listener in self.listeners:
            listener(change, kind, obj)


class FakeCluster:
    """`ports.Cluster` straight on an ApiServer: no delay, no faults."""

    def __init__(self, server: ApiServer | None = None) -> None:
        self.server = server or ApiServer(lambda: datetime.now(UTC))

    async def get(self, kind: str, namespace: str, name: str) -> Object:
        """See ports.Cluster."""
        return self.server.get(kind, namespace, name)

    async def apply(self, kind: str, manifest: Object) -> Object:
        """See ports.Cluster."""
        return self.server.apply(kind, manifest)

    async def create(self, kind: str, manifest: Object) -> Object:
        """See ports.Cluster."""
        return self.server.create(kind, manifest)

    async def patch(self, kind: str, namespace: str, name: str, patch: Object) -> Object:
        """See ports.Cluster."""
        return self.server.patch(kind, namespace, name, patch)

    async def replace_status(self, kind: str, manifest: Object) -> Object:
        """See ports.Cluster."""
        return self.server.replace_status(kind, manifest)

    async def delete(self, kind: str, namespace: str, name: str, uid: str) -> None:
        """See ports.Cluster."""
        self.server.delete(kind, namespace, name, uid)
        self.server.collect_garbage()


def well_formed(kind: str, obj: Object) -> None:
    """The one schema that matters here: that there is one. Raises Refused."""
    if kind != "Service":
        return
    spec = obj.get("spec") or {}
    unknown = spec.keys() - {"ports", "selector", "type", "clusterIP"}
    if unknown:
        raise Refused(f"Service {obj['metadata']['name']}: .spec.{min(unknown)}: field not declared in schema")
    ports = spec.get("ports") or ()
    if isinstance(ports, str) or any(not 0 < port.get("port", 80) < 65536 for port in ports):
        raise Refused(f"Service {obj['metadata']['name']}: spec.ports: Invalid value")


def whole_seconds(moment: datetime) -> str:
    """Kubernetes' metav1.Time: the fraction is cut off."""
    return f"{moment.replace(tzinfo=None).isoformat(timespec='seconds')}Z"


def _key(kind: str, namespace: str, name: str) -> Key:
    return (kind, namespace if KINDS[kind].namespaced else "", name)


def _labels(obj: Object) -> Mapping[str, str]:
    return obj["metadata"].get("labels") or {}


def _versioned(obj: dict[str, Any], version: int) -> dict[str, Any]:
    return {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(version)}}


def _guard(kind: str, before: Object, version: str | None) -> None:
    if version and version != before["metadata"]["resourceVersion"]:
        name = before["metadata"]["name"]
        raise Conflict(f"{kind} {name}: the object has been modified; apply your changes to the latest version (409)")


def _at(obj: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        obj = (obj or {}).get(name)
    return obj
