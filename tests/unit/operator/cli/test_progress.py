"""How far the candidate is, out of the status and the spec; the counts are the operator's own words, read back."""

from dataclasses import replace
from datetime import timedelta

import pytest

from sluice.api.names import Reason
from sluice.api.status import StageStatus, Verdict
from sluice.api.v1alpha1 import OnFail
from sluice.cli.progress import progress
from sluice.core.analysis.verdicts import CheckResult
from sluice.core.gates import gates
from sluice.core.stages import PROMOTE, Stage
from sluice.core.trial import Trial
from unit.operator.cli.rollouts import (
    NOW,
    Object,
    conditions,
    held,
    mdep,
    rolling,
    rollout,
    serving,
    spec_of,
    status_of,
)
from unit.operator.core.scenes import candidate_status, observed, scene
from unit.operator.core.scenes import spec_of as core_spec


def staged(index: int, name: str, **mark: timedelta) -> Object:
    """The candidate in another stage, not live now."""
    candidate = status_of().candidate
    assert candidate is not None
    stage = StageStatus(index=index, name=name, entered_at=NOW, **mark)
    return rolling(candidate=candidate.model_copy(update={"stage": stage}))


def test_in_the_middle() -> None:
    """30 s live before an interruption and 100 s since; the requests are those of the last status."""
    place = progress(rollout(rolling), NOW)
    assert place is not None
    assert (place.index, place.stage.name, len(place.stages)) == (1, "quarter", 4)
    assert place.stages[-1] == PROMOTE
    assert place.live_for == timedelta(seconds=130)
    assert place.requests == 3120


def test_nothing_is_live_while_the_weight_is_not() -> None:
    place = progress(rollout(lambda: staged(1, "quarter", live_for=timedelta(seconds=40))), NOW)
    assert place is not None
    assert (place.live_for, place.requests) == (timedelta(seconds=40), None)


def test_a_clock_behind_the_clusters_takes_nothing_away() -> None:
    place = progress(rollout(rolling), NOW - timedelta(minutes=5))
    assert place is not None
    assert place.live_for == timedelta(seconds=30)


@pytest.mark.parametrize(
    ("index", "name", "found"), [(1, "quarter", 1), (0, "half", 2), (9, "promote", 3), (2, "gone", 0)]
)
def test_steps_that_were_edited_meanwhile(index: int, name: str, found: int) -> None:
    """The name counts; without it the candidate begins anew, as for the operator."""
    place = progress(rollout(lambda: staged(index, name)), NOW)
    assert place is not None
    assert place.index == found


def test_the_first_revision_has_one_stage() -> None:
    place = progress(rollout(rolling, stable=None), NOW)
    assert place is not None
    assert [stage.name for stage in place.stages] == ["initial"]


@pytest.mark.parametrize("make", [serving, lambda: mdep(status_of(), spec_of(strategy={"type": "Rainbow"}))])
def test_without_a_candidate_or_a_readable_spec_there_is_no_progress(make: object) -> None:
    assert progress(rollout(make), NOW) is None  # type: ignore[arg-type]


def test_a_held_rollout_tells_no_counts() -> None:
    place = progress(rollout(held), NOW)
    assert place is not None
    assert place.requests is None


STAGE = Stage(name="first", weight=10, min_duration=timedelta(minutes=5), min_samples=5000)
UNSEEN = CheckResult("errors", Verdict.NO_DATA, OnFail.ROLLBACK, message="31 of 5000 requests failed (0.62%)")


@pytest.mark.parametrize("checks", [(), (UNSEEN,)], ids=["only time and requests", "a check that speaks of requests"])
@pytest.mark.parametrize(("answered", "read_back"), [(0, 0), (3120, 3120), (5000, 5000), (9000, 5000)])
def test_the_counts_are_those_that_the_operator_writes(
    answered: int, read_back: int, checks: tuple[CheckResult, ...]
) -> None:
    """sluice.core.gates makes the sentence; when it no longer waits for requests, the least is there."""
    candidate = candidate_status()
    snapshot = replace(scene(), observation=observed(requests=answered, checks=checks))
    stage = replace(STAGE, weight=snapshot.weight(candidate.revision))
    said = gates(Trial(snapshot, core_spec(), candidate, stage, first=False))
    assert said
    place = progress(rollout(rolling, conditions=conditions("False", "True", "False", Reason.ROLLING, said)), NOW)
    assert place is not None
    assert place.requests == read_back
