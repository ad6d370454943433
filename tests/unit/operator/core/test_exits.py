"""Which container exits happened under live traffic: each counts once, by its time."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from sluice.core.exits import counted
from sluice.core.planner import decide
from sluice.core.snapshot import Pod, Snapshot
from unit.operator.core.scenes import (
    CANDIDATE,
    NOW,
    STABLE,
    annotated,
    candidate_status,
    pods,
    route_of,
    scene,
    status_of,
    with_candidate,
)

EXPOSED = NOW - timedelta(minutes=2)


def at(seconds: float) -> datetime:
    """Seconds after the exposure, as the kubelet tells it: the fraction is cut off."""
    return (EXPOSED + timedelta(seconds=seconds)).replace(microsecond=0)


def exited(*moments: datetime, deleting: bool = False) -> Pod:
    return replace(pods(CANDIDATE, 1)[0], ready=False, exits=moments, deleting=deleting)


def live(*found: Pod) -> Snapshot:
    return with_candidate(scene(), pods=found)


ROWS = [
    ("none", live(exited()), 0),
    ("one", live(exited(at(30))), 1),
    ("two of one container", live(exited(at(30), at(60))), 2),
    ("one of each of two pods", live(exited(at(30)), exited(at(60))), 2),
    ("before the exposure", live(exited(at(-30))), 0),
    ("in the second of the exposure", live(exited(at(0))), 1),
    ("of a pod that is being deleted: a drain", live(exited(at(30), deleting=True)), 0),
    ("never exposed", replace(live(exited(at(30))), status=status_of(candidate_status(exposed_at=None))), 0),
]


@pytest.mark.parametrize(("given", "count"), [r[1:] for r in ROWS], ids=[r[0] for r in ROWS])
def test_exits_under_weight(given: Snapshot, count: int) -> None:
    candidate = given.status.candidate
    assert candidate is not None
    assert counted(given, candidate).exits_under_weight == count


def test_exits_at_weight_0_do_not_become_exits_under_weight_by_a_retry() -> None:
    """One exit under weight, traffic taken back, three more while it waits; then a person starts the stage again."""
    waiting = with_candidate(
        scene(
            route=route_of({STABLE: 100}),
            status=status_of(
                candidate_status(live=False, exposed_at=EXPOSED, exits_under_weight=1, last_exit_at=at(5))
            ),
        ),
        pods=(exited(at(5), at(70), at(90)),),
    )
    after = decide(annotated(waiting, retry=f"{CANDIDATE}/1")).status
    assert after is not None
    assert after.candidate is not None
    assert after.candidate.exits_under_weight == 1
    assert after.rejected == ()


def test_an_exit_counts_once_however_often_one_looks() -> None:
    given = live(exited(at(30)))
    assert given.status.candidate is not None
    once = counted(given, given.status.candidate)
    assert counted(given, once) == once
    again = counted(live(exited(at(30), at(60))), once)
    assert again.exits_under_weight == 2


@pytest.mark.parametrize(("seconds", "count"), [(30, 1), (90, 0)])
def test_after_a_retreat_only_exits_from_before_it_count(seconds: int, count: int) -> None:
    """Exposed two minutes ago, taken back one minute later."""
    stage = candidate_status().stage.model_copy(update={"entered_at": EXPOSED + timedelta(seconds=60)})
    given = replace(
        live(exited(at(seconds))), route=route_of({STABLE: 100}), status=status_of(candidate_status(stage=stage))
    )
    assert given.status.candidate is not None
    assert counted(given, given.status.candidate).exits_under_weight == count
