"""Strategies compile to stages; a stage knows the pods it needs."""

from datetime import timedelta

import pytest

from sluice.core.stages import INITIAL, PROMOTE, Stage
from sluice.core.strategies import stages_of
from unit.operator.core.scenes import spec_of


@pytest.mark.parametrize(
    ("weight", "replicas", "pods"),
    [(10, 3, 1), (50, 3, 2), (100, 3, 3), (0, 3, 1), (1, 100, 1), (1, 101, 2), (34, 3, 2), (50, 1, 1)],
)
def test_capacity_is_never_less_than_the_weight_needs(weight: int, replicas: int, pods: int) -> None:
    assert Stage("any", weight, timedelta(), 0).capacity(replicas) == pods


def test_canary_steps_are_stages_and_all_traffic_follows() -> None:
    stages = stages_of(spec_of())
    assert [(s.name, s.weight, s.min_duration, s.min_samples) for s in stages[:-1]] == [
        ("first", 10, timedelta(minutes=1), 100),
        ("half", 50, timedelta(minutes=1), 100),
    ]
    assert stages[-1] == PROMOTE


def test_default_steps_rise_from_one_percent() -> None:
    stages = stages_of(spec_of(strategy={"type": "Canary"}))
    assert [s.weight for s in stages] == [1, 5, 25, 50, 100]
    assert all(s.min_duration == timedelta(minutes=1) and s.min_samples == 100 for s in stages[:-1])


def test_a_step_without_a_name_is_called_by_its_place() -> None:
    steps = [{"weight": 5}, {"name": "half", "weight": 50}, {"weight": 80}]
    stages = stages_of(spec_of(strategy={"type": "Canary", "canary": {"steps": steps}}))
    assert [s.name for s in stages] == ["step-1", "half", "step-3", "promote"]


def test_the_first_revision_of_all_goes_straight_to_everything() -> None:
    assert [(s.weight, s.min_duration, s.min_samples) for s in INITIAL] == [(100, timedelta(), 0)]
