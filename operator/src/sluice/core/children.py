"""The objects that a ModelDeployment owns, as plain dicts: shared by all who ask for the same one, so never changed."""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from sluice.api import names
from sluice.api.v1alpha1 import Gateway
from sluice.core.revision import Inputs, canonical, digest
from sluice.core.snapshot import Owner

PORT: Final = 80
"""Port of every Service of ours."""
LIVE_RULE: Final = "live"
REMEMBERED: Final = 8192
"""Manifests of a kind that are kept: every pass asks for the same few again, to compare their digests."""
KEPT_WARM: Final = 1
"""Percent that a free slot of the route gets, for the revision that has all traffic anyway."""


def child_name(name: str, revision: str) -> str:
    """Name of the ControllerRevision, Deployment and Service of a revision."""
    return f"{name}-{revision}"


def _object(owner: Owner, api_version: str, kind: str, name: str, label: str | None, **body: Any) -> dict[str, Any]:
    """A child with its owner, its labels (`label`: the revision it belongs to) and the digest of itself."""
    labels = {names.LABEL_NAME: owner.name, names.LABEL_MANAGED_BY: names.MANAGED_BY}
    if label:
        labels[names.LABEL_REVISION] = label
    annotations = dict(body.pop("annotations", {}))
    annotations[names.ANNOTATION_APPLIED] = digest([labels, annotations, body])
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": owner.namespace,
            "labels": labels,
            "annotations": annotations,
            "ownerReferences": [
                {
                    "apiVersion": names.API_VERSION,
                    "kind": names.KIND,
                    "name": owner.name,
                    "uid": owner.uid,
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
        **body,
    }


def applied_digest(manifest: Mapping[str, Any]) -> str:
    """The digest that a manifest of ours carries."""
    return str(manifest["metadata"]["annotations"][names.ANNOTATION_APPLIED])


def selector(name: str, revision: str) -> dict[str, str]:
    """Labels that select the pods of a revision."""
    return {names.LABEL_NAME: name, names.LABEL_REVISION: revision}


def record(owner: Owner, inputs: Inputs, template: str, number: int) -> dict[str, Any]:
    """ControllerRevision: the inputs and the pod template (JSON) that they were rendered to, for ever."""
    return _object(
        owner,
        "apps/v1",
        "ControllerRevision",
        child_name(owner.name, inputs.revision),
        inputs.revision,
        revision=number,
        data={"inputs": inputs.model_dump(mode="json", by_alias=True), "template": json.loads(template)},
    )


@lru_cache(REMEMBERED)
def deployment(owner: Owner, revision: str, template: str, replicas: int) -> dict[str, Any]:
    """Deployment of a revision. Its template (JSON) is the recorded one: it never rolls by itself."""
    return _object(
        owner,
        "apps/v1",
        "Deployment",
        child_name(owner.name, revision),
        revision,
        spec={
            "replicas": replicas,
            "revisionHistoryLimit": 1,
            "progressDeadlineSeconds": 2_147_483_647,  # spec.progressDeadline judges it, for all reasons alike
            "selector": {"matchLabels": selector(owner.name, revision)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": json.loads(template),
        },
    )


def revision_service(owner: Owner, revision: str) -> dict[str, Any]:
    """Service of a revision: the backend that the route gives a weight."""
    return _service(owner, child_name(owner.name, revision), revision, revision)


def stable_service(owner: Owner, revision: str) -> dict[str, Any]:
    """Service `m` for callers inside the cluster: selects stable."""
    return _service(owner, owner.name, None, revision)


@lru_cache(REMEMBERED)
def _service(owner: Owner, name: str, label: str | None, selects: str) -> dict[str, Any]:
    return _object(
        owner,
        "v1",
        "Service",
        name,
        label,
        spec={
            "selector": selector(owner.name, selects),
            "ports": [{"name": "http", "port": PORT, "protocol": "TCP", "targetPort": "http", "appProtocol": "http"}],
        },
    )


@lru_cache(REMEMBERED)
def budget(owner: Owner, revision: str) -> dict[str, Any]:
    """PodDisruptionBudget of stable: a drain takes one pod at a time."""
    return _object(
        owner,
        "policy/v1",
        "PodDisruptionBudget",
        owner.name,
        None,
        spec={"maxUnavailable": 1, "selector": {"matchLabels": selector(owner.name, revision)}},
    )


def filled(slots: tuple[tuple[str, int] | None, ...]) -> tuple[tuple[str, int], ...]:
    """The free slot holds the revision of the other one at weight KEPT_WARM, taken from its share.

    Envoy drops the cluster of a backend at weight 0 and makes it anew when the weight rises; requests that come between
    the route's update and the cluster's are answered 500 cluster_not_found (seen at 200 requests/s: docs/adr/0004). A
    slot that is never at 0 keeps its cluster: only its endpoints change, and both revisions that may answer in between
    are allowed to.

    ((a, 100), None) -> ((a, 99), (a, 1)); ((a, 90), (b, 10)) stays.
    """
    used = next(slot for slot in slots if slot)
    if None not in slots:
        return tuple(slot for slot in slots if slot)
    revision, weight = used
    return tuple((revision, weight - KEPT_WARM if slot else KEPT_WARM) for slot in slots)


def route(
    owner: Owner,
    gateway: Gateway,
    slots: tuple[tuple[str, int] | None, ...],
    rejected: str | None,
    count_by_revision: bool = True,
    parents: tuple[Mapping[str, Any], ...] = (),
) -> dict[str, Any]:
    """HTTPRoute `m`: both slots in one rule, so one write moves the traffic.

    slots: per slot (revision, weight), or None for a free one (see `filled`).
    rejected: revision whose rejection this very write records.
    count_by_revision: the gateway takes filters on a backend, and so counts per revision.
    parents: parentRefs to keep instead of those of `gateway`; empty: these.
    """
    return _route(owner, gateway, slots, rejected, count_by_revision, canonical(parents) if parents else "[]")


@lru_cache(REMEMBERED)
def _route(
    owner: Owner,
    gateway: Gateway,
    slots: tuple[tuple[str, int] | None, ...],
    rejected: str | None,
    count_by_revision: bool,
    parents: str,
) -> dict[str, Any]:
    """parents: canonical JSON."""
    backends = []
    for revision, weight in filled(slots):
        backend: dict[str, Any] = {
            "group": "",
            "kind": "Service",
            "name": child_name(owner.name, revision),
            "port": PORT,
            "weight": weight,
        }
        if count_by_revision:
            header = {"name": names.REVISION_HEADER, "value": revision}
            backend["filters"] = [{"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [header]}}]
        backends.append(backend)
    matches = [{"path": m.path.model_dump(mode="json")} for m in gateway.matches] or [
        {"path": {"type": "PathPrefix", "value": "/"}}
    ]
    return _object(
        owner,
        "gateway.networking.k8s.io/v1",
        "HTTPRoute",
        owner.name,
        None,
        annotations={names.ANNOTATION_REJECTED: rejected} if rejected else {},
        spec={
            "parentRefs": json.loads(parents)
            or [
                {
                    "group": "gateway.networking.k8s.io",
                    "kind": "Gateway",
                    **parent.model_dump(mode="json", by_alias=True, exclude_none=True),
                }
                for parent in gateway.parent_refs
            ],
            **({"hostnames": list(gateway.hostnames)} if gateway.hostnames else {}),
            "rules": [{"name": LIVE_RULE, "matches": matches, "backendRefs": backends}],
        },
    )
