"""phi: 1 for independent losses, larger for bursts of one pod, blind to what all pods share."""

import numpy as np
import pytest

from sluice.core.analysis.overdispersion import MOST, UNKNOWN, _between_pods, overdispersion

BLOCKS = 40


def counts(pods: int = 3, burst: float = 1.0, shared: np.ndarray | float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Requests and losses of 1%: burst requests fail together; shared: what multiplies the losses of all pods in a
    block."""
    random = np.random.default_rng(7)
    requests = random.poisson(6000, (pods, BLOCKS)).astype(float)
    losses = burst * random.poisson(requests * 0.01 * shared / burst)
    return requests, losses


def test_the_worked_example_of_the_module() -> None:
    losses = np.array([[8.0, 12.0], [12.0, 8.0]])
    assert _between_pods(np.full((2, 2), 1000.0), losses) == pytest.approx(1.6)


def test_independent_losses_have_no_overdispersion() -> None:
    assert overdispersion(*counts()) <= 1.6


def test_bursts_of_one_pod_are_found() -> None:
    """Losses in threes have three times the variance; 1.25 for caution, and the estimate's own error."""
    assert overdispersion(*counts(burst=3)) == pytest.approx(3.75, rel=0.35)


@pytest.mark.parametrize("burst", [1, 3])
def test_counts_that_a_restart_took_away_are_no_noise(burst: int) -> None:
    """A fifth of the blocks lacks what was counted before a restart, of requests and losses alike."""
    random = np.random.default_rng(8)
    kept = np.where(random.random((3, BLOCKS)) < 0.2, random.random((3, BLOCKS)), 1.0)
    requests, _ = counts()
    requests = np.round(requests * kept)
    losses = burst * random.poisson(requests * 0.01 / burst).astype(float)
    assert overdispersion(requests, losses) == pytest.approx(1.25 * burst, rel=0.35)


def test_what_all_pods_share_is_no_noise_between_them() -> None:
    shared = np.ones(BLOCKS)
    shared[10:14] = 5
    assert overdispersion(*counts(shared=shared)) <= 1.8


def test_one_pod_alone_sees_shared_bursts_as_noise_but_not_without_end() -> None:
    """At 30,000 nothing would ever be evidence again: the remedy after an incident would be rolled out unjudged."""
    shared = np.ones(BLOCKS)
    shared[10:14] = 5
    assert overdispersion(*counts(pods=1, shared=shared)) == MOST
    shared[10:14] = 100
    assert overdispersion(*counts(pods=1, shared=shared)) == MOST


def test_a_pod_that_was_replaced_does_not_hide_how_the_others_compare() -> None:
    shared = np.ones(BLOCKS)
    shared[10:12] = 100
    requests, losses = counts(pods=4, shared=shared)
    requests[0, BLOCKS // 2 :] = losses[0, BLOCKS // 2 :] = 0
    requests[1, : BLOCKS // 2] = losses[1, : BLOCKS // 2] = 0
    assert overdispersion(requests, losses) <= 2


def test_a_slow_drift_of_a_single_pod_is_no_noise() -> None:
    assert overdispersion(*counts(pods=1, shared=np.linspace(1, 2, BLOCKS))) <= 2.5


def test_pods_whose_part_changes_are_not_compared() -> None:
    """A pod that took over all traffic half way says nothing about noise between pods."""
    requests, losses = counts(pods=2)
    requests[0, BLOCKS // 2 :] = losses[0, BLOCKS // 2 :] = 1
    assert overdispersion(requests, losses) < 100


@pytest.mark.parametrize(
    "history",
    [(np.ones((3, 10)), np.ones((3, 10))), (np.ones((3, BLOCKS)), np.zeros((3, BLOCKS))), (np.ones((0, BLOCKS)),) * 2],
    ids=["too short", "no losses", "no pods"],
)
def test_nothing_known_is_three(history: tuple[np.ndarray, np.ndarray]) -> None:
    assert overdispersion(*history) == UNKNOWN


def test_shapes_that_do_not_fit_are_told() -> None:
    with pytest.raises(ValueError, match=r"not \(3, 40\) and \(2, 40\)"):
        overdispersion(np.ones((3, 40)), np.ones((2, 40)))
