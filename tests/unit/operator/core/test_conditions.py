"""What people and tools are told: conditions in kstatus' sense, and the story in a few words."""

from dataclasses import replace
from datetime import timedelta

import pytest

from sluice.api.status import Status, Verdict
from sluice.core.conditions import significant
from sluice.core.planner import decide
from sluice.core.revision import checks_of
from sluice.core.snapshot import RouteState, Snapshot
from unit.operator.core.scenes import (
    CANDIDATE,
    NOW,
    STABLE,
    candidate_status,
    check,
    condition,
    not_exposed,
    observed,
    route_of,
    scene,
    spec_of,
    status_of,
    with_candidate,
    with_stable,
)

SERVING = scene(spec=spec_of("a"), status=status_of(None), route=route_of({STABLE: 100}))

ROWS = [
    ("it serves", SERVING, ("True", "True", "False", "False"), "UpToDate", "Serving"),
    (
        "it rolls",
        scene(observation=observed(requests=7)),
        ("True", "False", "True", "False"), "Rolling", "first: 7 of 100 requests",
    ),
    (
        "it waits for pods",
        with_candidate(not_exposed(), pods=(), endpoints=0),
        ("True", "False", "True", "False"), "WaitingForPods", "first: WaitingForPods",
    ),
    (
        "the gateway has not taken the route",
        replace(SERVING, route=route_of({STABLE: 100}, RouteState.PENDING)),
        ("True", "False", "False", "False"), "UpToDate", "Serving",
    ),
    (
        "it was rolled back",
        scene(observation=observed(checks=(check(Verdict.FAIL),))),
        ("True", "False", "False", "True"), "RolledBack", "RolledBack",
    ),
    (
        "stable has no pods",
        with_stable(SERVING, pods=(), endpoints=0),
        ("False", "True", "False", "False"), "UpToDate", "Serving",
    ),
    ("it is paused", scene(spec=spec_of(paused=True)), ("True", "False", "True", "False"), "Paused", "first: Paused"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "said", "reason", "summary"), [r[1:] for r in ROWS], ids=[r[0] for r in ROWS])
def test_conditions(given: Snapshot, said: tuple[str, ...], reason: str, summary: str) -> None:
    """Available, Ready, Reconciling, Stalled; the reason is Reconciling's."""
    plan = decide(given)
    kinds = ("Available", "Ready", "Reconciling", "Stalled")
    assert tuple(condition(plan, kind)[0] for kind in kinds) == said
    assert condition(plan, "Reconciling")[1] == reason
    assert plan.status is not None
    assert plan.status.summary == summary
    assert all(c.observed_generation == 3 for c in plan.status.conditions)
    assert plan.status.observed_generation == 3


@pytest.mark.parametrize("given", [row[1] for row in ROWS], ids=[row[0] for row in ROWS])
def test_reconciling_and_stalled_are_never_both_true(given: Snapshot) -> None:
    plan = decide(given)
    assert [condition(plan, kind)[0] for kind in ("Reconciling", "Stalled")] != ["True", "True"]


def test_a_transition_time_moves_only_when_the_status_flips() -> None:
    before = decide(SERVING).status
    later = NOW + timedelta(minutes=5)
    assert before is not None
    same = decide(replace(SERVING, status=before, now=later)).status
    assert same is not None
    assert {c.last_transition_time for c in same.conditions} == {NOW}
    down = decide(with_stable(replace(SERVING, status=before, now=later), pods=(), endpoints=0)).status
    assert down is not None
    assert {c.type for c in down.conditions if c.last_transition_time == later} == {"Available"}


def test_the_traffic_is_what_the_route_says_stable_first() -> None:
    status = decide(scene(observation=observed(requests=7))).status
    assert status is not None
    assert [(t.revision, t.weight) for t in status.traffic] == [(STABLE, 90), (CANDIDATE, 10)]


def test_replicas_and_selector_are_those_of_stable() -> None:
    status = decide(SERVING).status
    assert status is not None
    assert status.replicas == 4
    assert status.selector == f"sluice.dev/name=flights,sluice.dev/revision={STABLE}"


def test_the_status_fits_what_the_api_takes() -> None:
    failing = (replace(check(Verdict.FAIL), message="x" * 9000, evidence="y" * 9000),)
    status = decide(scene(observation=observed(checks=failing))).status
    assert status is not None
    assert Status.model_validate(status.model_dump(mode="json", by_alias=True)) == status


def test_words_and_counts_are_not_worth_a_write_at_once() -> None:
    few, more = (decide(scene(observation=observed(requests=n))).status for n in (7, 8))
    assert few is not None
    assert more is not None
    assert few.summary != more.summary
    assert significant(few) == significant(more)
    assert significant(few) != significant(decide(scene(observation=observed(checks=(check(Verdict.NO_DATA),)))).status)  # type: ignore[arg-type]


def test_a_checkpoint_stays_in_the_status_and_is_not_worth_a_write_at_once() -> None:
    saved = scene(observation=observed(requests=7), status=status_of(candidate_status(checkpoint="1.abc")))
    status = decide(saved).status
    assert status is not None
    assert status.candidate is not None
    assert status.candidate.checkpoint == "1.abc"
    newer = status.candidate.model_copy(update={"checkpoint": "1.def"})
    assert significant(status.model_copy(update={"candidate": newer})) == significant(status)


def test_checks_are_told_while_there_is_a_candidate() -> None:
    rolling, idle = decide(scene(observation=observed(requests=7))).status, decide(SERVING).status
    assert rolling is not None
    assert idle is not None
    assert [(c.name, c.verdict) for c in rolling.checks] == [("errors", Verdict.UNDECIDED)]
    assert idle.checks == ()


def test_the_candidates_way_is_kept() -> None:
    status = decide(scene(observation=observed(requests=7))).status
    assert status is not None
    assert status.candidate == candidate_status(weight=10, checks=checks_of(spec_of()))
