"""Factors for the buckets of a histogram: fair under every member of the null, and nearly the best against another."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr, ndtri

from sluice.core.analysis.eprocess import Floats
from sluice.core.analysis.histogram_bets import ALTERNATIVES, STAKES, STEPS, bucket_counts, fair_factors

TAIL = np.array([0.9, 0.6, 0.3, 0.1, 0.02, 0.001])
"""Stable's, lately."""


def parts(tail: Floats) -> Floats:
    """Shares of the buckets of a tail."""
    shares: Floats = -np.diff(np.concatenate([[1.0], tail, [0.0]]))
    return shares


def log_mean(n1: float, n0: float, factors: tuple[Floats, Floats], tail1: Floats, tail0: Floats) -> Floats:
    """ln of the mean of a poll's product, exactly: requests are independent. (bets,)."""
    f1, f0 = factors
    mean: Floats = n1 * np.log1p(f1 @ parts(tail1)) + n0 * np.log1p(f0 @ parts(tail0))
    return mean


def test_the_worked_example_of_the_module() -> None:
    at = list(map(tuple, ALTERNATIVES)).index((0.98, 0.5))
    f1, f0 = fair_factors(100, 300, np.array([0.3, 0.1]), np.array([1.2, 1.5]), 0.002)
    assert 1 + f1[at] == pytest.approx([0.760, 1.148, 1.473], abs=5e-4)
    assert 1 + f0[at] == pytest.approx([1.080, 0.924, 0.762], abs=5e-4)
    gain = np.array([40, 30, 30]) @ np.log1p(f1[at]) + np.array([210, 60, 30]) @ np.log1p(f0[at])
    assert gain == pytest.approx(7.97, abs=0.005)
    allowed = parts(np.array([0.362, 0.152]))
    assert 100 * ((1 + f1[at]) @ allowed) == pytest.approx(94.98, abs=0.005)
    assert 300 * ((1 + f0[at]) @ parts(np.array([0.3, 0.1]))) == pytest.approx(305.02, abs=0.005)


SHARES = st.lists(st.floats(0, 1), min_size=6, max_size=6)
REQUESTS = st.integers(1, 10**6)


@settings(max_examples=150, deadline=None)
@given(
    REQUESTS,
    REQUESTS,
    st.lists(st.floats(1e-9, 1 - 1e-9), min_size=6, max_size=6),
    st.lists(st.floats(1, 30), min_size=6, max_size=6),
    st.sampled_from([0.0, 0.002, 0.1]),
    st.integers(0, 6),
    SHARES,
    SHARES,
)
def test_a_poll_is_a_fair_bet_under_every_member_of_the_null(
    n1: int,
    n0: int,
    remembered: list[float],
    ratio: list[float],
    margin: float,
    barred: int,
    now: list[float],
    part: list[float],
) -> None:
    """Whatever is remembered of stable, whatever it does now, and whatever of what is allowed the candidate takes."""
    r = np.where(np.arange(6) < barred, np.inf, ratio)
    factors = fair_factors(n1, n0, np.sort(remembered)[::-1], r, margin)
    assert np.all(np.diff(factors[0]) >= 0)
    assert np.all(np.diff(factors[1]) <= 0)
    assert np.all([f >= -0.99 - 1e-9 for f in factors])
    for tail0 in (np.sort(now)[::-1], np.zeros(6), np.ones(6)):
        allowed = np.minimum.accumulate(np.minimum(np.where(np.isfinite(r), r, 1e9) * tail0 + margin, 1.0))
        for tail1 in (allowed, np.minimum.accumulate(allowed * part), np.minimum(allowed, margin)):
            assert np.all(log_mean(n1, n0, factors, tail1, tail0) <= 1e-9 * (n1 + n0))


def test_at_the_edge_of_the_null_nothing_is_given_away() -> None:
    """Where every tail is as large as allowed, the two arms' means add up to the number of requests, exactly."""
    r = np.array([1.05, 1.1, 1.3, 1.6, 2.0, 3.0])
    f1, f0 = fair_factors(100, 900, TAIL, r, 0.002)
    left = 100 * (f1 @ parts(r * TAIL + 0.002)) + 900 * (f0 @ parts(TAIL))
    assert left == pytest.approx(np.zeros(len(STAKES)), abs=1e-9)


@pytest.mark.parametrize("bet", range(len(ALTERNATIVES)))
def test_with_nothing_tolerated_it_divides_by_the_nearest_member_of_the_null(bet: int) -> None:
    """r = 1, margin 0: the nearest distribution that both arms could have is their mean, weighted by requests."""
    n1, n0 = 100, 300
    share, shift = ALTERNATIVES[bet]
    expected = parts((1 - share) * TAIL + share * ndtr(ndtri(TAIL) + shift))
    usual = parts(TAIL)
    nearest = (n1 * expected + n0 * usual) / (n1 + n0)
    f1, f0 = fair_factors(n1, n0, TAIL, np.ones(6), 0.0)
    assert 1 + f1[bet] == pytest.approx(expected / nearest, rel=1e-9)
    assert 1 + f0[bet] == pytest.approx(usual / nearest, rel=1e-9)


def test_few_slow_requests_are_bet_on_in_the_tail_only() -> None:
    """2% far slower: where most requests are, H0 allows more than is expected, and all of it counts the same."""
    at = list(map(tuple, ALTERNATIVES)).index((0.02, 3.0))
    f1, _ = fair_factors(100, 900, TAIL, np.array([1.02, 1.1, 1.3, 1.6, 2.0, 3.0]), 0.002)
    assert np.ptp(f1[at, :4]) == pytest.approx(0, abs=1e-12)
    assert -0.02 < f1[at, 0] < 0
    assert f1[at, -1] > 0.5


def test_nothing_is_bet_at_a_bound_that_is_barred() -> None:
    f1, f0 = fair_factors(100, 900, TAIL, np.array([np.inf, np.inf, 1.3, 1.6, 2.0, 3.0]), 0.002)
    assert np.all(f1[:, 0] == f1[:, 2])
    assert np.all(f0[:, 0] == f0[:, 2])
    nothing = fair_factors(100, 900, TAIL, np.full(6, np.inf), 0.002)
    assert np.all(np.array(nothing) == 0)


def test_a_bucket_that_stable_never_uses_has_the_factor_of_the_next_slower_one() -> None:
    tail = np.array([0.9, 0.3, 0.3, 0.02, 0.02, 0.001])
    f1, _ = fair_factors(100, 900, tail, np.ones(6), 0.0)
    assert np.all(f1[:, 2] == f1[:, 3])
    assert np.all(f1[:, 4] == f1[:, 5])
    assert np.all(f1[0, 1:3] > f1[0, :2])


def test_counts_are_parted_into_buckets() -> None:
    assert list(bucket_counts(np.array(10.0), np.array([7.0, 4.0, 1.0]))) == [3, 3, 3, 1]
    assert list(bucket_counts(np.array(10.0), np.array([4.0, 7.0, 1.0]))) == [6, 0, 3, 1]


def test_a_bet_on_one_bound_is_on_its_odds() -> None:
    """r = 1, margin 0, a billion times as many requests of stable: the candidate's factors are the ratios of odds."""
    f1, _ = fair_factors(1, 10**9, TAIL, np.ones(6), 0.0)
    for step, at in enumerate((1, 1, 2, 2, 3, 3, 4, 4)):
        _, odds = STEPS[step]
        expected = odds * TAIL[at] / (1 - TAIL[at] + odds * TAIL[at])
        own = 1 + f1[len(ALTERNATIVES) + step]
        assert own[: at + 1] == pytest.approx(np.full(at + 1, (1 - expected) / (1 - TAIL[at])), rel=1e-6)
        assert own[at + 1 :] == pytest.approx(np.full(6 - at, expected / TAIL[at]), rel=1e-6)


def test_more_misses_of_a_cache_are_found_where_nothing_else_moves() -> None:
    """A tenth of the requests miss a cache and take 40 times as long; of the candidate 15% do so."""
    bounds = np.log([0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.35, 0.5])

    def tail(misses: float, slower: float = 1.0) -> Floats:
        hit, miss = (ndtr(-(bounds - np.log(median * slower)) / 0.3) for median in (0.005, 0.2))
        shares: Floats = np.maximum((1 - misses) * hit + misses * miss, 1e-6)
        return shares

    usual, now = tail(0.1), tail(0.15)
    f1, f0 = fair_factors(100, 900, usual, np.maximum(tail(0.1, 1.05) / usual, 1.0), 0.002)
    growth = np.log1p(f1) @ parts(now) + 9 * np.log1p(f0) @ parts(usual)
    assert growth[len(ALTERNATIVES) :].max() > 0.008
    assert growth[: len(ALTERNATIVES)].max() < 0.002
