"""The tolerated slow-down: exact odds under every member of the null, and the slower the candidate the sooner found."""

from dataclasses import replace
from math import log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr

from sluice.core.analysis.eprocess import Floats
from sluice.core.analysis.histogram_bets import STAKES
from sluice.core.analysis.latency import (
    MARGIN,
    SlowdownState,
    bet_on_slowdown,
    has_history,
    least_ratio,
    new_slowdown,
    open_slowdown_epoch,
    remember_stable,
    slowdown_evidence,
    tolerated_slowdown,
)
from sluice.core.metrics import LATENCY_BOUNDS

COUNT = st.integers(min_value=0, max_value=10**12)
BOUNDS = np.array(LATENCY_BOUNDS[3:])
POLL = 5.0
MEDIAN, SIGMA = 0.06, 0.5
"""A lognormal service: 60 ms, sigma .5."""
LIMIT = log(500)
"""The check's share of alpha: .2 of 1%."""


def tails(pods: Floats) -> Floats:
    """Share of requests above each bound, mean over pods; pods: their slow-down, (worlds, pods)."""
    shares: Floats = ndtr(-(np.log(BOUNDS) - np.log(MEDIAN * pods)[..., None]) / SIGMA).mean(axis=1)
    return shares


def requests(random: np.random.Generator, tail: Floats, mean: float) -> tuple[Floats, Floats]:
    """Counts of one poll and those above each bound: (worlds), (worlds, bounds)."""
    reached = np.concatenate([np.ones((len(tail), 1)), tail], axis=1)
    buckets = random.poisson(mean * np.maximum(reached - np.append(tail, np.zeros((len(tail), 1)), axis=1), 0.0))
    above = np.cumsum(buckets[:, ::-1], axis=1)[:, ::-1]
    return above[:, 0].astype(float), above[:, 1:].astype(float)


def simulate(
    slowdown: float = 1.0,
    share: float = 1.0,
    *,
    worlds: int,
    seconds: float,
    pods: tuple[int, int] = (1, 3),
    spread: float = 0.05,
    tolerated: float | None = None,
    margin: float = MARGIN,
    seed: int = 1,
) -> tuple[Floats, Floats, Floats]:
    """200 requests/s, 10% to a candidate whose `share` of requests takes `slowdown` times as long; new mass each 5 min.

    Returns per world the last and the largest ln E, and the seconds until the check's limit was reached (or NaN).
    """
    random = np.random.default_rng(seed)
    candidate, stable = (np.exp(random.normal(0, spread, (worlds, m))) for m in pods)
    tail1 = share * tails(candidate * slowdown) + (1 - share) * tails(candidate)
    tail0 = tails(stable)
    c = tolerated_slowdown(*pods) if tolerated is None else tolerated
    state = new_slowdown(BOUNDS, (worlds,))
    for _ in range(30):
        state = remember_stable(state, *requests(random, tail0, 200 * 10), 10)
    largest, found = np.full(worlds, -np.inf), np.full(worlds, np.nan)
    log_e = np.zeros(worlds)
    for second in np.arange(0, seconds, POLL):
        if second % 300 == 0:
            state = open_slowdown_epoch(state)
        (n1, x1), (n0, x0) = requests(random, tail1, 20 * POLL), requests(random, tail0, 180 * POLL)
        state = remember_stable(bet_on_slowdown(state, n1, x1, n0, x0, c, margin=margin), n0, x0, POLL)
        log_e = slowdown_evidence(state)
        largest = np.maximum(largest, log_e)
        found = np.where(np.isnan(found) & (log_e >= LIMIT), second + POLL, found)
        if np.all(np.isfinite(found)):
            break
    return log_e, largest, found


def remembered(*tail: float, shape: tuple[int, ...] = ()) -> SlowdownState:
    """Two bounds and a stable with exactly these tails in every memory; the first mass is bet."""
    state = remember_stable(new_slowdown([0.1, 0.2], shape), np.full(shape, 1.0), np.zeros((*shape, 2)), 300)
    slow = np.broadcast_to(np.array(tail) * 1000 - 0.5, state.slow.shape)
    return open_slowdown_epoch(replace(state, slow=slow, requests=np.full(state.requests.shape, 999.0)))


def gain(before: SlowdownState, after: SlowdownState) -> Floats:
    """What one poll added to the log wealth, (..., bets)."""
    return after.log_wealth - before.log_wealth


TWICE = 2 * (1 - 1e-12)
"""Slow-down that leads from the upper of the two bounds to the lower one: r is the ratio of their tails."""


@pytest.mark.parametrize(("pods", "expected"), [((1, 3), 1.155), ((2, 6), 1.107), ((5, 15), 1.067), ((99, 99), 1.05)])
def test_what_pods_differ_by_themselves_is_tolerated(pods: tuple[int, int], expected: float) -> None:
    assert tolerated_slowdown(*pods) == pytest.approx(expected, abs=5e-4)
    assert tolerated_slowdown(*pods, pod_spread=0) == 1.05


def test_an_arm_without_pods_and_bounds_that_say_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="need a pod, not 0 and 3"):
        tolerated_slowdown(0, 3)
    for bounds in ([0.1], [0.1, 0.1], [0.0, 0.1], [0.1, np.inf]):
        with pytest.raises(ValueError, match="rising"):
            new_slowdown(bounds)


def test_an_equal_candidate_is_rarely_found_by_the_exact_test() -> None:
    """c = 1, margin 0, pods alike: nothing is tolerated, this is the edge of the null: the bets are nearly fair."""
    log_e, *_ = simulate(worlds=2000, seconds=10, spread=0.0, tolerated=1.0, margin=0.0, seed=2)
    e = np.exp(log_e)
    assert 0.8 < np.mean(e) <= 1 + 3 * np.std(e) / np.sqrt(len(e))
    _, largest, _ = simulate(worlds=200, seconds=600, spread=0.0, tolerated=1.0, margin=0.0)
    assert np.count_nonzero(largest >= log(20)) <= 10 + 3 * np.sqrt(10)


def test_pods_that_differ_do_not_make_a_candidate_slow() -> None:
    """Pods 5% apart; a ratio of quantiles is wrong here in 30 to 90 of 100 rollouts."""
    _, largest, _ = simulate(worlds=150, seconds=900, seed=3)
    assert np.count_nonzero(largest >= log(100)) <= 5


@pytest.mark.parametrize(
    ("slowdown", "share", "pods", "seconds", "found_at_least", "median"),
    [
        (2.0, 1.0, (1, 3), 60, 1.0, 5),
        (1.5, 1.0, (1, 3), 300, 0.99, 15),
        (1.3, 1.0, (1, 3), 600, 0.88, 85),
        (1.2, 1.0, (5, 15), 300, 0.99, 40),
        (10.0, 0.02, (1, 3), 300, 0.99, 45),
    ],
)
def test_a_slow_candidate_is_found(
    slowdown: float, share: float, pods: tuple[int, int], seconds: float, found_at_least: float, median: float
) -> None:
    """Rows of the benchmark; the last is 2% of the requests ten times slower, which no quantile below p98 shows."""
    *_, found = simulate(slowdown, share, worlds=100, seconds=seconds, pods=pods)
    assert np.mean(np.isfinite(found)) >= found_at_least
    assert np.nanmedian(found) <= median


def test_a_slow_down_within_the_tolerance_is_not_found() -> None:
    """15% slower with one pod against three, pods alike."""
    _, largest, _ = simulate(1.154, worlds=100, seconds=600, spread=0.0)
    assert np.count_nonzero(largest >= log(100)) <= 3


def test_nothing_is_bet_before_five_minutes_of_history() -> None:
    state = new_slowdown(BOUNDS)
    for _ in range(29):
        state = remember_stable(state, 100, np.zeros(BOUNDS.size), 10)
    state = remember_stable(state, 0, np.zeros(BOUNDS.size), 600)
    early = open_slowdown_epoch(state)
    assert not has_history(state)
    assert early.epochs == 0
    assert np.all(early.log_wealth == -np.inf)
    state = remember_stable(state, 100, np.zeros(BOUNDS.size), 10)
    assert has_history(state)
    assert open_slowdown_epoch(state).epochs == 1


def test_the_mass_of_an_epoch_is_laid_out_by_the_stakes() -> None:
    opened = open_slowdown_epoch(remember_stable(new_slowdown([0.1, 0.2, 0.3, 0.4]), 1000, [900, 600, 400, 100], 300))
    assert opened.log_wealth == pytest.approx(np.log(STAKES / 2))
    assert list(STAKES) == pytest.approx([0.08] * 5 + [0.18] * 3 + [0.0075] * 8)


def test_an_epoch_opens_where_it_is_wanted_and_stable_is_known() -> None:
    state = remember_stable(new_slowdown([0.1, 0.2], (3,)), [9, 9, 0], np.zeros((3, 2)), 300)
    opened = open_slowdown_epoch(state, [True, False, True])
    assert list(opened.epochs) == [1, 0, 0]
    assert np.all(np.isfinite(opened.log_wealth[0]))
    assert np.all(opened.log_wealth[1:] == -np.inf)


def test_all_epochs_together_bet_no_more_than_everything() -> None:
    state = remembered(0.03, 0.02)
    for _ in range(200):
        assert slowdown_evidence(state) == pytest.approx(0, abs=1e-9)
        state = open_slowdown_epoch(state)


def test_the_past_fades_with_three_half_lives() -> None:
    state = remember_stable(new_slowdown([0.1, 0.2]), 64, [32, 16], 1)
    state = remember_stable(state, 0, [0, 0], 60)
    assert state.requests == pytest.approx([4, 32, 64 * 0.5**0.2])
    assert state.slow[:2] == pytest.approx(np.array([[2, 1], [16, 8]]))


def test_the_memory_that_knows_the_worst_ratio_counts() -> None:
    """A shape that was there five minutes ago may come back; the evidence is that of the tolerant ratio."""
    plain = remembered(0.03, 0.02)
    slow = plain.slow.copy()
    slow[2] = 1000 * np.array([0.06, 0.02]) - 0.5
    tolerant = remembered(0.06, 0.02)
    poll = (100, [100, 15], 300, [300, 6], TWICE)
    mixed = bet_on_slowdown(replace(plain, slow=slow), *poll)
    assert mixed.log_wealth == pytest.approx(bet_on_slowdown(tolerant, *poll).log_wealth)
    assert slowdown_evidence(mixed) < slowdown_evidence(bet_on_slowdown(plain, *poll))


def test_between_two_bounds_a_lognormal_tail_is_known_exactly() -> None:
    """c = 1.155 at 0.1 s asks for the tail at 86.6 ms, where the histogram has no bound; r must be the true ratio."""
    c = 1.155
    tail = tails(np.ones((1, 1)))[0]
    state = remember_stable(new_slowdown(BOUNDS), 1e12, 1e12 * tail, 300)
    at = list(BOUNDS).index(0.1)
    true = ndtr(-(log(0.1 / c) - log(MEDIAN)) / SIGMA)
    assert least_ratio(state, c)[at] == pytest.approx(true / tail[at], rel=1e-6)


def test_no_bet_where_the_tail_before_the_bound_is_unknown_or_all_is_allowed() -> None:
    """b / c below the lowest bound; and a stable that is slow nearly always, of which H0 allows all."""
    narrow = remembered(0.03, 0.02)
    assert np.all(bet_on_slowdown(narrow, 100, [100, 100], 300, [0, 0], 2.1).log_wealth == narrow.log_wealth)
    assert np.any(bet_on_slowdown(narrow, 100, [100, 100], 300, [0, 0], 1.9).log_wealth != narrow.log_wealth)
    certain = replace(narrow, slow=np.tile(1000 * np.array([0.9995, 0.9992]) - 0.5, (3, 1)))
    assert np.all(bet_on_slowdown(certain, 100, [100, 100], 300, [0, 0], TWICE).log_wealth == certain.log_wealth)


@pytest.mark.parametrize(("n1", "n0"), [(0, 300), (100, 0), (0, 0)])
def test_a_poll_in_which_an_arm_had_no_request_changes_nothing(n1: int, n0: int) -> None:
    state = remembered(0.03, 0.02)
    assert np.all(bet_on_slowdown(state, n1, [n1, n1], n0, [0, 0], TWICE).log_wealth == state.log_wealth)


def test_more_slow_requests_than_requests_are_all_of_them() -> None:
    """Buckets and count are scraped at once, but a counter may be reset between two of them."""
    state = remembered(0.03, 0.02)
    most = bet_on_slowdown(state, 100, [100, 100], 300, [0, 0], TWICE)
    assert np.all(bet_on_slowdown(state, 100, [100, 150], 300, [0, -1], TWICE).log_wealth == most.log_wealth)


def test_overdispersion_divides_the_evidence() -> None:
    state = remembered(0.03, 0.02)
    poll = (100, [100, 15], 300, [300, 6], TWICE)
    plain, noisy = (gain(state, bet_on_slowdown(state, *poll, phi)) for phi in (1.0, 2.0))
    assert noisy == pytest.approx(plain / 2)


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.floats(0.001, 0.4), st.data())
def test_more_slow_requests_are_more_evidence_and_more_of_stable_are_less(
    n1: int, n0: int, tail: float, data: st.DataObject
) -> None:
    x1, x0 = data.draw(st.integers(0, n1 - 1)), data.draw(st.integers(0, n0 - 1))
    state = remembered(1.5 * tail, tail)

    def evidence(x1: int, x0: int) -> float:
        return float(slowdown_evidence(bet_on_slowdown(state, n1, [x1, x1], n0, [x0, x0], TWICE)))

    assert evidence(x1 + 1, x0) >= evidence(x1, x0)
    assert evidence(x1, x0 + 1) <= evidence(x1, x0)


SLOW = st.lists(COUNT, min_size=4, max_size=4)
POLLS = st.lists(st.tuples(COUNT, SLOW, COUNT, SLOW, st.booleans()), max_size=8)


@settings(deadline=None)
@given(POLLS, st.floats(1, 3), st.floats(1, 100))
def test_any_counts_give_a_number(
    polls: list[tuple[int, list[int], int, list[int], bool]], slowdown: float, phi: float
) -> None:
    """Also such as no histogram can show: more slow requests than requests, and tails that rise."""
    state = remember_stable(new_slowdown([0.01, 0.1, 0.25, 1.0]), 1, [0, 0, 0, 0], 300)
    for n1, x1, n0, x0, opens in polls:
        state = open_slowdown_epoch(state) if opens else state
        state = bet_on_slowdown(state, n1, x1, n0, x0, slowdown, phi)
        state = remember_stable(state, n0, x0, 5)
        assert np.isfinite(slowdown_evidence(state))


def test_many_worlds_and_one_are_the_same_arithmetic() -> None:
    random = np.random.default_rng(4)
    tail = tails(np.exp(random.normal(0, 0.3, (3, 2))))
    together, alone = new_slowdown(BOUNDS, (3,)), [new_slowdown(BOUNDS) for _ in range(3)]
    c = np.array([1.05, 1.1, 1.2])
    for _ in range(40):
        (n0, x0), (n1, x1) = requests(random, tail, 900), requests(random, tail, 100)
        together = open_slowdown_epoch(remember_stable(together, n0, x0, 10))
        together = bet_on_slowdown(together, n1, x1, n0, x0, c)
        alone = [open_slowdown_epoch(remember_stable(s, n0[i], x0[i], 10)) for i, s in enumerate(alone)]
        alone = [bet_on_slowdown(s, n1[i], x1[i], n0[i], x0[i], c[i]) for i, s in enumerate(alone)]
    assert np.array_equal(together.log_wealth, np.stack([s.log_wealth for s in alone]))
    assert list(slowdown_evidence(together)) == [float(slowdown_evidence(s)) for s in alone]
    assert np.ptp(slowdown_evidence(together)) > 0


@pytest.mark.parametrize(("base", "candidate"), [("usual", "edge"), ("usual", "hangs"), ("busy", "edge")])
def test_the_mean_wealth_is_at_most_one_at_the_edge_of_the_null(base: str, candidate: str) -> None:
    """Three polls of 100 and 900 requests. Stable is as it is remembered, or twice as slow for all that H0 says nothing
    about; of the candidate each tail is as large as allowed, or only the margin's, which then hangs."""
    worlds, c, margin = 1500, 1.155, MARGIN
    random = np.random.default_rng(8)
    usual = tails(np.ones((1, 1)))[0]
    state = remember_stable(new_slowdown(BOUNDS), 1e9, 1e9 * usual, 300)
    ratio = least_ratio(state, c)
    tail0 = usual if base == "usual" else tails(np.full((1, 1), 2.0))[0]
    allowed = np.minimum.accumulate(np.minimum(ratio * tail0 + margin, 1.0))
    tail1 = allowed if candidate == "edge" else np.maximum(tail0, margin)
    state = new_slowdown(BOUNDS, (worlds,))
    state = open_slowdown_epoch(remember_stable(state, np.full(worlds, 1e9), np.tile(1e9 * usual, (worlds, 1)), 300))
    for _ in range(3):
        (n1, x1), (n0, x0) = (
            requests(random, np.tile(tail, (worlds, 1)), mean) for tail, mean in ((tail1, 100), (tail0, 900))
        )
        state = bet_on_slowdown(state, n1, x1, n0, x0, c, margin=margin)
    wealth = np.exp(state.log_wealth + log(2) - np.log(STAKES))
    mean, error = wealth.mean(axis=0), wealth.std(axis=0) / np.sqrt(worlds)
    assert np.all(mean <= 1 + 4 * error)
    assert (mean.max() > 0.8) == ((base, candidate) == ("usual", "edge"))
