"""Rollouts on several stages at once."""

import threading

import pytest

from sluice_dev.bench.side_by_side import side_by_side


def test_every_task_is_played_once_and_stages_are_used_together() -> None:
    meeting = threading.Barrier(3, timeout=10)

    def play(stage: str, task: int) -> tuple[str, int]:
        if task < 3:
            meeting.wait()  # three stages must be at work at once to get past it
        return stage, task

    ends = list(side_by_side(["a", "b", "c"], range(20), play))
    assert sorted(task for _, task in ends) == list(range(20))
    assert {stage for stage, task in ends if task < 3} == {"a", "b", "c"}


def test_a_stage_plays_one_after_the_other() -> None:
    busy: set[str] = set()

    def play(stage: str, task: int) -> int:
        assert stage not in busy
        busy.add(stage)
        busy.remove(stage)
        return task

    assert len(list(side_by_side(["a", "b"], range(50), play))) == 50


def test_a_failure_is_raised_and_nothing_more_is_begun() -> None:
    begun = []

    def play(stage: str, task: int) -> int:
        begun.append(task)
        if task == 1:
            raise LookupError("lost")
        return task

    with pytest.raises(LookupError, match="lost"):
        list(side_by_side(["a"], range(10), play))
    assert begun == [0, 1]


def test_nothing_to_play_needs_no_stage() -> None:
    assert list(side_by_side([], [], lambda stage, task: task)) == []
