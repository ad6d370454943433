"""Which points kill an operator at every boundary of a rollout."""

from sluice_dev.bench.faults import fired, pattern_of, points_of

REACHED = ["before-0-apply-HTTPRoute", "after-0-apply-HTTPRoute", "before-status", "after-2-apply-HTTPRoute"]


def test_a_boundary_is_named_without_its_place_in_the_plan() -> None:
    assert pattern_of("after-13-apply-Service") == "after-*-apply-Service"
    assert pattern_of("before-status") == "before-status"


def test_each_time_it_is_reached_is_a_point() -> None:
    assert points_of(["before-0-mark", "before-4-mark", "after-0-mark", "after-1-mark"]) == [
        "before-*-mark#1",
        "before-*-mark#3",
        "after-*-mark#1",
        "after-*-mark#2",
    ]


def test_a_point_fired_when_its_turn_came() -> None:
    points = ["after-*-apply-HTTPRoute#2", "after-*-apply-HTTPRoute#3", "before-status#1", "before-*-mark#1"]
    assert fired(points, REACHED) == ["after-*-apply-HTTPRoute#2", "before-status#1"]
