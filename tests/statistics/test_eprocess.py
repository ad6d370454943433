"""The e-process: valid under the null whatever the counts, and the sooner over its limit the worse the candidate."""

from itertools import pairwise
from math import isfinite, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.core.analysis.eprocess import (
    EPOCH_SECONDS,
    GRID,
    MaximumTest,
    bet,
    log_certificate,
    log_evidence,
    nothing_bet,
    open_epoch,
)

COUNT = st.integers(min_value=0, max_value=10**12)


def test_evidence_is_the_sum_of_all_bets_and_of_what_was_not_bet() -> None:
    """Two worlds with bets of 2 and 3 and a third that is not bet; powers of e that no number can hold; nothing yet."""
    wealth = np.log([[2.0, 3.0], [0.5, 1.0]])
    assert np.exp(log_evidence(wealth, 2)) == pytest.approx([2 + 3 + 1 / 3, 0.5 + 1 + 1 / 3])
    assert float(log_evidence(np.array([2000.0, -np.inf]), 5)) == pytest.approx(2000.0)
    assert np.exp(log_evidence(nothing_bet((3,)), np.array([0, 1, 3]))) == pytest.approx([1, 1 / 2, 1 / 4])


def simulate(
    share: float, pmax: float, rate: float, seconds: int, worlds: int, *, good_for: int = 0, seed: int = 1
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scrapes every 2 s. Returns per world: the last and the largest ln E, and losses until E reached 200 (or NaN)."""
    random = np.random.default_rng(seed)
    wealth, epochs, largest = nothing_bet((worlds,)), 0, np.zeros(worlds)
    losses, at_fail = np.zeros(worlds), np.full(worlds, np.nan)
    log_e = np.zeros(worlds)
    for second in range(0, good_for + seconds, 2):
        while epochs * EPOCH_SECONDS <= second:
            epochs += 1
            wealth = open_epoch(wealth, epochs)
        requests = random.poisson(rate * 2, worlds)
        lost = random.binomial(requests, share if second >= good_for else 0.0)
        losses += lost
        wealth = bet(wealth, requests, lost, pmax)
        log_e = log_evidence(wealth, epochs)
        largest = np.maximum(largest, log_e)
        at_fail = np.where(np.isnan(at_fail) & (log_e >= log(200)), losses, at_fail)
    return log_e, largest, at_fail


def test_the_worked_example_of_the_module() -> None:
    """5 losses of 10 at pmax 5%: the bet on ratio 10 grows e**7-fold."""
    before = open_epoch(nothing_bet(), 1)
    grown = bet(before, 10, 5, pmax=0.05) - before
    assert grown[list(GRID).index(10)] == pytest.approx(5 * log(10) - 4.5)
    assert before[0] == pytest.approx(log(1 / 32))


def test_all_epochs_together_bet_no_more_than_everything() -> None:
    """The masses 1/(k(k+1)) and what is kept back always sum to one: the process starts at an e-value of 1."""
    wealth = nothing_bet()
    for k in range(1, 200):
        wealth = open_epoch(wealth, k)
        assert log_evidence(wealth, k) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(("pmax", "rate"), [(0.05, 20), (0.01, 20), (0.05, 200), (0.2, 2)])
def test_a_candidate_at_its_maximum_is_rarely_failed(pmax: float, rate: float) -> None:
    """Exactly at the maximum, the hardest allowed case, over half an hour: the mean e-value stays at most 1 and fewer
    than the check's share of alpha (0.5%) ever cross 200. 3 of 1000 is far below the 12 that 0.5% + 3 sigma allows."""
    log_e, largest, _ = simulate(pmax, pmax, rate, 1800, 1000)
    assert np.mean(np.exp(np.minimum(log_e, 50))) <= 1.2
    assert np.count_nonzero(largest >= log(200)) <= 12


def test_half_of_the_answers_failing_takes_a_dozen_bad_requests() -> None:
    """20 requests/s, scraped every 2 s: one scrape shows 20 bad requests, and that is enough."""
    *_, at_fail = simulate(0.5, 0.05, 20, 60, 500)
    assert np.all(np.isfinite(at_fail))
    assert np.median(at_fail) <= 25


@pytest.mark.parametrize("good_for", [900, 1050, 3600])
def test_a_good_hour_does_not_bury_a_later_failure(good_for: int) -> None:
    """With an epoch each 5 minutes this takes 250 bad requests where the failure begins between two epochs."""
    *_, at_fail = simulate(0.5, 0.05, 20, 60, 200, good_for=good_for)
    assert np.all(np.isfinite(at_fail))
    assert np.median(at_fail) <= 45


def test_twice_the_maximum_is_found() -> None:
    *_, at_fail = simulate(0.10, 0.05, 20, 900, 300)
    assert np.all(np.isfinite(at_fail))


@given(st.lists(st.tuples(st.integers(0, 10**6), COUNT, COUNT), max_size=20), st.floats(1e-6, 0.999))
def test_any_counts_give_a_number(scrapes: list[tuple[int, int, int]], pmax: float) -> None:
    test = MaximumTest(pmax, origin=0)
    for time, requests, losses in scrapes:
        test.add(time, requests, losses)
        assert isfinite(test.log_e)
        assert test.peak >= max(test.log_e, 0)


@given(st.integers(1, 10**6), st.data())
def test_more_losses_are_more_evidence_and_more_good_requests_are_less(requests: int, data: st.DataObject) -> None:
    losses = data.draw(st.integers(0, requests - 1))

    def evidence(n: int, x: int) -> float:
        test = MaximumTest(0.05, origin=0)
        test.add(1, n, x)
        return test.log_e

    assert evidence(requests, losses + 1) >= evidence(requests, losses)
    assert evidence(requests + 1, losses) <= evidence(requests, losses)


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 200), st.integers(0, 20)), min_size=1, max_size=30),
    st.randoms(),
)
def test_the_order_in_which_scrapes_arrive_does_not_matter(scrapes: list[tuple[int, int, int]], random: object) -> None:
    ordered, shuffled = MaximumTest(0.05, origin=0), MaximumTest(0.05, origin=0)
    late = list(scrapes)
    random.shuffle(late)  # type: ignore[attr-defined]
    for scrape in sorted(scrapes):
        ordered.add(*scrape)
    for scrape in late:
        shuffled.add(*scrape)
    assert (shuffled.requests, shuffled.losses, shuffled.log_e) == (ordered.requests, ordered.losses, ordered.log_e)


def test_waiting_without_requests_costs_nothing() -> None:
    """New mass enters only with requests, so an hour without traffic leaves the first bets as large as they were."""
    at_once, later = MaximumTest(0.05, origin=0), MaximumTest(0.05, origin=0)
    at_once.add(1, 10, 5)
    later.add(1800, 0, 0)
    later.add(3600, 10, 5)
    assert at_once.log_e == later.log_e


def test_evidence_that_was_there_stays_the_peak() -> None:
    test = MaximumTest(0.05, origin=0)
    test.add(1, 40, 30)
    worst = test.log_e
    for second in range(2, 300):
        test.add(second, 1000, 0)
    assert test.peak == worst > test.log_e


def test_overdispersion_divides_the_evidence() -> None:
    opened = open_epoch(nothing_bet(), 1)
    plain, noisy = (bet(opened, 10, 5, 0.05, phi) - opened for phi in (1.0, 2.0))
    assert noisy == pytest.approx(plain / 2)


def test_the_grid_rises() -> None:
    assert all(low < high for low, high in pairwise(GRID))
    assert GRID[0] > 1


def test_a_bad_candidate_is_rarely_certified() -> None:
    """At the maximum itself, looked at after each of 400 polls: in less than 5% of all rollouts."""
    random = np.random.default_rng(5)
    n = np.full((2000, 400), 25)
    x = random.binomial(n, 0.05)
    found = log_certificate(np.cumsum(n, axis=1), np.cumsum(x, axis=1), 0.05).max(axis=1) >= log(20)
    assert found.mean() <= 0.05


def test_a_good_candidate_is_certified_soon() -> None:
    assert log_certificate(115, 0, 0.05) >= log(20)
    assert log_certificate(40, 0, 0.05) < log(20)
    assert log_certificate(2000, 40, 0.05) >= log(20)
