"""Means of rewards: no evidence while nothing is known, little under the null, and early where the loss is large."""

from dataclasses import replace
from math import erf, exp, log, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from sluice.core.analysis.eprocess import Floats
from sluice.core.analysis.means import MIXTURE, MeansState, compare_means, means_evidence, new_means

COUNT = st.integers(min_value=0, max_value=10**12)
REWARD = st.floats(-1e6, 1e6)


def poll_of(answered: ArrayLike, mean: Floats | float, random: np.random.Generator, skewed: bool = False) -> Floats:
    """Count, sum and sum of squares of n rewards with variance 1: normal, or exponential. (3, worlds)."""
    n = np.asarray(answered, dtype=float)
    rewards = (
        random.exponential(size=(len(n), int(n.max()))) - 1 if skewed else random.normal(size=(len(n), int(n.max())))
    )
    kept = np.where(np.arange(rewards.shape[1]) < n[:, None], rewards + np.reshape(mean, (-1, 1)), 0.0)
    return np.array([n, kept.sum(axis=1), (kept**2).sum(axis=1)])


def simulate(
    loss: float = 0.0,
    *,
    worlds: int,
    polls: int,
    delta: float = 0.0,
    skewed: bool = False,
    drift: float = 0.0,
    limit: float = 500,
    seed: int = 1,
) -> tuple[Floats, Floats, Floats]:
    """200 requests in a poll, 10% of them to the candidate, whose mean reward is `loss` lower; both drift alike.

    Returns per world the last and the largest ln E, and the polls until `limit` was reached (or NaN).
    """
    random = np.random.default_rng(seed)
    state = new_means((worlds,))
    largest, found, log_e = np.zeros(worlds), np.full(worlds, np.nan), np.zeros(worlds)
    for poll in range(polls):
        base = drift * np.sin(poll / 40)
        candidate = poll_of(random.poisson(20, worlds), base - loss, random, skewed)
        stable = poll_of(random.poisson(180, worlds), base, random, skewed)
        n, total, squares = np.stack([candidate, stable], axis=-1)
        state = compare_means(state, n, total, squares, delta)
        log_e = means_evidence(state)
        largest = np.maximum(largest, log_e)
        found = np.where(np.isnan(found) & (log_e >= log(limit)), poll + 1, found)
    return log_e, largest, found


def exact(mean: float, requests: int, variance: float = 1.0) -> tuple[float, float, float]:
    """Count, sum and sum of squares of rewards with exactly this mean and, in many polls, this variance."""
    return requests, requests * mean, requests * (mean**2 + variance)


def after(polls: int, loss: float, state: MeansState | None = None, variance: float = 1.0) -> MeansState:
    """Polls of 100 candidate and 900 stable requests, the candidate's mean 5 - loss with this variance."""
    state = new_means() if state is None else state
    for _ in range(polls):
        state = compare_means(state, *np.transpose([exact(5 - loss, 100, variance), exact(5, 900)]))
    return state


def test_the_worked_example_of_the_module() -> None:
    state = after(10, 0.2, after(6, 0.2))
    assert state.scale == pytest.approx(90, rel=0.002)
    assert state.gap == pytest.approx(180)
    assert state.variance == pytest.approx(900, rel=0.002)
    wealth = [
        2 * sqrt(rho / (900 + rho)) * exp(180**2 / 2 / (900 + rho)) * (1 + erf(180 / sqrt(2 * (900 + rho)))) / 2
        for rho in (270, 2700, 27000)
    ]
    assert log(wealth[0]) == pytest.approx(13.8, abs=0.05)
    assert means_evidence(state) == pytest.approx(log(sum(wealth) / 3), abs=0.05)


def test_the_first_six_polls_only_set_the_scale() -> None:
    assert means_evidence(after(6, 3.0)) == pytest.approx(0)
    assert means_evidence(after(7, 3.0)) > log(1000)


def test_polls_in_which_an_arm_was_silent_set_no_scale() -> None:
    state = new_means()
    for _ in range(10):
        state = compare_means(state, *np.transpose([exact(2, 0), exact(5, 900)]))
    assert means_evidence(after(6, 3.0, state)) == pytest.approx(0)
    assert means_evidence(after(7, 3.0, state)) > 3


def test_each_arm_has_a_variance_of_its_own_and_the_scale_is_set_once() -> None:
    """V of a poll: 8100 * (4/100 + 1/900) = 333; then the candidate's past scatters more, and the scale stays."""
    state = after(7, 0.0, variance=4.0)
    assert state.scale == pytest.approx(333, rel=0.01)
    assert state.variance == pytest.approx(333, rel=0.01)
    later = after(7, 0.0, state, variance=10.0)
    assert later.scale == state.scale
    assert later.variance > 10 * state.variance


def test_nothing_is_bet_before_each_arm_has_answered_100_requests() -> None:
    """10 a poll: the eleventh poll is the first with 100 before it."""
    state, evidence = new_means(), []
    for _ in range(11):
        state = compare_means(state, *np.transpose([exact(2, 10), exact(5, 1000)]))
        evidence.append(float(means_evidence(state)))
    assert evidence[:10] == pytest.approx([0.0] * 10)
    assert evidence[10] > 1


@pytest.mark.parametrize("skewed", [False, True])
@pytest.mark.parametrize("drift", [0.0, 3.0])
def test_an_equal_candidate_is_rarely_found(skewed: bool, drift: float) -> None:
    """120 polls; also with exponential rewards, and with a base that drifts by three sigma for both arms."""
    log_e, largest, _ = simulate(worlds=300, polls=120, skewed=skewed, drift=drift)
    e = np.exp(log_e)
    assert np.mean(e) <= 1 + 3 * np.std(e) / sqrt(len(e))
    assert np.mean(e) > 0.1
    assert np.count_nonzero(largest >= log(20)) <= 15 + 3 * sqrt(15)


def test_a_tolerated_loss_is_rarely_found() -> None:
    _, largest, _ = simulate(0.2, worlds=300, polls=60, delta=0.2)
    assert np.count_nonzero(largest >= log(20)) <= 15 + 3 * sqrt(15)


@pytest.mark.parametrize(("loss", "polls"), [(0.2, 36), (0.3, 22), (0.5, 13), (1.0, 9)])
def test_a_loss_is_found(loss: float, polls: int) -> None:
    """In units of the rewards' sigma; the first six of the polls set the scale, so 7 is the soonest."""
    *_, found = simulate(loss, worlds=100, polls=120)
    assert np.mean(np.isfinite(found)) >= 0.98
    assert np.nanmedian(found) <= polls


def test_a_better_candidate_is_no_evidence() -> None:
    log_e, *_ = simulate(-0.3, worlds=50, polls=60)
    assert np.all(log_e < 0)


@given(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9), st.floats(0, 1e12))
def test_a_larger_gap_is_more_evidence(one: float, other: float, variance: float) -> None:
    state = replace(after(7, 0.0), variance=np.array(variance))
    low, high = (float(means_evidence(replace(state, gap=np.array(g)))) for g in sorted((one, other)))
    assert low <= high + 1e-9 * abs(high)
    if one < 0:
        assert float(means_evidence(replace(state, gap=np.array(one)))) < 1e-9


def test_far_below_zero_the_evidence_is_small_and_exact() -> None:
    """exp(z^2/2) Phi(z) tends to 1 / (-z sqrt(2 PI)); its two logarithms are 10^21 and cancel."""
    state = replace(after(7, 0.0), gap=np.array(-1e12), variance=np.array(100.0), scale=np.array(1.0))
    expected = [2 * sqrt(rho) / (1e12 * sqrt(2 * np.pi)) for rho in MIXTURE]
    assert means_evidence(state) == pytest.approx(log(np.mean(expected)))


def test_it_is_the_mixture_that_it_says_it_is() -> None:
    """The integral over all bets, done numerically: half-normal with variance 1/rho."""
    state = replace(after(7, 0.0), gap=np.array(12.0), variance=np.array(50.0), scale=np.array(2.0))
    lift = np.linspace(0, 12, 200_001)
    each = [
        np.trapezoid(2 * sqrt(rho / 2 / np.pi) * np.exp(-(lift**2) * rho / 2 + lift * 12.0 - lift**2 * 25.0), lift)
        for rho in 2.0 * MIXTURE
    ]
    assert exp(means_evidence(state)) == pytest.approx(np.mean(each), rel=1e-6)


@pytest.mark.parametrize("silent", [0, 1])
def test_a_poll_in_which_an_arm_had_no_request_is_no_evidence_but_is_remembered(silent: int) -> None:
    before = after(9, 0.1)
    poll = np.transpose([exact(1, 100), exact(5, 900)])
    poll[:, silent] = 0
    later = compare_means(before, *poll)
    assert means_evidence(later) == means_evidence(before)
    assert later.requests.sum() == before.requests.sum() + poll[0].sum()


def test_rewards_that_never_vary_are_compared_and_rewards_of_nothing_are_not() -> None:
    """A score that is always 1 on stable and always 0.5 on the candidate has no sample variance."""

    def constant(candidate: float, stable: float) -> float:
        state = new_means()
        for _ in range(20):
            n = np.array([50.0, 50.0])
            mean = np.array([candidate, stable])
            state = compare_means(state, n, n * mean, n * mean**2)
        return float(means_evidence(state))

    assert constant(0.5, 1.0) > log(1000)
    assert constant(1.0, 1.0) < 0
    assert constant(0.7, 0.7) < 0
    assert constant(0.0, 0.0) == pytest.approx(0)


def test_the_first_reward_ever_is_no_evidence() -> None:
    """Until then no variance is known, and the poll that shows it is not bet on."""
    state = new_means()
    for _ in range(20):
        state = compare_means(state, [100, 100], [0, 0], [0, 0])
    state = compare_means(state, [100, 100], [0, 1], [0, 1])
    assert means_evidence(state) == pytest.approx(0)


@settings(deadline=None)
@given(st.lists(st.tuples(COUNT, REWARD, COUNT, REWARD, st.floats(0, 1e3)), max_size=20), st.floats(0, 10))
def test_any_counts_give_a_number(polls: list[tuple[int, float, int, float, float]], delta: float) -> None:
    state = new_means()
    for n1, mean1, n0, mean0, spread in polls:
        n, mean = np.array([n1, n0], dtype=float), np.array([mean1, mean0])
        state = compare_means(state, n, n * mean, n * (mean**2 + spread), delta)
        assert np.isfinite(means_evidence(state))


def test_many_worlds_and_one_are_the_same_arithmetic() -> None:
    random = np.random.default_rng(2)
    polls = [
        np.stack([poll_of(random.poisson(m, 3), -s, random) for m, s in ((30, 0.3), (90, 0))], -1) for _ in range(12)
    ]
    together, alone = new_means((3,)), [new_means() for _ in range(3)]
    for poll in polls:
        together = compare_means(together, *poll)
        alone = [compare_means(state, *poll[:, i]) for i, state in enumerate(alone)]
    assert means_evidence(together) == pytest.approx([float(means_evidence(state)) for state in alone])
    assert np.ptp(means_evidence(together)) > 0
