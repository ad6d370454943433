"""All traffic only for a candidate that was shown to be good enough, or that a person let pass."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from sluice.api.names import Reason
from sluice.api.status import StageStatus, Verdict
from sluice.api.v1alpha1 import Analysis, OnDeadline, OnFail
from sluice.core.analysis.verdicts import CheckResult
from sluice.core.plan import Plan
from sluice.core.planner import decide
from sluice.core.snapshot import Snapshot
from sluice.core.stages import PROMOTE, Stage, largest_share
from unit.operator.core.scenes import (
    CANDIDATE,
    NOW,
    STABLE,
    candidate_status,
    condition,
    observed,
    pods,
    revision_facts,
    route_of,
    routes,
    scene,
    shares,
    spec_of,
    status_of,
)


def said(verdict: Verdict, required: bool = True) -> CheckResult:
    words = ("0.4 of 200", "3 of 80 requests failed")
    return CheckResult("errors", verdict, OnFail.ROLLBACK, *words, required=required, certificate="3.1 of 20")


def last_step(*checks: CheckResult, live: timedelta = timedelta(minutes=10), **analysis: Any) -> Snapshot:
    """The candidate has had the last step's 50% for ten minutes; all other gates are open."""
    spec = spec_of(analysis=Analysis(**analysis).model_dump(mode="json", by_alias=True))
    assert spec.strategy.canary is not None
    steps = spec.strategy.canary.steps
    stage = StageStatus(index=len(steps) - 1, name=steps[-1].name or "", entered_at=NOW - live, live_since=NOW - live)
    candidate = candidate_status().model_copy(update={"stage": stage})
    weight = steps[-1].weight
    names = [pod.name for pod in pods(CANDIDATE, 4)]
    seen = observed(seen=frozenset(names), newest=dict.fromkeys(names, NOW), requests=10**6, checks=checks)
    return replace(
        scene(),
        spec=spec,
        status=status_of(candidate),
        revisions={STABLE: revision_facts("a", 4, 4), CANDIDATE: revision_facts("b", 4, 4)},
        route=route_of({STABLE: 100 - weight, CANDIDATE: weight}),
        observation=seen,
    )


def stage_of(plan: Plan) -> str:
    assert plan.status is not None
    assert plan.status.candidate is not None
    return plan.status.candidate.stage.name


@pytest.mark.parametrize(
    ("check", "passes"),
    [
        (said(Verdict.CERTIFIED), True),
        (said(Verdict.UNDECIDED), False),
        (said(Verdict.UNDECIDED, required=False), True),
        (said(Verdict.NO_DATA), False),
    ],
)
def test_the_last_step_is_left_with_certificates_only(check: CheckResult, passes: bool) -> None:
    assert (stage_of(decide(last_step(check))) == PROMOTE.name) is passes


def test_what_is_waited_for_is_told() -> None:
    plan = decide(last_step(said(Verdict.UNDECIDED)))
    assert plan.status is not None
    assert "check errors is not certified: 3.1 of 20" in plan.status.summary


def test_earlier_steps_need_no_certificate() -> None:
    first = replace(scene(), observation=observed(checks=(said(Verdict.UNDECIDED),)))
    assert stage_of(decide(first)) != stage_of(Plan(status=first.status))


LATE = {"evidence_deadline": timedelta(minutes=5)}


def test_after_the_deadline_a_person_decides() -> None:
    plan = decide(last_step(said(Verdict.UNDECIDED), **LATE))
    assert condition(plan, "Stalled") == ("True", Reason.NOT_CERTIFIED)
    assert not routes(plan)
    assert plan.status is not None
    assert "evidenceDeadline" in next(c.message for c in plan.status.conditions if c.type == "Stalled")


def test_after_the_deadline_it_may_be_rejected() -> None:
    plan = decide(last_step(said(Verdict.UNDECIDED), on_deadline=OnDeadline.ROLLBACK, **LATE))
    assert shares(routes(plan)[0]) == {STABLE: 100}
    assert plan.status is not None
    assert plan.status.rejected[0].revision == CANDIDATE


@pytest.mark.parametrize(("verdict", "passes"), [(Verdict.UNDECIDED, True), (Verdict.NO_DATA, False)])
def test_after_the_deadline_it_may_pass_but_never_unseen(verdict: Verdict, passes: bool) -> None:
    plan = decide(last_step(said(verdict), on_deadline=OnDeadline.PROMOTE, **LATE))
    assert (stage_of(plan) == PROMOTE.name) is passes


def test_before_the_deadline_nothing_is_given_up() -> None:
    young = last_step(said(Verdict.UNDECIDED), live=timedelta(minutes=4), on_deadline=OnDeadline.ROLLBACK, **LATE)
    assert stage_of(decide(young)) != PROMOTE.name


def test_the_largest_share_is_that_of_the_largest_step() -> None:
    ten, fifty = (Stage(f"{weight}", weight, timedelta(), 0) for weight in (10, 50))
    assert largest_share((ten, fifty, PROMOTE)) == 0.5
    assert largest_share((ten, PROMOTE)) == 0.1
