"""What of an object is kept in memory: only what a decision or an action reads.

A pod is about 8 kB as JSON and 1 kB trimmed; 1,000 of them would otherwise be most of the operator's memory.
"""

import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

from sluice.api import names
from sluice.ports import Kept, Object

_METADATA = (
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "finalizers",
    "labels",
    "ownerReferences",
)
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_CONDITION = ("type", "status", "reason", "message", "observedGeneration", "lastTransitionTime")
_CONTAINER = ("name", "ready", "restartCount", "state", "lastState", "image")


def trimmed(kind: str, obj: Object) -> Kept:
    """A copy of the parts that are read; a kind without a rule of its own is kept whole but for managedFields.

    Nested values are shared with the input where they are kept whole: neither may be changed afterwards.
    """
    rule = _RULES.get(kind)
    kept = rule(obj) if rule else {k: v for k, v in obj.items() if k != "metadata"}
    every_annotation = kind in _ALL_ANNOTATIONS
    return Kept({"metadata": _metadata(obj["metadata"], every_annotation), **kept})


def _metadata(metadata: Mapping[str, Any], every_annotation: bool) -> dict[str, Any]:
    kept = _pick(metadata, _METADATA)
    # The same few label keys and values stand on every child: one copy of each string.
    if labels := kept.get("labels"):
        kept["labels"] = {sys.intern(k): sys.intern(v) for k, v in labels.items()}
    annotations = {
        k: v
        for k, v in (metadata.get("annotations") or {}).items()
        if k.startswith(names.GROUP + "/") or (every_annotation and k != _LAST_APPLIED)
    }
    return kept | {"annotations": annotations} if annotations else kept


def _pick(source: Mapping[str, Any] | None, keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: source[key] for key in keys if key in source} if source else {}


def _conditions(status: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [_pick(condition, _CONDITION) for condition in status.get("conditions") or ()]


def _deployment(obj: Object) -> dict[str, Any]:
    status = obj.get("status") or {}
    counts = ("replicas", "readyReplicas", "availableReplicas", "updatedReplicas", "observedGeneration")
    return {
        "spec": _pick(obj.get("spec"), ("replicas", "paused")),
        "status": _pick(status, counts) | {"conditions": _conditions(status)},
    }


def _service(obj: Object) -> dict[str, Any]:
    return {"spec": _pick(obj.get("spec"), ("selector", "ports"))}


def _pod(obj: Object) -> dict[str, Any]:
    status = obj.get("status") or {}
    ready = [c for c in _conditions(status) if c.get("type") in ("Ready", "PodScheduled", "DisruptionTarget")]
    return {
        "status": _pick(status, ("phase", "reason", "message", "podIP", "startTime"))
        | {
            "conditions": ready,
            "containerStatuses": [_pick(c, _CONTAINER) for c in status.get("containerStatuses") or ()],
            "initContainerStatuses": [_pick(c, _CONTAINER) for c in status.get("initContainerStatuses") or ()],
        },
    }


def _endpoint_slice(obj: Object) -> dict[str, Any]:
    return {
        "endpoints": [
            {
                "conditions": endpoint.get("conditions") or {},
                "targetRef": _pick(endpoint.get("targetRef"), ("kind", "name", "uid")),
            }
            for endpoint in obj.get("endpoints") or ()
        ]
    }


def _gateway(obj: Object) -> dict[str, Any]:
    status = obj.get("status") or {}
    listeners = [
        _pick(one, ("name",)) | {"conditions": _conditions(one), "attachedRoutes": one.get("attachedRoutes", 0)}
        for one in status.get("listeners") or ()
    ]
    spec = obj.get("spec") or {}
    return {
        "spec": _pick(spec, ("gatewayClassName",))
        | {"listeners": [_pick(one, ("name",)) for one in spec.get("listeners") or ()]},
        "status": {"conditions": _conditions(status), "listeners": listeners},
    }


def _gateway_class(obj: Object) -> dict[str, Any]:
    status = obj.get("status") or {}
    return {
        "spec": _pick(obj.get("spec"), ("controllerName",)),
        "status": {"conditions": _conditions(status)} | _pick(status, ("supportedFeatures",)),
    }


def _disruption_budget(obj: Object) -> dict[str, Any]:
    return {"spec": obj.get("spec") or {}}


def _model_deployment(obj: Object) -> dict[str, Any]:
    """All of it; the spec for itself, as it outlives many statuses (see Cache.put)."""
    return {k: Kept(v) if k == "spec" and isinstance(v, Mapping) else v for k, v in obj.items() if k != "metadata"}


_RULES: Final[Mapping[str, Callable[[Object], dict[str, Any]]]] = {
    names.KIND: _model_deployment,
    "Deployment": _deployment,
    "Service": _service,
    "Pod": _pod,
    "EndpointSlice": _endpoint_slice,
    "Gateway": _gateway,
    "GatewayClass": _gateway_class,
    "PodDisruptionBudget": _disruption_budget,
}

_ALL_ANNOTATIONS: Final = frozenset({names.KIND, "HTTPRoute", "ControllerRevision"})
"""Kinds whose annotations are read whatever their prefix; of the others only the operator's own are kept."""
