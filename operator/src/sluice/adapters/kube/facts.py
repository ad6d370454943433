"""What single Kubernetes objects say, in the words of the core."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sluice.api import names
from sluice.core.snapshot import Child, Pod, RouteFacts, RouteState
from sluice.ports import Object

_PASSING: Final = frozenset({"ContainerCreating", "PodInitializing", ""})
"""Reasons for waiting that every pod goes through: no trouble."""


def owned_by(obj: Object, uid: str) -> bool:
    """Has it an ownerReference to this uid? A name or a label alone proves nothing."""
    return any(ref.get("uid") == uid for ref in obj["metadata"].get("ownerReferences") or ())


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _condition(conditions: Any, kind: str) -> Mapping[str, Any]:
    return next((c for c in conditions or () if c.get("type") == kind), {})


def endpoints(endpoint_slice: Object) -> int:
    """Endpoints that a gateway sends requests to."""
    return sum(
        (one.get("conditions") or {}).get("ready", True) is not False for one in endpoint_slice.get("endpoints") or ()
    )


def pod_facts(pod: Object) -> Pod:
    """One pod. Exits of a pod that is being evicted, drained or deleted are not the container's own doing."""
    metadata, status = pod["metadata"], pod.get("status") or {}
    containers = status.get("containerStatuses") or ()
    deleting = bool(metadata.get("deletionTimestamp"))
    removed = deleting or status.get("phase") == "Failed"
    removed = removed or _condition(status.get("conditions"), "DisruptionTarget").get("status") == "True"
    running = bool(containers) and all("running" in (c.get("state") or {}) for c in containers)
    said = _condition(status.get("conditions"), "Ready")
    ready, since = said.get("status") == "True", said.get("lastTransitionTime")
    ends = [(c.get(place) or {}).get("terminated") for c in containers for place in ("state", "lastState")]
    return Pod(
        name=metadata["name"],
        started_at=_time(metadata["creationTimestamp"]),
        ready=ready and running and not deleting,
        ready_since=_time(since) if ready and since else None,
        deleting=deleting,
        exits=() if removed else tuple(_time(end["finishedAt"]) for end in ends if end and end.get("finishedAt")),
        trouble="" if ready else _trouble(status),
        address=status.get("podIP", ""),
    )


def _trouble(status: Mapping[str, Any]) -> str:
    """The pod's own words about what keeps it from being ready; empty while nothing is wrong."""
    scheduled = _condition(status.get("conditions"), "PodScheduled")
    if scheduled.get("status") == "False":
        return f"{scheduled.get('reason', 'Unschedulable')}: {scheduled.get('message', '')}"
    for place in ("initContainerStatuses", "containerStatuses"):
        for container in status.get(place) or ():
            words = _container_trouble(container)
            if words:
                return f"container {container['name']}: {words}"
    if status.get("phase") == "Failed":
        return f"{status.get('reason', 'Failed')}: {status.get('message', '')}"
    return ""


def _container_trouble(container: Mapping[str, Any]) -> str:
    state = container.get("state") or {}
    waiting = state.get("waiting") or {}
    ended = state.get("terminated") or (container.get("lastState") or {}).get("terminated") or {}
    if ended.get("exitCode"):
        words = (ended.get("message") or ended.get("reason") or "").strip()[-500:]
        return f"exited with code {ended['exitCode']}: {words}"
    if waiting.get("reason", "") not in _PASSING:
        return f"{waiting['reason']}: {waiting.get('message', '')}"[:500]
    return ""


def creation_trouble(deployment: Object | None) -> str:
    """Why the pods of a Deployment cannot even be made: a quota, an admission policy, a missing ServiceAccount."""
    said = _condition(((deployment or {}).get("status") or {}).get("conditions"), "ReplicaFailure")
    return f"{said.get('reason', '')}: {said.get('message', '')}"[:500] if said.get("status") == "True" else ""


def route_facts(route: Object) -> RouteFacts:
    """The HTTPRoute of ours: who gets how much, and what the gateways say about its newest generation."""
    metadata, spec = route["metadata"], route.get("spec") or {}
    annotations = metadata.get("annotations") or {}
    prefix = f"{metadata['name']}-"
    weights: dict[str, int] = {}
    for rule in (spec.get("rules") or ())[:1]:
        for backend in rule.get("backendRefs") or ():
            weight = int(backend.get("weight", 1))
            if backend["name"].startswith(prefix) and weight > 0:
                revision = backend["name"].removeprefix(prefix)
                weights[revision] = weights.get(revision, 0) + weight
    state, message = _route_state(route)
    return RouteFacts(
        child=Child(uid=metadata["uid"], applied=annotations.get(names.ANNOTATION_APPLIED, "")),
        resource_version=metadata["resourceVersion"],
        weights=weights,
        rejected=annotations.get(names.ANNOTATION_REJECTED),
        state=state,
        message=message,
        parents=tuple(spec.get("parentRefs") or ()),
        counts=any(b.get("filters") for rule in spec.get("rules") or () for b in rule.get("backendRefs") or ()),
    )


def _same_parent(said: Mapping[str, Any], wanted: Mapping[str, Any], namespace: str) -> bool:
    return (
        said.get("name") == wanted.get("name")
        and (said.get("namespace") or namespace) == (wanted.get("namespace") or namespace)
        and said.get("sectionName") == wanted.get("sectionName")
    )


def _route_state(route: Object) -> tuple[RouteState, str]:
    """Verified by every parent, refused by one, or not yet told (also: told about an older generation).

    References that a gateway cannot resolve are not refused: a Service that it has not seen yet, or one whose last
    endpoint has just gone, is told in the same way and passes by itself.
    """
    generation = int(route["metadata"].get("generation", 0))
    namespace = route["metadata"]["namespace"]
    statuses = (route.get("status") or {}).get("parents") or ()
    pending = ""
    for wanted in (route.get("spec") or {}).get("parentRefs") or ():
        said: Mapping[str, Any] = next(
            (p for p in statuses if _same_parent(p.get("parentRef") or {}, wanted, namespace)), {}
        )
        for kind in ("Accepted", "ResolvedRefs"):
            condition = _condition(said.get("conditions"), kind)
            if not condition or int(condition.get("observedGeneration", 0)) < generation:
                pending = f"Gateway {wanted.get('name')} has not answered for generation {generation}"
            elif condition.get("status") != "True":
                words = f"{condition.get('reason', kind)}: {condition.get('message', '')}"
                pending = f"Gateway {wanted.get('name')}: {words}"
                if kind == "Accepted":
                    return RouteState.REFUSED, pending
    return (RouteState.PENDING, pending) if pending else (RouteState.VERIFIED, "")
