"""Which recordings of a route are legal."""

import pytest

from sluice_dev.scene.legal import wrong_weights
from sluice_dev.scene.timeline import Timeline, Weights


def recorded(*weights: int) -> Timeline:
    """The candidate's weights, one a second."""
    moments = [Weights(float(at), {"old": 100 - w, "new": w}) for at, w in enumerate(weights)]
    for moment in moments:
        for revision in [name for name, weight in moment.percent.items() if not weight]:
            del moment.percent[revision]
    return Timeline(weights=moments)


@pytest.mark.parametrize("weights", [(0,), (0, 10, 50, 100), (0, 10, 0, 10, 50, 100), (0, 10, 50, 0, 50), (0, 10, 0)])
def test_legal(weights: tuple[int, ...]) -> None:
    assert wrong_weights(recorded(*weights), "old", "new", (10, 50)) == []


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ((0, 50), "left out"),
        ((0, 10, 50, 10), "fell from 50"),
        ((0, 20), "no stage"),
        ((0, 10, 100), "left out"),
        ((0, 10, 0, 100), "left out"),
    ],
)
def test_wrong(weights: tuple[int, ...], words: str) -> None:
    [wrong] = wrong_weights(recorded(*weights), "old", "new", (10, 50))
    assert words in wrong


def test_shares_of_others_or_not_of_100_are_wrong() -> None:
    for percent in ({"old": 80, "third": 20}, {"old": 80, "new": 10}, {}):
        moments = [Weights(0, {"old": 90, "new": 10}), Weights(1, percent)]
        assert wrong_weights(Timeline(weights=moments), "old", "new", (10, 50))


def test_a_rejected_revision_stays_without_weight() -> None:
    timeline = recorded(0, 10, 10, 0, 10)
    assert wrong_weights(timeline, "old", "new", (10,)) == []
    [wrong] = wrong_weights(timeline, "old", "new", (10,), rejected_at=1.5)
    assert "rejected" in wrong
