"""How the recording of a superseded rollout is judged."""

from sluice_dev.bench.faults import WEIGHTS, parted
from sluice_dev.scene.legal import wrong_weights
from sluice_dev.scene.timeline import Timeline, Weights


def recorded(*shares: dict[str, int]) -> Timeline:
    """One distribution of the traffic a second."""
    return Timeline(weights=[Weights(float(at), percent) for at, percent in enumerate(shares)])


ALL, OLD, NEW = {"s": 100}, {"s": 80, "old": 20}, {"s": 80, "new": 20}


def test_two_candidates_one_after_the_other_are_two_legal_parts() -> None:
    until, since = parted(recorded(ALL, OLD, ALL, NEW), "old")
    assert [moment.percent for moment in until.weights] == [ALL, OLD, ALL]
    assert [moment.percent for moment in since.weights] == [ALL, NEW]
    assert wrong_weights(until, "s", "old", WEIGHTS) == wrong_weights(since, "s", "new", WEIGHTS) == []


def test_one_that_comes_back_is_in_the_second_part() -> None:
    _, since = parted(recorded(ALL, OLD, ALL, OLD, ALL, NEW), "old")
    assert wrong_weights(since, "s", "new", WEIGHTS)


def test_one_that_never_lost_its_traffic_is_all_in_the_first() -> None:
    until, since = parted(recorded(ALL, OLD), "old")
    assert len(until.weights) == 2
    assert since.weights == []
