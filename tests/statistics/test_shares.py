"""Two mixes of categories: the change is found in the categories that grew, and pods that differ are no change."""

from math import exp, log, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.core.analysis.eprocess import GRID, Floats, open_epoch
from sluice.core.analysis.rates import tolerated_ratio, two_sample_bet
from sluice.core.analysis.shares import bet_on_shares, category_evidence, no_shares_bet, shares_evidence

COUNT = st.integers(min_value=0, max_value=10**12)
STABLE = np.array([0.5, 0.4, 0.1])


def opened(categories: int = 3, shape: tuple[int, ...] = ()) -> Floats:
    return open_epoch(no_shares_bet(categories, shape), 1)


def simulate(
    candidate: Floats, *, worlds: int, polls: int, r0: float, spread: float = 0.0, delta: float = 0.0005, seed: int = 1
) -> tuple[Floats, Floats, Floats]:
    """20 candidate and 180 stable requests a second, polls of 5 s. spread: of the candidate's shares, by pod (log sd).

    Returns the last and the largest ln E, and the polls until E reached 500 (or NaN).
    """
    random = np.random.default_rng(seed)
    shares = candidate * np.exp(random.normal(0, spread, (worlds, len(candidate))))
    shares /= shares.sum(axis=1, keepdims=True)
    wealth, largest, found = opened(len(candidate), (worlds,)), np.zeros(worlds), np.full(worlds, np.nan)
    log_e = np.zeros(worlds)
    for poll in range(polls):
        x1, x0 = random.poisson(100 * shares), random.poisson(900 * STABLE, (worlds, len(STABLE)))
        wealth = bet_on_shares(wealth, x1, x0, r0, delta)
        log_e = shares_evidence(wealth, 1)
        largest = np.maximum(largest, log_e)
        found = np.where(np.isnan(found) & (log_e >= log(500)), poll + 1, found)
    return log_e, largest, found


def test_the_worked_example_of_the_module() -> None:
    before = opened()
    after = bet_on_shares(before, [50, 20, 30], [450, 360, 90], 1.1)
    assert (after - before)[2, list(GRID).index(2.5)] == pytest.approx(9.3, abs=0.05)
    assert exp(shares_evidence(after, 1)) > 111


def test_each_category_is_a_test_of_its_own_against_all_requests() -> None:
    after = bet_on_shares(opened(), [50, 20, 30], [450, 360, 90], 1.39, 0.002, 1.5)
    for i, (x1, x0) in enumerate([(50, 450), (20, 360), (30, 90)]):
        assert after[i] == pytest.approx(two_sample_bet(opened()[i], 100, x1, 900, x0, 1.39, 0.002, 1.5))


def test_the_evidence_is_the_mean_of_the_categories_and_says_which_one() -> None:
    after = bet_on_shares(opened(), [50, 20, 30], [450, 360, 90], 1.1)
    each = category_evidence(after, 1)
    assert np.argmax(each) == 2
    assert each[2] > log(100) > each[0]
    assert shares_evidence(after, 1) == pytest.approx(log(np.mean(np.exp(each))))


def test_nothing_bet_is_an_e_value_of_one() -> None:
    assert shares_evidence(opened(), 1) == pytest.approx(0)


def test_an_equal_mix_at_the_edge_is_rarely_found() -> None:
    """Nothing tolerated, r0 = 1 and no margin: the mean e-value is at most 1, and few cross 20."""
    log_e, *_ = simulate(STABLE, worlds=4000, polls=2, r0=1.0, delta=0.0)
    e = np.exp(log_e)
    assert np.mean(e) <= 1 + 3 * np.std(e) / sqrt(len(e))
    _, largest, _ = simulate(STABLE, worlds=500, polls=120, r0=1.0, delta=0.0)
    assert np.count_nonzero(largest >= log(20)) <= 25 + 3 * sqrt(25)


def test_a_mix_that_differs_by_pod_is_rarely_found() -> None:
    """A fifth of one pod's share, against three pods, over half an hour."""
    _, largest, _ = simulate(STABLE, worlds=200, polls=360, r0=tolerated_ratio(1, 3), spread=0.2)
    assert np.count_nonzero(largest >= log(100)) <= 6


@pytest.mark.parametrize(
    ("candidate", "polls"),
    [([0.5, 0.2, 0.3], 3), ([0.0, 0.9, 0.1], 3), ([0.5, 0.3, 0.2], 32), ([0.95, 0.04, 0.01], 11)],
)
def test_another_mix_is_found(candidate: list[float], polls: int) -> None:
    """With one pod against three; the last lost two categories, which shows in the one that is left."""
    *_, found = simulate(np.array(candidate), worlds=100, polls=60, r0=tolerated_ratio(1, 3))
    assert np.all(np.isfinite(found))
    assert np.median(found) <= polls


@given(st.lists(st.integers(0, 1000), min_size=3, max_size=3), st.lists(st.integers(1, 1000), min_size=3, max_size=3))
def test_more_tolerance_is_less_evidence(x1: list[int], x0: list[int]) -> None:
    """A larger r0 moves what H0 expects towards what is bet on, in each category on its own."""
    low, high = (np.max(bet_on_shares(opened(), x1, x0, 1.1, delta) - opened(), axis=-1) for delta in (0.0005, 0.05))
    assert np.all(high <= low)


@pytest.mark.parametrize(("x1", "x0"), [([0, 0, 0], [5, 5, 5]), ([5, 5, 5], [0, 0, 0])])
def test_a_poll_in_which_an_arm_had_no_request_changes_nothing(x1: list[int], x0: list[int]) -> None:
    assert np.all(bet_on_shares(opened(), x1, x0, 1.1) == opened())


def test_overdispersion_divides_the_evidence() -> None:
    plain, noisy = (bet_on_shares(opened(), [5, 2, 3], [450, 360, 90], 1.1, phi=phi) - opened() for phi in (1.0, 2.0))
    assert noisy == pytest.approx(plain / 2)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.lists(COUNT, min_size=3, max_size=3), st.lists(COUNT, min_size=3, max_size=3)), max_size=8)
)
def test_any_counts_give_a_number(polls: list[tuple[list[int], list[int]]]) -> None:
    wealth = no_shares_bet(3)
    for k, (x1, x0) in enumerate(polls, start=1):
        wealth = bet_on_shares(open_epoch(wealth, k), x1, x0, 1.39)
        assert np.isfinite(shares_evidence(wealth, k))


def test_many_worlds_and_one_are_the_same_arithmetic() -> None:
    x1, x0 = np.array([[50, 20, 30], [5, 4, 1]]), np.array([[450, 360, 90], [45, 40, 0]])
    r0 = np.array([1.1, 1.5])
    together = bet_on_shares(opened(3, (2,)), x1, x0, r0)
    for i in range(2):
        assert together[i] == pytest.approx(bet_on_shares(opened(), x1[i], x0[i], r0[i]))
