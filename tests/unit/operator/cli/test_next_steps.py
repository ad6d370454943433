"""The commands that a person can copy."""

from collections.abc import Callable

import pytest

from sluice.api.names import Reason
from sluice.cli.next_steps import HINTS, next_steps
from unit.operator.cli.rollouts import (
    CANDIDATE,
    STABLE,
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
    unanswered,
)

ABORT = "kubectl sluice abort flights -n shop"
RETRY = "kubectl sluice retry flights -n shop"
PAUSE = """kubectl patch modeldeployment flights -n shop --type merge -p '{"spec":{"paused":true}}'"""
RESUME = PAUSE.replace("true", "false")
EVENTS = "kubectl events -n shop --for modeldeployment/flights"


def paused() -> Object:
    said = conditions("False", "True", "False", Reason.PAUSED, "spec.paused is true: no weight rises")
    return mdep(status_of(conditions=said), spec_of(paused=True))


@pytest.mark.parametrize(
    ("make", "commands"),
    [
        (serving, []),
        (unanswered, []),
        (rolling, [ABORT, PAUSE]),
        (held, [ABORT, RETRY]),
        (rolled_back, [RETRY, EVENTS]),
        (paused, [ABORT, RESUME]),
    ],
)
def test_what_can_be_done(make: Callable[..., Object], commands: list[str]) -> None:
    assert [step.command for step in next_steps(rollout(make))] == commands


@pytest.mark.parametrize("reason", sorted(HINTS))
def test_every_hint_is_a_whole_command(reason: Reason) -> None:
    found = rollout(rolling, conditions=conditions("False", "False", "True", reason, "because"))
    words, _ = HINTS[reason]
    [hint] = [step for step in next_steps(found) if step.words == words]
    assert hint.command.startswith("kubectl ")
    assert "{" not in hint.command


def test_pods_of_the_revision_that_is_meant() -> None:
    waiting = rollout(rolling, conditions=conditions("False", "True", "False", Reason.WAITING_FOR_PODS, "0 of 1"))
    lost = rollout(rolling, conditions=conditions("False", "False", "True", Reason.STABLE_UNAVAILABLE, "no pod"))
    assert f"sluice.dev/revision={CANDIDATE}" in next_steps(waiting)[1].command
    assert f"sluice.dev/revision={STABLE}" in next_steps(lost)[1].command
