"""Whatever needs a person is a condition and an Event, told once."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from sluice.api.names import Condition, Reason
from sluice.api.status import ConditionStatus, Status
from sluice.core.plan import Announce
from sluice.core.planner import decide
from sluice.core.snapshot import RouteState, Snapshot
from unit.operator.core.scenes import (
    IDENTITY,
    NOW,
    STABLE,
    condition,
    not_exposed,
    route_of,
    scene,
    spec_of,
    status_of,
    with_candidate,
)
from unit.operator.core.test_hazards import overdue, refusal


def announced(snapshot: Snapshot) -> list[tuple[str, str]]:
    """(type, reason) of the Events."""
    return [(a.type, a.reason) for a in decide(snapshot).actions if isinstance(a, Announce)]


def another(letter: str = "c", **changes: object) -> Snapshot:
    """Stable serves, nothing rolls, and the spec asks for something."""
    return scene(spec=spec_of(letter, **changes), status=status_of(None), route=route_of({STABLE: 100}))


ROWS: list[tuple[Reason, Callable[[], Snapshot]]] = [
    (Reason.INVALID_SPEC, lambda: scene(spec=None, spec_problem="spec.replicas: not a number")),
    (Reason.UNKNOWN_RUNTIME, lambda: another(runtime={"name": "nobody", "version": "1"})),
    (
        Reason.MODEL_HOST_NOT_ALLOWED,
        lambda: another(model={"uri": "http://models:8080/manifest.json", "digest": f"sha256:{'c' * 64}"}),
    ),
    (
        Reason.GATEWAY_NOT_FOUND,
        lambda: replace(another(), gateways=tuple(replace(g, controller=None) for g in scene().gateways)),
    ),
    (
        Reason.UNSUPPORTED_BY_GATEWAY,
        lambda: replace(another(), gateways=tuple(replace(g, controller="example.com/x") for g in scene().gateways)),
    ),
    (Reason.NAME_CONFLICT, lambda: scene(refusals=refusal("Service", "NameConflict"))),
    (Reason.INVALID_TEMPLATE, lambda: scene(refusals=refusal("Deployment", "Invalid"))),
    (Reason.NOT_READY_IN_TIME, lambda: overdue(with_candidate(not_exposed(), pods=(), endpoints=0))),
    (
        Reason.ROUTE_NOT_ACCEPTED,
        lambda: scene(
            spec=spec_of("a"), status=status_of(None), route=route_of({STABLE: 100}, RouteState.REFUSED, message="no")
        ),
    ),
]


@pytest.mark.parametrize(("reason", "given"), ROWS, ids=[row[0] for row in ROWS])
def test_it_is_a_condition_and_an_event(reason: Reason, given: Callable[[], Snapshot]) -> None:
    snapshot = given()
    assert announced(snapshot).count(("Warning", reason)) == 1
    assert condition(decide(snapshot), Condition.STALLED) == ("True", reason)
    assert condition(decide(snapshot), Condition.READY) == ("False", reason)


@pytest.mark.parametrize(("reason", "given"), ROWS, ids=[row[0] for row in ROWS])
def test_it_is_told_once(reason: Reason, given: Callable[[], Snapshot]) -> None:
    """Decided every second, and its words may change: one Event."""
    snapshot = given()
    told = decide(snapshot).status
    assert told is not None
    assert ("Warning", reason) not in announced(replace(snapshot, status=told))


def test_another_spec_with_the_same_mistake_is_told_again() -> None:
    snapshot = another(runtime={"name": "nobody", "version": "1"})
    stalled = ConditionStatus(
        type=Condition.STALLED,
        status="True",
        reason=Reason.UNKNOWN_RUNTIME,
        message="",
        observed_generation=IDENTITY.generation - 1,
        last_transition_time=NOW,
    )
    status: Status = status_of(None, conditions=(stalled,))
    assert ("Warning", Reason.UNKNOWN_RUNTIME) in announced(replace(snapshot, status=status))


def test_a_refused_route_without_a_rollout_leaves_the_weights_alone() -> None:
    plan = decide(dict(ROWS)[Reason.ROUTE_NOT_ACCEPTED]())
    assert [action for action in plan.actions if not isinstance(action, Announce)] == []
    assert condition(plan, Condition.AVAILABLE)[0] == "True"


@pytest.mark.parametrize(("allowed", "starts"), [("models:8080", True), ("models", True), ("models:9090", False)])
def test_a_host_may_be_allowed_with_its_port_or_for_all_of_them(allowed: str, starts: bool) -> None:
    snapshot = replace(dict(ROWS)[Reason.MODEL_HOST_NOT_ALLOWED](), allowed_http_hosts=frozenset({allowed}))
    assert (("Normal", Reason.ROLLOUT_STARTED) in announced(snapshot)) is starts
