"""The tolerated slow-down: exact odds under every member of the null, and the slower the candidate the sooner found."""

from dataclasses import replace
from itertools import product
from math import comb, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.special import ndtr

from sluice.core.analysis.eprocess import Floats
from sluice.core.analysis.latency import (
    GRID,
    MARGIN,
    SlowdownState,
    bet_on_slowdown,
    has_history,
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
    """Two bounds and a stable with exactly these tails in every memory; the first mass is bet on the upper one."""
    state = remember_stable(new_slowdown([0.1, 0.2], shape), np.full(shape, 1.0), np.zeros((*shape, 2)), 300)
    slow = np.broadcast_to(np.array(tail) * 1000 - 0.5, state.slow.shape)
    return open_slowdown_epoch(replace(state, slow=slow, requests=np.full(state.requests.shape, 999.0)))


def gain(before: SlowdownState, after: SlowdownState, bound: int = 1) -> Floats:
    """What one poll added to the log wealth at a bound, (..., grid)."""
    return after.log_wealth[..., bound, :] - before.log_wealth[..., bound, :]


TWICE = 2 * (1 - 1e-12)
"""Slow-down that leads from the upper of the two bounds to the lower one: r is the ratio of their tails."""


def test_the_worked_example_of_the_module() -> None:
    before = remembered(0.03, 0.02)
    after = bet_on_slowdown(before, 100, [0, 15], 300, [0, 6], TWICE)
    assert gain(before, after)[list(GRID).index(5)] == pytest.approx(6.56, abs=0.01)


@pytest.mark.parametrize(
    ("tail", "ratio", "n1", "n0"), [(0.02, 1.5, 100, 300), (0.4, 1.1, 50, 20), (0.0005, 3.0, 9, 9000)]
)
def test_the_bet_is_on_the_odds_and_divides_by_the_nearest_member_of_the_null(
    tail: float, ratio: float, n1: int, n0: int
) -> None:
    """Against another way to find where the KL divergence is least. The 60-s memory says what the tail is now."""
    state = remembered(0.0, tail)
    slow = np.stack([tail * np.array([0.5, 1.0, 2.0]) * ratio, tail * np.array([0.5, 1.0, 2.0])], axis=-1)
    state = replace(state, slow=1000 * slow - 0.5)
    x1, x0 = n1 // 3, n0 // 5
    found = gain(state, bet_on_slowdown(state, n1, [n1, x1], n0, [n0, x0], TWICE))
    allowed = ratio * tail + MARGIN
    for g, seen in zip(GRID, found, strict=True):
        odds = g * allowed / (1 - allowed)
        p1 = odds / (1 + odds)

        def slope(m0: float, p1: float = p1) -> float:
            m1 = ratio * m0 + MARGIN
            return n1 * ratio * (p1 - m1) / (m1 * (1 - m1)) + n0 * (tail - m0) / (m0 * (1 - m0))

        m0 = brentq(slope, tail, (p1 - MARGIN) / ratio, xtol=1e-15)
        m1 = ratio * m0 + MARGIN
        expected = x1 * log(p1 / m1) + (n1 - x1) * log((1 - p1) / (1 - m1))
        expected += x0 * log(tail / m0) + (n0 - x0) * log((1 - tail) / (1 - m0))
        assert seen == pytest.approx(expected, rel=1e-8, abs=1e-8)


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


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 3),
    st.integers(1, 4),
    st.floats(0.001, 0.45),
    st.floats(1.0, 2.0),
    st.floats(0, 1),
    st.sampled_from([0.0, MARGIN]),
)
def test_one_poll_is_a_fair_bet_under_every_member_of_the_null(
    n1: int, n0: int, tail: float, ratio: float, p0: float, margin: float
) -> None:
    """The mean over all outcomes, exactly: p1 at its largest allowed value, at half of it, and anywhere for stable."""
    outcomes = np.array(list(product(range(n1 + 1), range(n0 + 1))), dtype=float)
    before = remembered(ratio * tail, tail, shape=(len(outcomes),))
    slow1, slow0 = (np.stack([x, x], axis=-1) for x in outcomes.T)
    polls = np.full(len(outcomes), n1), slow1, np.full(len(outcomes), n0), slow0
    factor = np.exp(gain(before, bet_on_slowdown(before, *polls, TWICE, margin=margin)))
    largest = min(1.0, ratio * p0 + margin)
    for p1 in (largest, largest / 2):
        chance = np.array(
            [
                comb(n1, int(a)) * p1**a * (1 - p1) ** (n1 - a) * comb(n0, int(b)) * p0**b * (1 - p0) ** (n0 - b)
                for a, b in outcomes
            ]
        )
        assert np.all(chance @ factor <= 1 + 1e-6)
    assert np.any(factor != 1)


def test_the_null_is_never_wider_than_it_must_be() -> None:
    """At the nearest member itself the bet is exactly fair: mean 1. Here r = 1 and margin 0, so that is any m1 = m0."""
    state = remembered(0.02, 0.02, shape=(2, 2))
    x = np.array([0.0, 1.0])
    slow1, slow0 = np.broadcast_to(x[:, None, None], (2, 2, 2)), np.broadcast_to(x[None, :, None], (2, 2, 2))
    after = bet_on_slowdown(state, np.ones((2, 2)), slow1, np.ones((2, 2)), slow0, 1.0, margin=0.0)
    factor = np.exp(gain(state, after))
    chances = (np.array([1 - m, m]) for m in np.linspace(0.001, 0.9, 2000))
    means = [np.einsum("abg,a,b->g", factor, chance, chance) for chance in chances]
    assert np.max(means, axis=0) == pytest.approx(np.ones(len(GRID)), abs=1e-3)


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
        (1.2, 1.0, (5, 15), 300, 0.99, 50),
        (10.0, 0.02, (1, 3), 300, 0.99, 50),
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


def test_mass_goes_evenly_to_the_bounds_that_at_most_half_of_the_requests_exceed() -> None:
    state = remember_stable(new_slowdown([0.1, 0.2, 0.3, 0.4]), 1000, [900, 600, 400, 100], 300)
    opened = open_slowdown_epoch(state)
    assert np.all(opened.log_wealth[:2] == -np.inf)
    assert opened.log_wealth[2:] == pytest.approx(-np.log(2 * 2 * len(GRID)))


def test_the_lowest_bound_gets_no_mass_and_without_a_bound_the_mass_is_kept() -> None:
    """Below the lowest bound nothing is known of stable; two worlds, the second one with requests of seconds."""
    slow = np.array([[10.0, 5.0], [900.0, 800.0]])
    opened = open_slowdown_epoch(remember_stable(new_slowdown([0.1, 0.2], (2,)), [1000.0, 1000.0], slow, 300))
    assert list(opened.epochs) == [1, 0]
    assert np.all(opened.log_wealth[0, 0] == -np.inf)
    assert np.all(opened.log_wealth[1] == -np.inf)


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
    poll = (100, [0, 15], 300, [0, 6], TWICE)
    mixed = bet_on_slowdown(replace(plain, slow=slow), *poll)
    assert mixed.log_wealth == pytest.approx(bet_on_slowdown(tolerant, *poll).log_wealth)
    assert slowdown_evidence(mixed) < slowdown_evidence(bet_on_slowdown(plain, *poll))


def test_between_two_bounds_a_lognormal_tail_is_known_exactly() -> None:
    """c = 1.155 at 0.1 s asks for the tail at 86.6 ms, where the histogram has no bound; r must be the true ratio."""
    c = 1.155
    tail = tails(np.ones((1, 1)))[0]
    state = open_slowdown_epoch(remember_stable(new_slowdown(BOUNDS), 1e12, 1e12 * tail, 300))
    at = list(BOUNDS).index(0.1)
    true = ndtr(-(log(0.1 / c) - log(MEDIAN)) / SIGMA)
    two = replace(remembered(true, tail[at]), requests=np.full(3, 1e12))
    two = replace(two, slow=np.tile(1e12 * np.array([true, tail[at]]), (3, 1)))
    one, other = np.zeros(BOUNDS.size), np.zeros(BOUNDS.size)
    one[: at + 1], other[: at + 1] = 70, 30
    seen = gain(state, bet_on_slowdown(state, 100, one, 100, other, c), at)
    expected = gain(two, bet_on_slowdown(two, 100, [70, 70], 100, [30, 30], TWICE))
    assert seen == pytest.approx(expected, rel=1e-4)


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
    poll = (100, [0, 15], 300, [0, 6], TWICE)
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
    assert slowdown_evidence(together) == pytest.approx([float(slowdown_evidence(s)) for s in alone])
    assert np.ptp(slowdown_evidence(together)) > 0
