"""Drift from the training reference: nothing is risked within the tolerance, and beyond it the bet is fair."""

from math import log, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr, ndtri

from sluice.core.analysis.drift import (
    Reference,
    expected_shares,
    jensen_shannon,
    nearest_tolerated,
    new_drift,
    population_stability,
    reference_of,
    smooth,
    total_variation,
    watch_drift,
)
from sluice.core.analysis.eprocess import Floats

COUNT = st.integers(min_value=0, max_value=10**12)
BINS = 10
EDGES = ndtri(np.arange(1, BINS) / BINS)
LIMIT = log(500)


def normal_bins(mean: float) -> Floats:
    """Shares of a normal feature with this mean, in sigma, over the deciles of the reference."""
    return np.diff(ndtr(np.concatenate([[-np.inf], EDGES - mean, [np.inf]])))


def simulate(
    mean: float, per_minute: float, rows: int, *, worlds: int, minutes: float, tolerance: float = 0.05, seed: int = 1
) -> tuple[Floats, Floats, Floats]:
    """Each world has a reference of its own. Returns the last and largest ln E, and seconds to the limit (or NaN)."""
    random = np.random.default_rng(seed)
    reference = reference_of(random.multinomial(rows, normal_bins(0), worlds), tolerance)
    state, shares = new_drift(BINS, (worlds,)), normal_bins(mean)
    largest, found = np.zeros(worlds), np.full(worlds, np.nan)
    for second in np.arange(5, minutes * 60 + 5, 5):
        state = watch_drift(state, reference, random.poisson(per_minute / 12 * shares, (worlds, BINS)), 5.0)
        largest = np.maximum(largest, state.log_e)
        found = np.where(np.isnan(found) & (state.log_e >= LIMIT), second, found)
    return state.log_e, largest, found


def test_the_worked_example_of_the_module() -> None:
    reference = Reference(np.array([0.5, 0.5]), np.array(0.1))
    q = np.array([0.8, 0.2])
    p = nearest_tolerated(q, reference)
    assert p == pytest.approx(np.array([0.6, 0.4]))
    assert np.array([8, 2]) @ np.log(q / p) == pytest.approx(0.92, abs=0.005)


def test_a_poll_is_bet_on_with_the_past_alone() -> None:
    """100 of the reference and 300 seen: q = (.725, .275); before that q is the reference and nothing is bet."""
    reference = Reference(np.array([0.5, 0.5]), np.array(0.1))
    first = watch_drift(new_drift(2), reference, [240, 60], 5)
    assert first.log_e == 0
    assert expected_shares(first, reference) == pytest.approx(np.array([0.725, 0.275]))
    second = watch_drift(first, reference, [8, 2], 120)
    assert second.log_e == pytest.approx(8 * log(0.725 / 0.6) + 2 * log(0.275 / 0.4))
    assert second.recent == pytest.approx([128, 32])


def test_the_tolerance_grows_with_the_smallness_of_the_reference() -> None:
    """.05 + 3.12 / sqrt(rows) for ten bins."""
    for rows in (1000, 4000, 100_000):
        own = reference_of(np.full(BINS, rows / BINS)).tolerance - 0.05
        assert own == pytest.approx(3.12 / sqrt(rows), rel=1e-3)


def test_a_reference_lies_within_what_its_size_adds() -> None:
    random = np.random.default_rng(5)
    reference = reference_of(random.multinomial(2000, normal_bins(0), 3000), 0.0)
    assert np.mean(total_variation(reference.shares, normal_bins(0)) <= reference.tolerance) >= 0.998


def test_an_empty_bin_of_the_reference_is_not_impossible() -> None:
    assert reference_of([10, 0]).shares == pytest.approx([10.5 / 11, 0.5 / 11])


@pytest.mark.parametrize("counts", [[5], [0, 0], [3, -1]])
def test_a_reference_without_rows_or_bins_is_refused(counts: list[int]) -> None:
    with pytest.raises(ValueError, match="two bins and some rows"):
        reference_of(counts)


SHARES = st.lists(st.floats(0.001, 1), min_size=2, max_size=12)


@settings(deadline=None)
@given(SHARES, st.data(), st.floats(0.001, 0.3))
def test_a_bet_beyond_the_tolerance_is_fair_in_the_whole_ball(
    weights: list[float], data: st.DataObject, tolerance: float
) -> None:
    """The worst member of the ball moves `tolerance` from the bins with the least q/p to the one with the largest."""
    others = data.draw(st.lists(st.floats(0.001, 1), min_size=len(weights), max_size=len(weights)))
    pi, q = (np.array(x) / np.sum(x) for x in (weights, others))
    p = nearest_tolerated(q, Reference(pi, np.array(tolerance)))
    assert np.sum(p) == pytest.approx(1)
    assert total_variation(p, pi) <= tolerance + 1e-9
    factor = q / p
    worst, left = pi.copy(), tolerance
    for i in np.argsort(factor):
        moved = min(left, worst[i])
        worst[i] -= moved
        left -= moved
    worst[np.argmax(factor)] += tolerance - left
    assert worst @ factor <= 1 + 1e-6
    if total_variation(q, pi) <= tolerance:
        assert np.all(p == q)
    else:
        assert total_variation(p, pi) == pytest.approx(tolerance)
        assert q @ np.log(factor) > 0


def test_traffic_like_the_reference_is_never_found_and_costs_nothing() -> None:
    for per_minute in (300, 12_000):
        log_e, largest, _ = simulate(0.0, per_minute, 20_000, worlds=200, minutes=30)
        e = np.exp(log_e)
        assert np.mean(e) <= 1 + 3 * np.std(e) / sqrt(len(e))
        assert np.count_nonzero(largest >= log(20)) == 0
        assert np.median(log_e) == 0


def test_traffic_at_the_edge_of_the_tolerance_is_rarely_found() -> None:
    """A shift with a TV of .05 from a reference that is known exactly, as it has 10**12 rows."""
    log_e, largest, _ = simulate(2 * ndtri(0.525), 1200, 10**12, worlds=300, minutes=30)
    e = np.exp(log_e)
    assert np.mean(e) <= 1 + 3 * np.std(e) / sqrt(len(e))
    assert np.count_nonzero(largest >= log(20)) <= 15 + 3 * sqrt(15)
    assert np.any(log_e != 0)


@pytest.mark.parametrize(
    ("per_minute", "rows", "minutes", "found_at_least", "median"),
    [
        (300, 100_000, 30, 0.97, 700),
        (1200, 20_000, 30, 0.97, 400),
        (12_000, 20_000, 10, 0.99, 45),
    ],
)
def test_a_quarter_of_sigma_is_found(
    per_minute: float, rows: int, minutes: float, found_at_least: float, median: float
) -> None:
    *_, found = simulate(0.25, per_minute, rows, worlds=100, minutes=minutes)
    assert np.mean(np.isfinite(found)) >= found_at_least
    assert np.nanmedian(found) <= median


def test_a_quarter_of_sigma_is_not_found_with_a_small_reference() -> None:
    """2,000 rows say so little that this may be the reference's own chance."""
    *_, found = simulate(0.25, 1200, 2000, worlds=50, minutes=15)
    assert np.mean(np.isfinite(found)) <= 0.02


def test_more_traffic_of_the_kind_that_was_expected_is_more_evidence() -> None:
    reference = reference_of(np.full(BINS, 10_000))
    state = watch_drift(new_drift(BINS), reference, 1000 * normal_bins(1.0), 5)
    one, two = (watch_drift(state, reference, n * normal_bins(1.0), 5).log_e for n in (100, 200))
    assert 0 < one < two
    assert watch_drift(state, reference, 100 * normal_bins(-1.0), 5).log_e < 0


def test_overdispersion_divides_the_evidence() -> None:
    reference = reference_of(np.full(BINS, 10_000))
    state = watch_drift(new_drift(BINS), reference, 1000 * normal_bins(1.0), 5)
    plain, noisy = (watch_drift(state, reference, np.arange(BINS), 5, phi=phi).log_e for phi in (1.0, 2.0))
    assert noisy == pytest.approx(plain / 2)


def test_a_longer_window_remembers_longer() -> None:
    reference = reference_of([1, 1])
    states = [watch_drift(new_drift(2), reference, [8, 8], 5)] * 2
    short, long = (watch_drift(s, reference, [0, 0], 3600, window=w) for s, w in zip(states, (3600, 7200), strict=True))
    assert short.recent == pytest.approx([4, 4])
    assert long.recent == pytest.approx([8 * sqrt(0.5)] * 2)


@settings(deadline=None)
@given(
    st.lists(st.lists(COUNT, min_size=4, max_size=4), max_size=8),
    st.lists(COUNT, min_size=4, max_size=4).filter(any),
    st.floats(0, 1),
    st.integers(1, 10**6),
)
def test_any_counts_give_a_number(polls: list[list[int]], rows: list[int], tolerance: float, seconds: int) -> None:
    reference, state = reference_of(rows, tolerance), new_drift(4)
    for counts in polls:
        state = watch_drift(state, reference, counts, seconds)
        assert np.isfinite(state.log_e)
        shares = smooth(state.recent)
        assert np.isfinite(population_stability(shares, reference.shares))
        assert -1e-12 <= jensen_shannon(shares, reference.shares) <= 1 + 1e-12


def test_effect_sizes() -> None:
    """PSI of (.8, .2) against (.5, .5): .3 ln 1.6 - .3 ln .4; distributions without common ground are 1 bit apart."""
    half, most = np.array([0.5, 0.5]), np.array([0.8, 0.2])
    assert population_stability(most, half) == pytest.approx(0.3 * log(1.6) - 0.3 * log(0.4))
    assert population_stability(half, half) == 0
    assert jensen_shannon(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == pytest.approx(1)
    assert jensen_shannon(half, half) == 0
    assert 0 < jensen_shannon(most, half) < 1
