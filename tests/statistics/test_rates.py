"""The two-sample bet: an e-value whatever the base does, and quick against a candidate that is worse."""

from math import isfinite, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.core.analysis.eprocess import GRID, log_evidence, nothing_bet, open_epoch
from sluice.core.analysis.rates import MARGIN, tolerated_ratio, two_sample_bet

COUNT = st.integers(min_value=0, max_value=10**12)
WORLDS = 2000


def test_the_worked_example_of_the_module() -> None:
    gain = two_sample_bet(np.zeros(len(GRID)), 100, 10, 900, 0, r0=1, delta=0.0005)[list(GRID).index(5)]
    a = (500 / 1400) / 0.1
    assert a == pytest.approx(3.571, abs=1e-3)
    assert gain == pytest.approx(10 * log(a) - 100 * 0.0005 * (a - 1))


@pytest.mark.parametrize(("candidate", "stable", "ratio"), [(1, 3, 1.59), (2, 6, 1.39), (5, 15, 1.23), (500, 500, 1.1)])
def test_more_pods_tolerate_less(candidate: int, stable: int, ratio: float) -> None:
    assert tolerated_ratio(candidate, stable) == pytest.approx(ratio, abs=0.005)


def test_an_arm_without_pods_has_no_ratio() -> None:
    with pytest.raises(ValueError, match="both arms need a pod, not 0 and 3"):
        tolerated_ratio(0, 3)


@pytest.mark.parametrize(("n1", "n0"), [(0, 100), (100, 0), (0, 0)])
def test_a_poll_without_requests_in_one_arm_changes_nothing(n1: int, n0: int) -> None:
    before = open_epoch(nothing_bet(), 1)
    assert np.array_equal(two_sample_bet(before, n1, n1 / 2, n0, n0 / 2, 1.1, MARGIN), before)


@given(st.lists(st.tuples(COUNT, COUNT, st.floats(0, 1), st.floats(0, 1)), max_size=20), st.floats(0.1, 10))
def test_any_counts_give_a_number(polls: list[tuple[int, int, float, float]], r0: float) -> None:
    wealth = open_epoch(nothing_bet(), 1)
    for n1, n0, share1, share0 in polls:
        wealth = two_sample_bet(wealth, n1, n1 * share1, n0, n0 * share0, r0, MARGIN)
        assert np.all(np.isfinite(wealth))
        assert isfinite(log_evidence(wealth, 1))


@pytest.mark.parametrize("base", [0.0, 0.001, 0.05, 0.4])
@pytest.mark.parametrize("grid", [GRID, 1 / GRID], ids=["rollback", "promotion"])
def test_the_e_value_of_one_poll_has_mean_one_at_most(base: float, grid: np.ndarray) -> None:
    """At the edge of the null, for every single bet of the mixture: the base cancels out.

    Bets beyond a few nats are rare and huge, so the mean of a simulation says nothing about them: they are checked by
    the exact expectation of Poisson counts."""
    n1, n0, r0 = 20.0, 180.0, 1.3
    p1 = r0 * base + MARGIN
    zero = np.zeros(len(grid))
    log_a = two_sample_bet(zero, n1, 1, n0, 0, r0, 0, grid=grid)
    log_b = two_sample_bet(zero, n1, 0, n0, 1, r0, 0, grid=grid)
    margin = two_sample_bet(zero, n1, 0, n0, 0, r0, MARGIN, grid=grid)
    mean = np.exp(margin + n1 * p1 * (np.exp(log_a) - 1) + n0 * base * (np.exp(log_b) - 1))
    assert np.all(mean <= 1 + 1e-9)


def test_a_base_that_drifts_is_no_evidence() -> None:
    """The same share in both arms, rising tenfold over the ramp while the weight rises too: pooled totals would say
    that the candidate is worse, polls do not."""
    random = np.random.default_rng(3)
    wealth = open_epoch(nothing_bet((WORLDS,)), 1)
    peak = np.zeros(WORLDS)
    for second in range(0, 1200, 5):
        base, weight = 0.01 * (1 + 9 * second / 1200), (0.01, 0.05, 0.25, 0.5)[second // 300]
        n1, n0 = random.poisson(1000 * weight, WORLDS), random.poisson(1000 * (1 - weight), WORLDS)
        wealth = two_sample_bet(wealth, n1, random.binomial(n1, base), n0, random.binomial(n0, base), 1.1, MARGIN)
        peak = np.maximum(peak, log_evidence(wealth, 1))
    assert np.count_nonzero(peak >= log(100)) <= 0.01 * WORLDS


def bad_requests(share: float, base: float, limit: float, ratio: float) -> np.ndarray:
    """Losses that the candidate makes until the evidence reaches the limit: 200 requests/s, weight 10%, polls of 1
    s."""
    random = np.random.default_rng(5)
    wealth, lost = open_epoch(nothing_bet((500,)), 1), np.zeros(500)
    found = np.full(500, np.nan)
    for _ in range(600):
        n1, n0 = random.poisson(20, 500), random.poisson(180, 500)
        x1, x0 = random.binomial(n1, share), random.binomial(n0, base)
        lost += x1
        wealth = two_sample_bet(wealth, n1, x1, n0, x0, ratio, MARGIN)
        found = np.where(np.isnan(found) & (log_evidence(wealth, 1) >= log(limit)), lost, found)
    return found


def test_half_of_the_answers_failing_takes_a_dozen_bad_requests() -> None:
    found = bad_requests(0.5, 0.001, 150, tolerated_ratio(1, 3))
    assert np.all(np.isfinite(found))
    assert np.median(found) <= 15


def test_five_times_the_base_is_found() -> None:
    found = bad_requests(0.05, 0.01, 150, tolerated_ratio(1, 3))
    assert np.mean(np.isfinite(found)) >= 0.99
    assert np.median(found) <= 35


def test_overdispersion_divides_the_gain() -> None:
    zero = np.zeros(len(GRID))
    plain, noisy = (two_sample_bet(zero, 100, 10, 900, 3, 1.1, MARGIN, phi) for phi in (1.0, 3.0))
    assert noisy == pytest.approx(plain / 3)


def test_worlds_do_not_touch_each_other() -> None:
    """The simulation's leading axis is the product's single rollout, many times."""
    n1, x1, n0, x0 = np.array([20, 0, 7]), np.array([3, 0, 7]), np.array([180, 90, 60]), np.array([1, 2, 0])
    wealth = open_epoch(nothing_bet((3,)), 1)
    together = two_sample_bet(wealth, n1, x1, n0, x0, [1.1, 1.3, 1.59], MARGIN, [1.0, 2.0, 3.0])
    for i, (ratio, phi) in enumerate(((1.1, 1.0), (1.3, 2.0), (1.59, 3.0))):
        alone = two_sample_bet(open_epoch(nothing_bet(), 1), n1[i], x1[i], n0[i], x0[i], ratio, MARGIN, phi)
        assert np.array_equal(together[i], alone)


def test_a_single_bet_grows_with_candidate_losses_and_shrinks_with_stables() -> None:
    zero = np.zeros(len(GRID))
    some = two_sample_bet(zero, 100, 10, 900, 10, 1.1, MARGIN)
    assert np.all(two_sample_bet(zero, 100, 11, 900, 10, 1.1, MARGIN) > some)
    assert np.all(two_sample_bet(zero, 100, 10, 900, 11, 1.1, MARGIN) < some)
