"""Whether statuses told of more than the gateway logged, and what is left to play."""

from dataclasses import replace
from typing import Any

import pytest

from sluice_dev.bench.evidence import Told, counted_part, counted_twice, told_counts
from sluice_dev.bench.killed import ROLLOUTS, TASKS, Rollout, remaining, summary
from sluice_dev.load.accesslog import GatewayRequest
from sluice_dev.scene.timeline import Timeline

AT = 1767614400.0  # 2026-01-05T12:00:00Z
VERSUS = "2 of 10 requests failed (20.00%), stable 1 of 40 (2.50%): at least 2 times as often, at most 1.1 times that"


def status(message: str, revision: str = "new") -> dict[str, Any]:
    return {"candidate": {"revision": revision}, "checks": [{"name": "errors", "message": message}]}


def logged(revision: str, answers: int, failed: int, since: float = AT) -> list[GatewayRequest]:
    """One each 0.1 s; the failed ones first."""
    return [
        GatewayRequest(since + n / 10, 0.05, 500 if n < failed else 200, "-", "", revision, "10.0.0.1:8080", "")
        for n in range(answers)
    ]


def test_both_arms_are_read_from_what_a_check_says() -> None:
    timeline = Timeline(
        statuses=[
            (AT + 1, status(VERSUS)),
            (AT + 2, status("nothing counted yet")),
            (AT + 3, status(VERSUS, revision="other")),
            (AT + 4, status("3 of 12 requests failed (25.00%), at most 5% allowed")),
            (AT + 5, {}),
        ]
    )
    assert told_counts(timeline, "new", None) == [Told(AT + 1, 10, 2, 40, 1), Told(AT + 4, 12, 3)]


def test_a_rejection_counts_at_the_moment_of_its_decision() -> None:
    rejection = {"at": "2026-01-05T12:00:02Z", "message": f"check errors failed: {VERSUS} (160 of 100)"}
    assert told_counts(Timeline(statuses=[(AT + 3, status(VERSUS))]), "new", rejection) == [
        Told(AT + 2, 10, 2, 40, 1),
        Told(AT + 3, 10, 2, 40, 1),
    ]


@pytest.mark.parametrize(
    ("told", "twice"),
    [
        (Told(AT + 9, 10, 2, 40, 1), []),
        (Told(AT + 9, 9, 2, 30, 0), []),  # what was not counted yet is no harm
        (Told(AT + 9, 11, 2, 40, 1), ["candidate: 2 of 11 counted, 2 of 10 logged"]),
        (Told(AT + 9, 10, 3, 40, 1), ["candidate: 3 of 10 counted, 2 of 10 logged"]),
        (Told(AT + 9, 10, 2, 41, 1), ["stable: 1 of 41 counted, 1 of 40 logged"]),
        (Told(AT + 9, 10, 2, 40, 2), ["stable: 2 of 40 counted, 1 of 40 logged"]),
        (Told(AT + 0.5, 10, 2, 4, 1), ["candidate: 2 of 10 counted, 2 of 5 logged"]),  # later ones prove nothing
    ],
)
def test_more_than_was_logged_by_then_was_counted_twice(told: Told, twice: list[str]) -> None:
    requests = [*logged("new", 10, 2), *logged("old", 40, 1), *logged("elsewhere", 99, 99)]
    found = counted_twice([told], requests, "new", "old")
    assert [words.partition(" at ")[0] for words in found] == twice


def test_the_part_that_was_evidence_in_the_end() -> None:
    requests = logged("new", 10, 2)
    assert counted_part([Told(AT + 0.3, 1, 0), Told(AT + 9, 8, 2)], requests, "new") == 0.8
    assert counted_part([], requests, "new") == counted_part([Told(AT, 0, 0)], requests, "new") == 0.0


def rollout(kind: str = "good", disturbed: bool = True, outcome: str = "Promoted") -> Rollout:
    return Rollout(kind, disturbed, outcome, kills=4, seconds=100.0, counted=0.9, evidence="")


def test_what_is_left_is_the_rest_of_each_sort() -> None:
    assert remaining([]) == list(TASKS)
    left = remaining([rollout(disturbed=False), rollout("bad"), rollout("bad")])
    assert len(left) == ROLLOUTS + 2 - 3
    assert sum(task.kind == "bad" and task.disturbed for task in left) == ROLLOUTS / 2 - 2
    assert [task.kind for task in left if not task.disturbed] == ["bad"]
    assert {task.number for task in left} <= {task.number for task in TASKS}
    assert remaining([rollout(task.kind, task.disturbed) for task in TASKS]) == []


ALL = [rollout(task.kind, task.disturbed, "Promoted" if task.kind == "good" else "RolledBack") for task in TASKS]


def test_it_holds_if_all_ended_as_they_must() -> None:
    assert summary(ALL).met


@pytest.mark.parametrize(
    "broken",
    [
        ALL[:-1],
        [replace(ALL[0], outcome="RolledBack"), *ALL[1:]],
        [*ALL[:-1], replace(ALL[-1], outcome="Promoted")],
        [*ALL[:-1], replace(ALL[-1], outcome="NotEnded")],
        [*ALL[:-1], replace(ALL[-1], kills=0)],
        [*ALL[:-1], replace(ALL[-1], twice=["candidate: ..."])],
        [*ALL[:-1], replace(ALL[-1], wrong=["..."])],
        [],
    ],
)
def test_it_does_not_hold_otherwise(broken: list[Rollout]) -> None:
    assert not summary(broken).met
