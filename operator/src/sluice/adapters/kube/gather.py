"""From the cached objects of one ModelDeployment to the Snapshot that a decision reads."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from pydantic import ValidationError

from sluice.adapters.kube.facts import creation_trouble, endpoints, owned_by, pod_facts, route_facts
from sluice.api import names
from sluice.api.status import Status
from sluice.api.v1alpha1 import Spec
from sluice.core.analysis.verdicts import NOTHING_KNOWN, Observation
from sluice.core.children import selector
from sluice.core.plan import Refusal
from sluice.core.revision import Inputs, canonical
from sluice.core.runtimes import Runtime
from sluice.core.snapshot import Child, GatewayFacts, Identity, Pod, RevisionFacts, Snapshot
from sluice.ports import Beside, Object, Store, reading, reading_beside

_OWNED: Final = ("ControllerRevision", "Deployment", "Service", "EndpointSlice", "Pod")
"""Kinds whose objects belong to one revision each."""


def gather(
    store: Store,
    resource: Object,
    *,
    now: datetime,
    observation: Observation = NOTHING_KNOWN,
    runtimes: Mapping[str, Runtime],
    allowed_http_hosts: frozenset[str] = frozenset(),
    refusals: Mapping[tuple[str, str], Refusal] | None = None,
) -> Snapshot:
    """Everything known about one ModelDeployment. Reads the cache only: an idle pass costs no API call.

    Raises pydantic.ValidationError when the stored *status* cannot be read: to act without that memory could give
    traffic to a rejected revision.
    """
    metadata, identity = resource["metadata"], reading(resource, _identity)
    owned = [store.owned(kind, identity.namespace, identity.name) for kind in _OWNED]
    spec, problem = reading(resource.get("spec") or {}, _spec)
    route = store.get("HTTPRoute", identity.namespace, identity.name)
    service = store.get("Service", identity.namespace, identity.name)
    budget = store.get("PodDisruptionBudget", identity.namespace, identity.name)
    selects = ((service or {}).get("spec") or {}).get("selector", {}).get(names.LABEL_REVISION)
    status = reading(resource, _status)
    return Snapshot(
        now=now,
        identity=identity,
        spec=spec,
        spec_problem=problem,
        status=status,
        deleting=bool(metadata.get("deletionTimestamp")),
        revisions=reading_beside(resource, owned, _revisions),
        route=reading(route, route_facts) if route and owned_by(route, identity.uid) else None,
        stable_service=_child(service, identity),
        stable_selects=selects if service and owned_by(service, identity.uid) else None,
        budget=_child(budget, identity),
        runtimes=runtimes,
        allowed_http_hosts=allowed_http_hosts,
        gateways=_gateways(store, identity, spec),
        refusals=refusals or {},
        observation=observation,
    )


def _identity(resource: Object) -> Identity:
    metadata = resource["metadata"]
    return Identity(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        generation=int(metadata.get("generation", 0)),
        resource_version=metadata["resourceVersion"],
        annotations=metadata.get("annotations") or {},
    )


def _spec(said: Object) -> tuple[Spec | None, str]:
    try:
        return Spec.model_validate(said), ""
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in ("spec", *first["loc"]))
        return None, f"{field}: {first['msg']}; correct it, or update the CRD to the operator's version"


def _status(resource: Object) -> Status:
    return Status.model_validate(resource.get("status") or {})


def _recorded(record: Object) -> tuple[Inputs | None, str | None]:
    """The inputs of a revision, and the pod template as JSON."""
    data = record.get("data") or {}
    inputs = Inputs.model_validate(data["inputs"]) if "inputs" in data else None
    return inputs, canonical(data["template"]) if data.get("template") else None


def _child(obj: Object | None, identity: Identity, drifted: bool = False) -> Child | None:
    """A child of ours; what is not ours does not count as there."""
    if obj is None or not owned_by(obj, identity.uid) or obj["metadata"].get("deletionTimestamp"):
        return None
    applied = (obj["metadata"].get("annotations") or {}).get(names.ANNOTATION_APPLIED, "")
    return Child(uid=obj["metadata"]["uid"], applied=applied, drifted=drifted)


def _by_revision(objects: Sequence[Object]) -> dict[str, list[Object]]:
    found: dict[str, list[Object]] = defaultdict(list)
    for obj in objects:
        revision = obj["metadata"]["labels"].get(names.LABEL_REVISION)
        if revision:
            found[revision].append(obj)
    return found


def _revisions(resource: Object, owned: Beside) -> Mapping[str, RevisionFacts]:
    """By revision. owned: the objects of each kind of _OWNED. Most passes find what the one before found."""
    identity, candidate = reading(resource, _identity), reading(resource, _status).candidate
    parts = {kind: _by_revision(objects) for kind, objects in zip(_OWNED, owned, strict=True)}
    revisions = {revision for found in parts.values() for revision in found}
    return {
        revision: _revision(
            identity,
            revision,
            {kind: found.get(revision, []) for kind, found in parts.items()},
            is_candidate=candidate is not None and revision == candidate.revision,
        )
        for revision in revisions
    }


def _revision(
    identity: Identity, revision: str, parts: Mapping[str, list[Object]], *, is_candidate: bool
) -> RevisionFacts:
    def ours(kind: str) -> Any:
        return next((obj for obj in parts[kind] if owned_by(obj, identity.uid)), None)

    record, deployment, service = ours("ControllerRevision"), ours("Deployment"), ours("Service")
    inputs, template = reading(record, _recorded) if record else (None, None)
    wanted = selector(identity.name, revision)
    pods = (reading(pod, pod_facts) for pod in parts["Pod"])
    return RevisionFacts(
        revision=revision,
        inputs=inputs,
        template=template,
        number=int((record or {}).get("revision", 0)),
        rejected=((record or {}).get("metadata", {}).get("annotations") or {}).get(names.ANNOTATION_REJECTED),
        record=_child(record, identity),
        deployment=_child(deployment, identity),
        replicas=int(((deployment or {}).get("spec") or {}).get("replicas", 1)),
        trouble=creation_trouble(deployment),
        service=_child(service, identity, bool(service) and service["spec"].get("selector") != wanted),
        endpoints=sum(reading(one, endpoints) for one in parts["EndpointSlice"]),
        pods=tuple(_left_behind(pod, deployment) for pod in pods) if is_candidate else tuple(pods),
    )


def _left_behind(pod: Pod, deployment: Object | None) -> Pod:
    """A pod that is older than its Deployment is one of a namesake's, deleted just before a retry: it goes away.

    The garbage collector may be slow to say so, and the new Deployment's own pods are not there yet. Only for a
    candidate: a stable whose Deployment was orphaned and made again keeps its pods, and they serve.
    """
    created = ((deployment or {}).get("metadata") or {}).get("creationTimestamp")
    if created is None or pod.started_at >= datetime.fromisoformat(created):
        return pod
    return replace(pod, ready=False, deleting=True, exits=())


def _gateways(store: Store, identity: Identity, spec: Spec | None) -> tuple[GatewayFacts, ...]:
    facts = []
    for ref in spec.traffic.gateway.parent_refs if spec else ():
        namespace = ref.namespace or identity.namespace
        gateway = store.get("Gateway", namespace, ref.name)
        wanted = ((gateway or {}).get("spec") or {}).get("gatewayClassName")
        gateway_class = store.get("GatewayClass", "", wanted) if wanted else None
        listed = ((gateway_class or {}).get("status") or {}).get("supportedFeatures") or ()
        listeners = ((gateway or {}).get("spec") or {}).get("listeners") or ()
        facts.append(
            GatewayFacts(
                ref=ref,
                namespace=namespace,
                controller=((gateway_class or {}).get("spec") or {}).get("controllerName"),
                features=frozenset(one["name"] if isinstance(one, Mapping) else str(one) for one in listed),
                listeners=frozenset(one["name"] for one in listeners),
            )
        )
    return tuple(facts)
