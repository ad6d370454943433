"""What the plugin reads out of a ModelDeployment."""

from collections.abc import Callable
from typing import Any

import pytest

from sluice.api.names import Condition, Reason
from sluice.cli.errors import Unreadable
from sluice.cli.rollout import Outcome, read
from unit.operator.cli.rollouts import (
    CANDIDATE,
    FAILED,
    NOW,
    OTHER,
    STABLE,
    WAITS,
    Object,
    conditions,
    held,
    mdep,
    rolled_back,
    rolling,
    rollout,
    serving,
    spec_of,
    status_of,
    told,
    unanswered,
)

Make = Callable[..., Object]


@pytest.mark.parametrize(
    ("make", "outcome", "waits_for"),
    [
        (serving, Outcome.SERVING, ""),
        (rolling, Outcome.ROLLING, WAITS),
        (rolled_back, Outcome.STALLED, f"RolledBack: revision {CANDIDATE} was rolled back: {FAILED}"),
        (
            held,
            Outcome.STALLED,
            f"PausedByCheck: check clicks failed, see status.checks; abort or retry revision {CANDIDATE}",
        ),
        (unanswered, Outcome.ROLLING, "the operator has not answered yet"),
    ],
)
def test_how_things_stand(make: Make, outcome: Outcome, waits_for: str) -> None:
    found = rollout(make)
    assert (found.outcome, found.waits_for) == (outcome, waits_for)


@pytest.mark.parametrize("make", [serving, rolled_back])
def test_what_is_said_of_an_older_spec_is_no_end(make: Make) -> None:
    """A spec that was applied a moment ago still has the conditions of the one before."""
    found = make()
    found["metadata"]["generation"] += 1
    assert read(found).outcome is Outcome.ROLLING
    assert read(found).waits_for == "the operator has not seen generation 4 yet"


def test_a_condition_that_lags_behind_the_status_is_no_end() -> None:
    """Each condition says itself which spec it speaks of."""
    old = conditions("True", "False", "False", Reason.UP_TO_DATE, generation=2)
    assert rollout(serving, conditions=old).outcome is Outcome.ROLLING


def test_a_route_that_is_not_confirmed_is_waited_for() -> None:
    waiting = (
        told(Condition.AVAILABLE, "True", Reason.SERVING),
        told(Condition.READY, "False", Reason.WAITING_FOR_ROUTE, "the gateway has not confirmed the route"),
        told(Condition.RECONCILING, "False", Reason.UP_TO_DATE),
        told(Condition.STALLED, "False", Reason.UP_TO_DATE),
    )
    found = rollout(serving, conditions=waiting)
    assert (found.outcome, found.waits_for) == (
        Outcome.ROLLING,
        "WaitingForRoute: the gateway has not confirmed the route",
    )


def test_that_nothing_serves_comes_first() -> None:
    down = (
        told(Condition.AVAILABLE, "False", Reason.UNAVAILABLE, "stable revision has no ready pod"),
        told(Condition.RECONCILING, "True", Reason.ROLLING, WAITS),
    )
    assert rollout(rolling, conditions=down).waits_for == f"Unavailable: stable revision has no ready pod; {WAITS}"


@pytest.mark.parametrize(
    ("make", "revision", "rejected"),
    [
        (rolled_back, CANDIDATE, True),
        (rolled_back, STABLE, False),
        (rolled_back, OTHER, False),
        (rolling, CANDIDATE, False),
        (lambda: rolled_back(rejected=(), history=()), CANDIDATE, True),
    ],
    ids=["rejected", "stable", "unheard of", "candidate", "older than the twenty that status remembers"],
)
def test_which_revisions_are_rejected(make: Make, revision: str, rejected: bool) -> None:
    assert rollout(make).rejected(revision) is rejected


def test_when_the_status_was_written() -> None:
    found = rollout(rolling)
    assert found.told_at is not None
    assert (NOW - found.told_at).total_seconds() == 23
    assert rollout(lambda: mdep(status_of(), managedFields=[])).told_at is None


def test_a_spec_of_another_version_leaves_the_rest_readable() -> None:
    found = rollout(lambda: mdep(status_of(), spec_of(strategy={"type": "Rainbow"})))
    assert (found.spec, found.desired) == (None, "")
    assert found.problem.startswith("spec.strategy.type: ")


def test_a_status_of_another_version_is_one_sentence() -> None:
    found: dict[str, Any] = rolling()
    found["status"]["checks"][0]["verdict"] = "Perhaps"
    with pytest.raises(Unreadable) as refused:
        read(found)
    assert "the status of shop/flights was written by another version of Sluice (status.checks.0.verdict:" in str(
        refused.value
    )
