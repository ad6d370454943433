"""Snapshots to decide on: a rollout in its first stage, everything well, from which each test changes one thing."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sluice.api.status import CandidateStatus, StableStatus, StageStatus, Status, Verdict
from sluice.api.v1alpha1 import OnFail, Spec
from sluice.core import children
from sluice.core.analysis.verdicts import CheckResult, Observation
from sluice.core.metrics import MetricPreset
from sluice.core.plan import Action, Apply, Plan
from sluice.core.rendering import pod_template
from sluice.core.revision import canonical, inputs_of
from sluice.core.runtimes import Runtime
from sluice.core.snapshot import (
    Child,
    GatewayFacts,
    Identity,
    Pod,
    RevisionFacts,
    RouteFacts,
    RouteState,
    Snapshot,
)

NOW: Final = datetime(2026, 1, 5, 12, 10, 0, 700_000, tzinfo=UTC)
IDENTITY: Final = Identity(namespace="shop", name="flights", uid="uid-1", generation=3, resource_version="77")
RUNTIME: Final = Runtime(
    image="registry.example/server:$(version)",
    fetcher="registry.example/fetch:$(version)",
    metrics=MetricPreset(requests="requests_total", latency="request_seconds"),
)
STEPS: Final = [
    {"name": "first", "weight": 10, "minDuration": "1m", "minSamples": 100},
    {"name": "half", "weight": 50, "minDuration": "1m", "minSamples": 100},
]


def spec_of(letter: str = "b", **changes: Any) -> Spec:
    """A spec that asks for this model (one hexadecimal character)."""
    return Spec.model_validate(
        {
            "replicas": 4,
            "model": {"uri": f"https://models.example/{letter}/manifest.json", "digest": f"sha256:{letter * 64}"},
            "runtime": {"name": "sim", "version": "1"},
            "traffic": {"gateway": {"parentRefs": [{"name": "public"}]}},
            "strategy": {"type": "Canary", "canary": {"steps": STEPS}},
        }
        | changes
    )


STABLE: Final = inputs_of(spec_of("a")).revision
CANDIDATE: Final = inputs_of(spec_of("b")).revision
OTHER: Final = inputs_of(spec_of("c")).revision


def pods(revision: str, ready: int, **changes: Any) -> tuple[Pod, ...]:
    """Pods of a revision that started five minutes ago."""
    return tuple(
        Pod(f"flights-{revision}-5d7f-{number:05}", NOW - timedelta(minutes=5), ready=True, **changes)
        for number in range(ready)
    )


def revision_facts(model: str, ready: int, replicas: int, **changes: Any) -> RevisionFacts:
    """A revision whose objects are as they were last applied."""
    inputs = inputs_of(spec_of(model))
    name = inputs.revision
    template = canonical(pod_template(IDENTITY.name, inputs, RUNTIME))
    record = children.record(IDENTITY.owner, inputs, template, 1)
    deployment = children.deployment(IDENTITY.owner, name, template, replicas)
    service = children.revision_service(IDENTITY.owner, name)
    facts = RevisionFacts(
        revision=name,
        inputs=inputs,
        template=template,
        number=1,
        record=_child(record, "record"),
        deployment=_child(deployment, "deployment"),
        replicas=replicas,
        service=_child(service, "service"),
        endpoints=ready,
        pods=pods(name, ready),
    )
    return replace(facts, **changes)


def _child(manifest: Mapping[str, Any], uid: str) -> Child:
    return Child(uid=f"{uid}-{manifest['metadata']['name']}", applied=children.applied_digest(manifest))


def route_of(weights: Mapping[str, int], state: RouteState = RouteState.VERIFIED, **changes: Any) -> RouteFacts:
    """The route as it was applied with these weights: stable in slot 0."""
    slots = tuple((name, weights[name]) if weights.get(name) else None for name in (STABLE, CANDIDATE))
    manifest = children.route(IDENTITY.owner, spec_of().traffic.gateway, slots, changes.get("rejected"))
    return replace(RouteFacts(_child(manifest, "route"), "88", dict(weights), state=state), **changes)


def check(verdict: Verdict, on_fail: OnFail = OnFail.ROLLBACK) -> CheckResult:
    """What the check `errors` says."""
    return CheckResult("errors", verdict, on_fail, "300 of 200", "31 of 60 requests failed")


def observed(**changes: Any) -> Observation:
    """Every pod of the candidate was seen a second ago; 500 requests, none of them wrong."""
    names = [pod.name for pod in pods(CANDIDATE, 4)]
    observation = Observation(
        caught_up=True,
        seen=frozenset(names),
        newest=dict.fromkeys(names, NOW - timedelta(seconds=1)),
        scrape_interval=timedelta(seconds=2),
        requests=500,
        checks=(check(Verdict.UNDECIDED),),
    )
    return replace(observation, **changes)


def candidate_status(index: int = 0, name: str = "first", live: bool = True, **changes: Any) -> CandidateStatus:
    """The candidate in a stage that it entered two minutes ago, live for 90 s."""
    stage = StageStatus(
        index=index,
        name=name,
        entered_at=NOW - timedelta(minutes=2),
        live_since=NOW - timedelta(seconds=90) if live else None,
    )
    status = CandidateStatus(
        revision=CANDIDATE,
        slot=1,
        model=spec_of("b").model,
        started_at=NOW - timedelta(minutes=4),
        exposed_at=NOW - timedelta(minutes=2) if live else None,
        stage=stage,
    )
    return status.model_copy(update=changes)


def status_of(candidate: CandidateStatus | None, **changes: Any) -> Status:
    """Stable in slot 0, and this candidate."""
    stable = StableStatus(revision=STABLE, slot=0, model=spec_of("a").model)
    return Status(stable=stable, candidate=candidate).model_copy(update=changes)


def scene(**changes: Any) -> Snapshot:
    """The candidate has had 10% for 90 s, and its gates are open."""
    snapshot = Snapshot(
        now=NOW,
        identity=IDENTITY,
        spec=spec_of(),
        status=status_of(candidate_status()),
        revisions={STABLE: revision_facts("a", 4, 4), CANDIDATE: revision_facts("b", 1, 1)},
        route=route_of({STABLE: 90, CANDIDATE: 10}),
        stable_service=_child(children.stable_service(IDENTITY.owner, STABLE), "service"),
        stable_selects=STABLE,
        budget=_child(children.budget(IDENTITY.owner, STABLE), "budget"),
        runtimes={"sim": RUNTIME},
        gateways=(
            GatewayFacts(
                spec_of().traffic.gateway.parent_refs[0],
                "shop",
                controller="gateway.envoyproxy.io/gatewayclass-controller",
            ),
        ),
        observation=observed(),
    )
    return replace(snapshot, **changes)


def not_exposed(**changes: Any) -> Snapshot:
    """The candidate is ready and seen, and has no weight yet."""
    quiet = {
        "status": status_of(candidate_status(live=False)),
        "route": route_of({STABLE: 100}),
        "observation": observed(requests=0),
    }
    return scene(**quiet | changes)


def with_candidate(snapshot: Snapshot, **changes: Any) -> Snapshot:
    """The candidate's objects are different."""
    facts = replace(snapshot.revisions[CANDIDATE], **changes)
    return replace(snapshot, revisions={**snapshot.revisions, CANDIDATE: facts})


def with_stable(snapshot: Snapshot, **changes: Any) -> Snapshot:
    """Stable's objects are different."""
    facts = replace(snapshot.revisions[STABLE], **changes)
    return replace(snapshot, revisions={**snapshot.revisions, STABLE: facts})


def annotated(snapshot: Snapshot, **annotations: str) -> Snapshot:
    """A person annotated it: verb=value."""
    values = {f"sluice.dev/{verb}": value for verb, value in annotations.items()}
    return replace(snapshot, identity=replace(snapshot.identity, annotations=values))


def routes(plan: Plan) -> list[Apply]:
    """The writes of the route."""
    return [action for action in plan.actions if isinstance(action, Apply) and action.kind == "HTTPRoute"]


def shares(action: Action) -> dict[str, int]:
    """Percent by revision of a write of the route."""
    assert isinstance(action, Apply)
    weights: dict[str, int] = {}
    for backend in action.manifest["spec"]["rules"][0]["backendRefs"]:
        revision = backend["name"].removeprefix("flights-")
        weights[revision] = weights.get(revision, 0) + backend["weight"]
    return {revision: weight for revision, weight in weights.items() if weight}


def applied(plan: Plan, kind: str) -> list[Mapping[str, Any]]:
    """Manifests of a kind that the plan applies."""
    return [action.manifest for action in plan.actions if isinstance(action, Apply) and action.kind == kind]


def condition(plan: Plan, kind: str) -> tuple[str, str]:
    """(status, reason) of a condition in the plan's status."""
    assert plan.status is not None
    found = next(c for c in plan.status.conditions if c.type == kind)
    return found.status, found.reason
