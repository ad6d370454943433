"""Whose rollouts does a change concern, and how much does it hurry? Pure functions of the change and the cache."""

from collections.abc import Iterator
from typing import Any

from sluice.api import names
from sluice.ports import Object
from sluice.runtime.cache import Cache
from sluice.runtime.schedule import Key


def concerned(kind: str, obj: Object, cache: Cache) -> set[Key]:
    """The ModelDeployments that a change of this object may concern."""
    metadata = obj["metadata"]
    namespace, name = metadata.get("namespace", ""), metadata["name"]
    if kind == names.KIND:
        return {(namespace, name)}
    if kind == "Gateway":
        return set(_routed_through({(namespace, name)}, cache))
    if kind == "GatewayClass":
        gateways = {
            (one["metadata"].get("namespace", ""), one["metadata"]["name"])
            for one in cache.all("Gateway")
            if (one.get("spec") or {}).get("gatewayClassName") == name
        }
        return set(_routed_through(gateways, cache))
    owner = (metadata.get("labels") or {}).get(names.LABEL_NAME)
    return {(namespace, owner)} if owner else set()


def hurries(kind: str, before: Object | None, after: Object | None) -> bool:
    """True when a change may mean that live traffic has lost its server: it overtakes everything that can wait.

    before, after: the object as it was and as it is known now; None: it did not exist, it is gone.
    """
    if kind == "EndpointSlice":
        return _ready_endpoints(after) < _ready_endpoints(before)
    if kind == "Pod":
        return _restarts(after) > _restarts(before) and before is not None
    return False


def _routed_through(gateways: set[tuple[str, str]], cache: Cache) -> Iterator[Key]:
    for one in cache.all(names.KIND):
        namespace, name = one["metadata"]["namespace"], one["metadata"]["name"]
        traffic: dict[str, Any] = (one.get("spec") or {}).get("traffic") or {}
        for parent in (traffic.get("gateway") or {}).get("parentRefs") or ():
            if (parent.get("namespace") or namespace, parent.get("name")) in gateways:
                yield namespace, name
                break


def _ready_endpoints(obj: Object | None) -> int:
    # An endpoint without the condition is ready: discovery.k8s.io/v1 says that unknown is to be read so.
    endpoints = (obj or {}).get("endpoints") or ()
    return sum((endpoint.get("conditions") or {}).get("ready", True) is not False for endpoint in endpoints)


def _restarts(obj: Object | None) -> int:
    statuses = ((obj or {}).get("status") or {}).get("containerStatuses") or ()
    return sum(int(status.get("restartCount", 0)) for status in statuses)
