"""Which points kill an operator at every boundary of a rollout, or of a part of it."""

import pytest

from sluice_dev.bench.boundaries import NotReached, between, fired, occurrences, pattern_of, points_of, spared

REACHED = ["before-0-apply-HTTPRoute", "after-0-apply-HTTPRoute", "before-status", "after-2-apply-HTTPRoute"]
BEFORE, AFTER, STATUS = "before-*-apply-HTTPRoute", "after-*-apply-HTTPRoute", "before-status"


def test_a_boundary_is_named_without_its_place_in_the_plan() -> None:
    assert pattern_of("after-13-apply-Service") == "after-*-apply-Service"
    assert pattern_of("before-status") == "before-status"


def test_each_time_it_is_reached_is_one_occurrence() -> None:
    assert occurrences(REACHED) == [(BEFORE, 1), (AFTER, 1), (STATUS, 1), (AFTER, 2)]


def test_a_part_of_a_rollout_includes_both_ends() -> None:
    assert between(occurrences(REACHED), (AFTER, 1), (AFTER, 2)) == [(AFTER, 1), (STATUS, 1), (AFTER, 2)]


def test_a_part_that_was_not_played_is_told() -> None:
    with pytest.raises(NotReached, match="after-status was not reached 1 times"):
        between(occurrences(REACHED), (AFTER, 1), ("after-status", 1))


def test_each_occurrence_is_a_point_and_a_kill_before_an_action_moves_the_next_one() -> None:
    marked = occurrences(["before-0-mark", "after-0-mark", "before-4-mark", "after-1-mark"])
    assert points_of(marked) == ["before-*-mark#1", "after-*-mark#1", "before-*-mark#3", "after-*-mark#2"]


def test_only_kills_move_what_follows() -> None:
    assert points_of([(BEFORE, 2), (BEFORE, 3)]) == [f"{BEFORE}#2", f"{BEFORE}#4"]


def test_a_point_fired_when_its_turn_came() -> None:
    points = [f"{AFTER}#2", f"{AFTER}#3", "before-status#1", "before-*-mark#1"]
    assert fired(points, REACHED) == [f"{AFTER}#2", "before-status#1"]


def test_a_boundary_is_spared_until_one_of_its_points_fired() -> None:
    assert spared(occurrences(REACHED), [f"{AFTER}#2"]) == [(BEFORE, 1), (STATUS, 1)]
    assert spared([(AFTER, 3), (AFTER, 4)], []) == [(AFTER, 3)]
