"""The situations of a rollout, from the snapshot to what is done: each row of the design's table is a test here."""

from dataclasses import replace
from datetime import timedelta

import pytest

from sluice.api.names import ANNOTATION_REJECTED, Reason
from sluice.api.status import RejectedStatus, Status, Verdict
from sluice.api.v1alpha1 import OnFail
from sluice.core.plan import Announce, Apply, Delete, Mark, Refusal
from sluice.core.planner import TICK, decide
from sluice.core.snapshot import RouteState, Snapshot
from unit.operator.core.scenes import (
    CANDIDATE,
    NOW,
    OTHER,
    STABLE,
    annotated,
    applied,
    candidate_status,
    check,
    condition,
    not_exposed,
    observed,
    pods,
    revision_facts,
    route_of,
    routes,
    scene,
    shares,
    spec_of,
    status_of,
    with_candidate,
    with_stable,
)

FAILED = (check(Verdict.FAIL),)
REJECTED = RejectedStatus(revision=CANDIDATE, reason="CheckFailed", message="31 of 60", at=NOW)


def announced(snapshot: Snapshot) -> list[str]:
    return [action.reason for action in decide(snapshot).actions if isinstance(action, Announce)]


# --- going forward ---------------------------------------------------------------------------------------------------


def test_an_idle_rollout_does_nothing() -> None:
    """Waiting for requests: no action, no change worth a write but the words."""
    plan = decide(scene(observation=observed(requests=50)))
    assert plan.actions == ()
    assert plan.requeue_after == TICK
    assert not plan.urgent


def test_a_seen_candidate_gets_its_first_weight_after_a_live_look() -> None:
    plan = decide(not_exposed())
    (route,) = routes(plan)
    assert shares(route) == {STABLE: 90, CANDIDATE: 10}
    assert route.fresh
    assert route.resource_version == "88"
    assert plan.status is not None
    assert plan.status.candidate is not None
    assert plan.status.candidate.exposed_at == NOW


def test_an_open_stage_is_left_for_the_next_one_and_its_pods_come_first() -> None:
    """4 replicas at 50% are 2 pods: they are asked for now, the weight follows when they are ready and seen."""
    plan = decide(scene())
    assert plan.status is not None
    assert plan.status.candidate is not None
    assert plan.status.candidate.stage.name == "half"
    (deployment,) = applied(plan, "Deployment") or applied(decide(replace(scene(), status=plan.status)), "Deployment")
    assert deployment["metadata"]["name"] == f"flights-{CANDIDATE}"
    assert deployment["spec"]["replicas"] == 2
    after = decide(replace(scene(), status=plan.status))
    assert [shares(route) for route in routes(after)] == []


def test_all_weight_and_the_gateways_word_promote() -> None:
    ready = with_candidate(scene(), endpoints=4, pods=pods(CANDIDATE, 4))
    last = candidate_status(2, "promote")
    plan = decide(replace(ready, status=status_of(last), route=route_of({CANDIDATE: 100})))
    assert plan.status is not None
    assert plan.status.stable is not None
    assert (plan.status.stable.revision, plan.status.stable.slot) == (CANDIDATE, 1)
    assert plan.status.candidate is None
    assert [r.revision for r in plan.status.retiring] == [STABLE]
    assert [h.outcome for h in plan.status.history] == ["Promoted"]
    (service,) = applied(plan, "Service")
    assert service["spec"]["selector"]["sluice.dev/revision"] == CANDIDATE


@pytest.mark.parametrize("state", [RouteState.PENDING, RouteState.REFUSED])
def test_without_the_gateways_word_nothing_is_promoted(state: RouteState) -> None:
    ready = with_candidate(scene(), endpoints=4, pods=pods(CANDIDATE, 4))
    status = status_of(candidate_status(2, "promote"))
    plan = decide(replace(ready, status=status, route=route_of({CANDIDATE: 100}, state)))
    assert plan.status is not None
    assert plan.status.stable is not None
    assert plan.status.stable.revision == STABLE


def test_the_first_revision_of_all_gets_everything_when_it_is_ready() -> None:
    first = scene(
        spec=spec_of("a"),
        status=Status(),
        revisions={},
        route=None,
        stable_service=None,
        stable_selects=None,
        budget=None,
        observation=observed(caught_up=False, seen=frozenset()),
    )
    begun = decide(first)
    assert [type(a).__name__ for a in begun.actions] == [*["Apply"] * 5, "Announce"]
    assert routes(begun) == []
    assert begun.status is not None
    ready = replace(first, status=begun.status, revisions={STABLE: revision_facts("a", 4, 4)})
    (route,) = routes(decide(ready))
    assert shares(route) == {STABLE: 100}


# --- taking back -----------------------------------------------------------------------------------------------------


def test_a_failed_check_moves_the_traffic_first_and_records_the_verdict_with_it() -> None:
    plan = decide(scene(observation=observed(checks=FAILED)))
    first, second = plan.actions[:2]
    assert plan.urgent
    assert shares(first) == {STABLE: 100}
    assert isinstance(first, Apply)
    assert first.manifest["metadata"]["annotations"][ANNOTATION_REJECTED] == CANDIDATE
    assert not first.fresh
    assert isinstance(second, Mark)
    assert second.name == f"flights-{CANDIDATE}"
    assert second.rejected is not None
    assert second.rejected.startswith("CheckFailed: check errors failed: 31 of 60")
    assert plan.status is not None
    assert [r.revision for r in plan.status.rejected] == [CANDIDATE]
    assert plan.status.candidate is None
    assert condition(plan, "Stalled") == ("True", Reason.ROLLED_BACK)
    assert condition(plan, "Available") == ("True", Reason.SERVING)
    assert condition(plan, "Ready") == ("False", Reason.ROLLED_BACK)


@pytest.mark.parametrize(
    "situation",
    [
        scene(observation=observed(checks=FAILED), spec=spec_of(paused=True)),
        with_candidate(scene(observation=observed(checks=FAILED)), pods=(), endpoints=0),
        scene(observation=observed(checks=FAILED, caught_up=False, problem="connection refused")),
        scene(observation=observed(checks=FAILED), route=route_of({STABLE: 90, CANDIDATE: 10}, RouteState.PENDING)),
        annotated(scene(), abort=f"{CANDIDATE}/1"),
        scene(status=status_of(candidate_status(exits_under_weight=2))),
    ],
    ids=["paused", "no pods", "Prometheus is down", "an earlier weight is not live", "abort", "exits"],
)
def test_a_rollback_waits_for_nothing(situation: Snapshot) -> None:
    plan = decide(situation)
    assert shares(plan.actions[0]) == {STABLE: 100}
    assert plan.status is not None
    assert [r.revision for r in plan.status.rejected] == [CANDIDATE]


def test_a_rollback_waits_for_a_stable_that_can_serve() -> None:
    """Invariant 1: nine of ten requests are lost already; the tenth would be too."""
    plan = decide(with_stable(scene(observation=observed(checks=FAILED)), pods=(), endpoints=0))
    assert routes(plan) == [] or all(shares(route).get(CANDIDATE) == 10 for route in routes(plan))
    assert any(isinstance(action, Mark) for action in plan.actions)
    assert condition(plan, "Available") == ("False", Reason.STABLE_UNAVAILABLE)


def test_when_neither_can_serve_the_route_goes_to_stable() -> None:
    nobody = with_candidate(with_stable(scene(), pods=(), endpoints=0), pods=(), endpoints=0)
    (route,) = routes(decide(nobody))
    assert shares(route) == {STABLE: 100}


def test_blindness_retreats_without_rejecting() -> None:
    old = dict.fromkeys((pod.name for pod in pods(CANDIDATE, 1)), NOW - timedelta(seconds=61))
    blind = scene(observation=observed(newest=old, seen=frozenset(), problem="connection refused"))
    plan = decide(blind)
    assert shares(plan.actions[0]) == {STABLE: 100}
    assert plan.status is not None
    assert plan.status.rejected == ()
    assert plan.status.candidate is not None
    assert plan.status.candidate.retreated == "Blind"
    assert plan.status.candidate.stage.live_since is None
    assert condition(plan, "Stalled")[0] == "False"
    assert announced(blind) == ["Blind"]


def test_when_sight_returns_the_same_stage_starts_again() -> None:
    candidate = candidate_status(1, "half", live=False, retreated="Blind")
    ready = with_candidate(not_exposed(status=status_of(candidate)), pods=pods(CANDIDATE, 2), endpoints=2)
    plan = decide(ready)
    assert [shares(route) for route in routes(plan)] == [{STABLE: 50, CANDIDATE: 50}]
    assert announced(ready) == ["StageRestarted"]
    assert plan.status is not None
    assert plan.status.candidate is not None
    assert plan.status.candidate.retreated is None


def test_a_lost_candidate_retreats_and_starts_again() -> None:
    lost = with_candidate(scene(), endpoints=0)
    plan = decide(lost)
    assert shares(plan.actions[0]) == {STABLE: 100}
    assert plan.status is not None
    assert plan.status.rejected == ()
    assert announced(lost) == ["CandidateLost"]


def test_an_interrupted_rollback_is_finished_without_new_evidence() -> None:
    """Killed after the first write: the route remembers, the status does not."""
    half = scene(route=route_of({STABLE: 100}, rejected=CANDIDATE), observation=observed(requests=0, checks=()))
    plan = decide(half)
    assert plan.status is not None
    assert [(r.revision, r.reason) for r in plan.status.rejected] == [(CANDIDATE, Reason.ROLLED_BACK)]
    assert plan.status.candidate is None
    assert [a.rejected is not None for a in plan.actions if isinstance(a, Mark)] == [True]
    assert all(CANDIDATE not in shares(route) for route in routes(plan))
    assert announced(half) == ["RolledBack"]


def test_a_refused_rollback_is_tried_again_each_second() -> None:
    plan = decide(scene(observation=observed(checks=FAILED)))
    digest = routes(plan)[0].manifest["metadata"]["annotations"]["sluice.dev/applied"]

    def after(seconds: int) -> list[Apply]:
        refusal = Refusal(digest, "Forbidden", "denied by a policy", NOW - timedelta(seconds=seconds))
        again = scene(observation=observed(checks=FAILED), refusals={("HTTPRoute", "flights"): refusal})
        assert decide(again).requeue_after == TICK
        return routes(decide(again))

    assert after(0) == []
    assert [shares(route) for route in after(1)] == [{STABLE: 100}]


# --- people ----------------------------------------------------------------------------------------------------------


def test_a_rejected_spec_does_nothing_but_say_so() -> None:
    again = scene(status=status_of(None, rejected=(REJECTED,)), route=route_of({STABLE: 100}, rejected=CANDIDATE))
    plan = decide(again)
    assert routes(plan) == []
    assert condition(plan, "Stalled") == ("True", Reason.REJECTED)
    assert condition(plan, "Available") == ("True", Reason.SERVING)


@pytest.mark.parametrize(
    "memory",
    [
        {"status": status_of(None, rejected=(REJECTED,))},
        {"route": route_of({STABLE: 100}, rejected=CANDIDATE)},
        {
            "revisions": {
                STABLE: revision_facts("a", 4, 4),
                CANDIDATE: revision_facts("b", 1, 1, rejected="CheckFailed: x"),
            }
        },
    ],
    ids=["status", "route", "ControllerRevision"],
)
def test_any_one_of_three_memories_keeps_a_rejected_revision_out(memory: dict[str, object]) -> None:
    plan = decide(scene(**{"status": status_of(None), "route": route_of({STABLE: 100})} | memory))
    assert plan.status is not None
    assert plan.status.candidate is None
    assert condition(plan, "Stalled")[0] == "True"


def test_a_retry_forgets_the_rejection_everywhere_and_begins_again() -> None:
    rejected = scene(
        status=status_of(None, rejected=(REJECTED,)),
        route=route_of({STABLE: 100}, rejected=CANDIDATE),
        revisions={STABLE: revision_facts("a", 4, 4), CANDIDATE: revision_facts("b", 0, 1, rejected="CheckFailed: x")},
    )
    plan = decide(annotated(rejected, retry=f"{CANDIDATE}/1"))
    assert [a.rejected for a in plan.actions if isinstance(a, Mark)] == [None]
    (route,) = routes(plan)
    assert ANNOTATION_REJECTED not in route.manifest["metadata"]["annotations"]
    assert plan.status is not None
    assert plan.status.rejected == ()
    assert plan.status.candidate is not None
    assert plan.status.candidate.started_at == NOW
    assert plan.status.last_handled.retry == f"{CANDIDATE}/1"


def test_a_retry_acts_once() -> None:
    handled = Status().last_handled.model_copy(update={"retry": f"{CANDIDATE}/1"})
    status = status_of(None, rejected=(REJECTED,), last_handled=handled)
    plan = decide(annotated(scene(status=status, route=route_of({STABLE: 100})), retry=f"{CANDIDATE}/1"))
    assert plan.status is not None
    assert plan.status.candidate is None


def test_a_newer_spec_supersedes_and_stable_stays() -> None:
    plan = decide(scene(spec=spec_of("c")))
    assert shares(plan.actions[0]) == {STABLE: 100}
    assert plan.status is not None
    assert plan.status.stable == scene().status.stable
    assert plan.status.candidate is not None
    assert plan.status.candidate.revision == OTHER
    assert plan.status.candidate.stage.index == 0
    assert [h.outcome for h in plan.status.history] == ["Superseded"]
    assert plan.status.rejected == ()


def test_a_newer_spec_is_not_judged_by_the_evidence_on_the_older_one() -> None:
    """The verdict on the old candidate and the new spec come in the same pass."""
    plan = decide(scene(spec=spec_of("c"), observation=observed(checks=FAILED)))
    assert shares(plan.actions[0]) == {STABLE: 100}
    assert plan.status is not None
    assert plan.status.rejected == ()
    assert plan.status.candidate is not None
    assert plan.status.candidate.revision == OTHER


def test_evidence_from_before_a_retry_of_the_candidate_is_not_held_against_it() -> None:
    paused = (check(Verdict.FAIL, OnFail.PAUSE),)
    plan = decide(annotated(scene(observation=observed(checks=paused)), retry=f"{CANDIDATE}/1"))
    assert condition(plan, "Stalled")[0] == "False"
    assert plan.status is not None
    assert plan.status.candidate is not None
    assert plan.status.candidate.started_at == NOW


def test_a_rejection_that_only_the_route_remembers_outlives_a_change_of_the_spec() -> None:
    """Killed after the first write of a rollback, and the spec went back to stable before the next pass."""
    half = scene(spec=spec_of("a"), route=route_of({STABLE: 100}, rejected=CANDIDATE))
    plan = decide(half)
    assert plan.status is not None
    assert [r.revision for r in plan.status.rejected] == [CANDIDATE]
    assert [a.name for a in plan.actions if isinstance(a, Mark)] == [f"flights-{CANDIDATE}"]
    kept = {route.manifest["metadata"]["annotations"].get(ANNOTATION_REJECTED) for route in routes(plan)}
    assert kept <= {CANDIDATE}


def test_the_spec_back_at_stable_ends_the_rollout_without_a_failure() -> None:
    plan = decide(scene(spec=spec_of("a")))
    assert shares(plan.actions[0]) == {STABLE: 100}
    assert plan.status is not None
    assert plan.status.candidate is None
    assert [h.outcome for h in plan.status.history] == ["Cancelled"]
    assert condition(plan, "Stalled")[0] == "False"


def test_a_pause_holds_the_weight_and_starts_nothing() -> None:
    held = decide(scene(spec=spec_of(paused=True)))
    assert held.actions == ()
    assert held.status is not None
    assert held.status.candidate is not None
    assert held.status.candidate.stage.name == "first"
    idle = decide(scene(spec=spec_of("c", paused=True), status=status_of(None), route=route_of({STABLE: 100})))
    assert idle.status is not None
    assert idle.status.candidate is None
    assert condition(idle, "Reconciling") == ("True", Reason.PAUSED)


@pytest.mark.parametrize(
    ("obstacle", "reason"),
    [
        ({"runtimes": {}}, Reason.UNKNOWN_RUNTIME),
        ({"gateways": (replace(scene().gateways[0], controller=None),)}, Reason.GATEWAY_NOT_FOUND),
        (
            {"spec": spec_of("c", model={"uri": "http://models/m/manifest.json", "digest": "sha256:" + "c" * 64})},
            Reason.MODEL_HOST_NOT_ALLOWED,
        ),
        ({"spec": None, "spec_problem": "spec.replicas: no"}, Reason.INVALID_SPEC),
    ],
    ids=["runtime", "gateway", "host", "spec"],
)
def test_what_cannot_start_is_stalled_and_stable_is_left_alone(obstacle: dict[str, object], reason: Reason) -> None:
    plan = decide(
        scene(**{"spec": spec_of("c"), "status": status_of(None), "route": route_of({STABLE: 100})} | obstacle)
    )
    assert condition(plan, "Stalled") == ("True", reason)
    assert not any(isinstance(a, Delete) and STABLE in a.name for a in plan.actions)
    assert routes(plan) == []


def test_an_object_that_is_being_deleted_is_left_to_the_garbage_collector() -> None:
    assert decide(scene(deleting=True)).actions == ()


# --- cleaning up -----------------------------------------------------------------------------------------------------


def retiring(seconds: float, **changes: object) -> list[str]:
    """Names of what is deleted when the candidate lost its place so long ago."""
    entry = {"revision": CANDIDATE, "since": NOW - timedelta(seconds=seconds)}
    status = Status.model_validate({"retiring": [entry]}).model_copy(update={"stable": scene().status.stable})
    snapshot = scene(**{"spec": spec_of("a"), "status": status, "route": route_of({STABLE: 100})} | changes)
    return [f"{a.kind} {a.name}" for a in decide(snapshot).actions if isinstance(a, Delete)]


def test_a_retired_revision_is_kept_for_scale_down_delay() -> None:
    assert retiring(29) == []
    assert retiring(30) == [f"Deployment flights-{CANDIDATE}", f"Service flights-{CANDIDATE}"]


@pytest.mark.parametrize(
    "still",
    [
        {"route": route_of({STABLE: 100}, RouteState.PENDING)},
        {"stable_selects": CANDIDATE},
    ],
    ids=["the gateway has not moved yet", "Service m selects it"],
)
def test_a_retired_revision_is_kept_while_somebody_may_use_it(still: dict[str, object]) -> None:
    assert retiring(3600, **still) == []


def test_an_old_refusal_is_forgotten() -> None:
    """Of what nobody wants any more at once, of what is wanted after a minute."""
    foreign = Refusal("digest", "NameConflict", "not ours", NOW)
    calm = {"spec": spec_of("a"), "status": status_of(None), "route": route_of({STABLE: 100})}
    of_other = scene(**calm, refusals={("Service", f"flights-{OTHER}"): foreign})
    assert condition(decide(of_other), "Stalled")[0] == "False"
    wanted = {("Service", "flights"): foreign}
    assert condition(decide(scene(**calm, refusals=wanted)), "Stalled") == ("True", Reason.NAME_CONFLICT)
    old = {key: replace(refusal, at=NOW - timedelta(seconds=60)) for key, refusal in wanted.items()}
    assert condition(decide(scene(**calm, refusals=old)), "Stalled")[0] == "False"
