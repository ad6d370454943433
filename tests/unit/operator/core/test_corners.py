"""Rare meetings of two things, each of which once went wrong: given both, then neither is lost."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from sluice.api.names import Reason
from sluice.api.status import RETIRING_LIMIT, CheckStatus, RejectedStatus, RetiringStatus, Status, Verdict
from sluice.api.v1alpha1 import Analysis, Check, OnFail, RateCheck
from sluice.core.analysis.verdicts import CheckResult, Observation
from sluice.core.plan import DELETING, MARKING, Announce, Apply, Delete, Mark, Plan, Refusal
from sluice.core.planner import decide
from sluice.core.rendering import pod_template
from sluice.core.revision import canonical, checks_of, inputs_of
from sluice.core.snapshot import Child, RouteState, Snapshot
from unit.operator.core.scenes import (
    CANDIDATE,
    IDENTITY,
    NOW,
    OTHER,
    RUNTIME,
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


def status(plan: Plan) -> Status:
    assert plan.status is not None
    return plan.status


# --- stable is gone, and something else happens -------------------------------------------------------------------


@pytest.mark.parametrize("letter", ["c", "a"], ids=["a newer spec", "back to stable"])
def test_the_only_revision_that_serves_is_not_taken_away_by_a_spec(letter: str) -> None:
    given = with_stable(scene(spec=spec_of(letter)), pods=(), endpoints=0)
    plan = decide(given)
    assert routes(plan) == []
    assert status(plan).candidate is not None
    assert condition(plan, "Stalled") == ("True", Reason.STABLE_UNAVAILABLE)


def test_a_step_that_was_lowered_waits_for_stable() -> None:
    steps = {"type": "Canary", "canary": {"steps": [{"name": "first", "weight": 5}]}}
    given = with_stable(scene(spec=spec_of(strategy=steps), observation=observed(requests=0)), pods=(), endpoints=0)
    assert routes(decide(given)) == []
    assert shares(routes(decide(with_stable(given, pods=pods(STABLE, 4), endpoints=4)))[0]) == {
        STABLE: 95,
        CANDIDATE: 5,
    }


# --- a candidate that could not start, and its correction ------------------------------------------------------------


def moved(**facts: Any) -> Snapshot:
    """The candidate was recorded with a wrong address, and the spec has the right one now."""
    wrong = spec_of("b", model={"uri": "https://nowhere.example/manifest.json", "digest": f"sha256:{'b' * 64}"})
    given = with_candidate(not_exposed(), pods=(), endpoints=0, inputs=inputs_of(wrong))
    template = canonical(pod_template(IDENTITY.name, inputs_of(wrong), RUNTIME))
    return with_candidate(given, template=template, deployment=Child("deployment", "of the wrong address"), **facts)


def test_a_corrected_address_is_taken_up() -> None:
    plan = decide(moved())
    kinds = [(type(a).__name__, a.kind) for a in plan.actions if isinstance(a, Apply | Delete)]
    assert kinds[:2] == [("Delete", "ControllerRevision"), ("Apply", "ControllerRevision")]
    [deployment] = applied(plan, "Deployment")
    [fetcher] = deployment["spec"]["template"]["spec"]["initContainers"]
    assert "https://models.example/b/manifest.json" in fetcher["args"]


def test_a_candidate_that_is_ready_keeps_what_it_was_made_with() -> None:
    given = moved(pods=pods(CANDIDATE, 1), endpoints=1)
    assert applied(decide(given), "ControllerRevision") == []


def test_an_upgrade_that_renders_differently_touches_only_what_cannot_start() -> None:
    newer = RUNTIME.model_copy(update={"image": "registry.example/corrected:$(version)"})
    loading = with_candidate(not_exposed(runtimes={"sim": newer}), pods=(), endpoints=0)
    assert applied(decide(loading), "ControllerRevision") == []
    troubled = replace(pods(CANDIDATE, 1)[0], ready=False, trouble="container model: ErrImagePull")
    assert len(applied(decide(with_candidate(loading, pods=(troubled,))), "ControllerRevision")) == 1


def test_a_record_that_may_not_be_deleted_is_not_asked_for_again_at_once() -> None:
    given = replace(moved(), refusals=refused("ControllerRevision", f"flights-{CANDIDATE}", DELETING))
    assert [a for a in decide(given).actions if isinstance(a, Delete)] == []


def test_a_corrected_runtime_reaches_a_candidate_whose_deployment_was_refused() -> None:
    newer = RUNTIME.model_copy(update={"image": "registry.example/corrected:$(version)"})
    given = with_candidate(not_exposed(runtimes={"sim": newer}), pods=(), endpoints=0)
    given = replace(given, refusals=refused("Deployment", f"flights-{CANDIDATE}", "digest of the bad one"))
    assert len(applied(decide(given), "ControllerRevision")) == 1


def test_another_address_of_what_serves_is_told_and_restarts_nothing() -> None:
    elsewhere = {"uri": "https://elsewhere.example/manifest.json", "digest": f"sha256:{'a' * 64}"}
    given = scene(spec=spec_of("a", model=elsewhere), status=status_of(None), route=route_of({STABLE: 100}))
    plan = decide(given)
    assert [a.reason for a in plan.actions if isinstance(a, Announce)] == [Reason.MODEL_MOVED]
    assert [a for a in plan.actions if not isinstance(a, Announce)] == []
    later = replace(given, status=status(plan), identity=replace(given.identity, generation=99))
    assert [a for a in decide(later).actions if isinstance(a, Announce)] == []


def test_another_secret_for_what_serves_is_told_and_restarts_nothing() -> None:
    uri, digest = "https://models.example/a/manifest.json", f"sha256:{'a' * 64}"
    given = scene(
        spec=spec_of("a", model={"uri": uri, "digest": digest, "secretRef": {"name": "new"}}),
        status=status_of(None),
        route=route_of({STABLE: 100}),
    )
    [told] = [a for a in decide(given).actions if isinstance(a, Announce)]
    assert told.reason == Reason.MODEL_MOVED
    assert "spec.model.secretRef is another one" in told.message
    assert "with no Secret" in told.message


# --- the API server refuses --------------------------------------------------------------------------------------


def refused(kind: str, name: str, what: str) -> dict[tuple[str, str], Refusal]:
    return {(kind, name): Refusal(what, "Forbidden", "a policy says no", NOW - timedelta(seconds=1))}


def test_a_removal_that_is_refused_is_not_repeated_at_once_and_holds_nothing_up() -> None:
    old = revision_facts("c", 1, 1)
    given = scene(
        status=status_of(
            candidate_status(), retiring=(RetiringStatus(revision=OTHER, since=NOW - timedelta(minutes=1)),)
        )
    )
    given = replace(given, revisions={**given.revisions, OTHER: old})
    assert any(isinstance(a, Delete) and a.kind == "Deployment" for a in decide(given).actions)
    again = replace(given, refusals=refused("Deployment", f"flights-{OTHER}", DELETING))
    deletions = [a.kind for a in decide(again).actions if isinstance(a, Delete)]
    assert deletions == ["Service"]


def test_a_mark_that_is_refused_does_not_hold_up_the_end_of_a_rollback() -> None:
    given = scene(
        observation=observed(checks=(check(Verdict.FAIL),)), route=route_of({STABLE: 100}, rejected=CANDIDATE)
    )
    given = replace(given, refusals=refused("ControllerRevision", f"flights-{CANDIDATE}", MARKING))
    plan = decide(given)
    assert [a for a in plan.actions if isinstance(a, Mark)] == []
    assert status(plan).rejected[0].revision == CANDIDATE


# --- what a person decides ---------------------------------------------------------------------------------------


def paused_by_check(**changes: Any) -> Snapshot:
    """A check with onFail: Pause failed; a new operator has measured it anew and finds nothing."""
    failed = CheckStatus(name="errors", verdict=Verdict.FAIL, evidence="3 of 3", message="0.7, at most 0.5 allowed")
    quiet = CheckResult("errors", Verdict.UNDECIDED, OnFail.PAUSE, "0 of 3", "0.2")
    check = Check(name="errors", type="Rate", on_fail=OnFail.PAUSE, rate=RateCheck(max=Decimal("0.05")))
    spec = spec_of().model_copy(update={"analysis": Analysis(checks=(check,))})
    candidate = candidate_status(checks=checks_of(spec))
    given = scene(spec=spec, status=status_of(candidate, checks=(failed,)), observation=observed(checks=(quiet,)))
    return replace(given, **changes)


def test_a_check_that_pauses_is_remembered_by_the_status() -> None:
    plan = decide(paused_by_check())
    assert condition(plan, "Stalled") == ("True", Reason.PAUSED_BY_CHECK)
    assert status(plan).checks[0].verdict is Verdict.FAIL
    assert routes(plan) == []


def test_another_spec_with_the_same_checks_is_no_decision() -> None:
    """An autoscaler that writes spec.replicas must not let a rollout go on that waits for a person."""
    given = paused_by_check()
    assert given.spec is not None
    scaled = replace(given, spec=given.spec.model_copy(update={"replicas": 5}))
    scaled = replace(scaled, identity=replace(scaled.identity, generation=scaled.identity.generation + 1))
    assert condition(decide(scaled), "Stalled") == ("True", Reason.PAUSED_BY_CHECK)


def test_other_checks_are_a_decision() -> None:
    given = paused_by_check()
    assert given.spec is not None
    wider = Check(name="errors", type="Rate", on_fail=OnFail.PAUSE, rate=RateCheck(max=Decimal("0.5")))
    other = replace(given, spec=given.spec.model_copy(update={"analysis": Analysis(checks=(wider,))}))
    assert condition(decide(other), "Stalled")[0] == "False"


def test_a_failure_outlives_a_moment_without_any_observation() -> None:
    """The runtime's row was away for a pass: nothing is observed, and nothing forgotten."""
    given = paused_by_check(observation=Observation(problem="runtime sim is no longer in the operator's table"))
    told = status(decide(given))
    assert told.checks[0].verdict is Verdict.FAIL
    assert condition(decide(replace(paused_by_check(), status=told)), "Stalled")[0] == "True"


def test_a_retry_is_a_decision() -> None:
    plan = decide(annotated(paused_by_check(), retry=f"{CANDIDATE}/1"))
    assert status(plan).checks == ()
    after = replace(paused_by_check(), status=status(plan))
    after = annotated(after, retry=f"{CANDIDATE}/1")
    assert condition(decide(after), "Stalled")[0] == "False"


def test_an_abort_and_a_newer_spec_in_one_apply() -> None:
    plan = decide(annotated(scene(spec=spec_of("c")), abort=f"{CANDIDATE}/1"))
    assert [entry.revision for entry in status(plan).rejected] == [CANDIDATE]
    assert [a.name for a in plan.actions if isinstance(a, Mark)] == [f"flights-{CANDIDATE}"]
    [route] = routes(plan)
    assert route.manifest["metadata"]["annotations"]["sluice.dev/rejected"] == CANDIDATE
    assert status(plan).candidate is not None
    assert status(plan).candidate.revision == OTHER


def test_a_retry_of_one_revision_in_the_pass_that_rejects_another() -> None:
    given = scene(
        status=status_of(candidate_status(), rejected=(RejectedStatus(revision=OTHER, reason="X", at=NOW),)),
        observation=observed(checks=(check(Verdict.FAIL),)),
    )
    given = replace(given, revisions={**given.revisions, OTHER: revision_facts("c", 0, 0, rejected="X: bad")})
    marks = {a.name: a.rejected for a in decide(annotated(given, retry=f"{OTHER}/1")).actions if isinstance(a, Mark)}
    assert marks[f"flights-{OTHER}"] is None
    assert marks[f"flights-{CANDIDATE}"] is not None


def test_a_verb_that_the_status_cannot_hold_is_recorded_short_and_acted_on_once() -> None:
    given = annotated(scene(), abort=f"{STABLE}/{'x' * 400}")
    told = status(decide(given))
    assert len(told.last_handled.abort or "") <= 256
    assert status(decide(replace(given, status=told))).last_handled == told.last_handled


# --- nobody is there -----------------------------------------------------------------------------------------------


def test_the_first_revision_that_is_rejected_loses_its_route_and_comes_to_rest() -> None:
    alone = scene(
        spec=spec_of("b"),
        status=status_of(candidate_status(0, "initial", live=False), stable=None),
        route=route_of({CANDIDATE: 100}, RouteState.REFUSED),
    )
    plan = decide(annotated(alone, abort=f"{CANDIDATE}/1"))
    assert isinstance(plan.actions[0], Delete)
    assert plan.actions[0].kind == "HTTPRoute"
    gone = annotated(replace(alone, status=status(plan), route=None), abort=f"{CANDIDATE}/1")
    later = decide(replace(gone, now=NOW + timedelta(seconds=5)))
    assert routes(later) == []
    assert not later.urgent
    assert status(later).retiring == status(plan).retiring


def test_a_first_revision_that_never_served_is_not_promoted_for_a_newer_spec() -> None:
    alone = scene(
        spec=spec_of("c"),
        status=status_of(candidate_status(0, "initial", live=False), stable=None),
        route=route_of({CANDIDATE: 100}),
    )
    told = status(decide(with_candidate(alone, pods=(), endpoints=0)))
    assert told.stable is None
    assert [entry.outcome for entry in told.history] == ["Superseded"]
    serving = status(decide(alone))
    assert serving.stable is not None
    assert serving.stable.revision == CANDIDATE


def test_a_revision_that_lost_its_weight_a_moment_ago_is_kept_though_no_status_tells_of_it() -> None:
    """The pass that took its weight could not write the status: what it tells of is a minute old."""
    old = RetiringStatus(revision=OTHER, since=NOW - timedelta(minutes=1))
    given = scene(spec=spec_of("a"), status=status_of(None, retiring=(old,)), route=route_of({STABLE: 100}))
    given = replace(given, revisions={STABLE: given.revisions[STABLE], OTHER: revision_facts("c", 1, 1)})
    assert any(isinstance(a, Delete) for a in decide(given).actions)
    remembered = decide(replace(given, had_weight={OTHER: NOW - timedelta(seconds=1)}))
    assert [a for a in remembered.actions if isinstance(a, Delete)] == []
    assert status(remembered).retiring[0].since == NOW - timedelta(seconds=1)


# --- a comparison without a stable ----------------------------------------------------------------------------------


def unseen_stable(seconds: float, **changes: Any) -> Snapshot:
    """The candidate is compared with a stable that nobody has seen for so long."""
    lacking = CheckResult(
        "errors", Verdict.NO_DATA, OnFail.ROLLBACK, "1 of 100", "stable is not seen", lacks_stable=True
    )
    seen = {"compares": True, "stable_newest": NOW - timedelta(seconds=seconds), "checks": (lacking,)}
    return scene(observation=observed(**seen), **changes)


def test_a_stable_that_nobody_sees_is_blindness() -> None:
    assert routes(decide(unseen_stable(30))) == []
    [route] = routes(decide(unseen_stable(60)))
    assert shares(route) == {STABLE: 100}


def test_a_stable_without_pods_does_not_hold_up_the_remedy() -> None:
    """People roll out the remedy just then: what cannot be compared is judged by the rest."""
    gone = with_stable(unseen_stable(3600), pods=(), endpoints=0)
    plan = decide(gone)
    assert status(plan).candidate is not None
    assert status(plan).candidate.stage.name == "half"


# --- more than fits -------------------------------------------------------------------------------------------------


def test_more_superseded_revisions_than_the_status_holds_go_at_once() -> None:
    facts = {f"{n:08x}": replace(revision_facts("c", 0, 0), revision=f"{n:08x}") for n in range(RETIRING_LIMIT + 1)}
    given = scene(spec=spec_of(scaleDownDelay="1h"))
    given = replace(given, revisions={**given.revisions, **facts})
    plan = decide(given)
    assert len(status(plan).retiring) == RETIRING_LIMIT
    removed = {a.name for a in plan.actions if isinstance(a, Delete)}
    assert removed == {f"flights-{RETIRING_LIMIT:08x}"}


def test_a_retreat_from_all_traffic_begins_again_with_the_last_step() -> None:
    """Not with a jump from 0 to 100%."""
    given = scene(
        status=status_of(candidate_status(2, "promote")),
        route=route_of({CANDIDATE: 100}, RouteState.PENDING),
    )
    given = with_candidate(given, pods=(), endpoints=0, replicas=4)
    told = status(decide(given)).candidate
    assert told is not None
    assert (told.stage.index, told.stage.name, told.retreated) == (1, "half", "CandidateLost")


# --- whatever the API server stores can be decided on -----------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"template": {"spec": {"containers": ["model"]}}},
        {"template": {"spec": {"containers": [{"image": "no name"}]}}},
        {"model": {"uri": "https://[abc/manifest.json", "digest": f"sha256:{'c' * 64}"}},
    ],
    ids=["a container that is a word", "a container without a name", "an address that is none"],
)
def test_odd_specs_yield_a_plan(changes: dict[str, Any]) -> None:
    plan = decide(
        scene(
            spec=spec_of("c", **changes),
            status=status_of(None),
            route=route_of({STABLE: 100}),
            revisions={STABLE: revision_facts("a", 4, 4)},
        )
    )
    assert plan.status is not None


def test_time_that_a_lost_status_left_behind_is_no_evidence() -> None:
    """It lost its weight while no status could be written: the clock of before must not run on when it rises again."""
    stale = scene(route=route_of({STABLE: 100}))
    first = decide(stale)
    place = status(first).candidate
    assert place is not None
    assert (place.stage.live_since, place.stage.live_for, place.stage.entered_at) == (None, timedelta(), NOW)


def test_a_verdict_comes_after_the_route_also_where_no_weight_is_seen() -> None:
    """A write that raised it may have been late, and its watch too."""
    failed = observed(checks=(check(Verdict.FAIL),))
    actions = decide(not_exposed(observation=failed)).actions
    kinds = [type(action) for action in actions]
    assert kinds.index(Apply) < kinds.index(Mark)
    assert isinstance(actions[0], Apply)
    assert actions[0].kind == "HTTPRoute"
