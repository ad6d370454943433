"""When a comparison of latencies bets, what it remembers, and which bound its certificate and its words are about."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import ndtr

from sluice.core.analysis.certificate import TOLERATED_RATIO
from sluice.core.analysis.comparison import Counts, Step, bets_of
from sluice.core.analysis.eprocess import Floats
from sluice.core.analysis.rate_bets import RateBets
from sluice.core.analysis.slowdown_bets import SlowdownBets, SlownessState, telling_bound
from sluice.core.analysis.slowness import LONGEST_GAP, certified_ratio, proof_bound

BOUNDS = (0.025, 0.05, 0.1, 0.2, 0.4)
TAIL = ndtr(-(np.log(BOUNDS) - np.log(0.06)) / 0.5)
BETS = SlowdownBets(BOUNDS, phi=1.0)
PODS = {"candidate": 1, "stable": 3}


def counts(requests: float, tail: Floats = TAIL, candidate: float = 0.0, slower: float = 1.0) -> Counts:
    """Expected counts of stable, and of a candidate whose tail is `slower` times as large."""
    own = np.minimum(candidate * tail * slower, candidate)
    return Counts(candidate, own, requests, requests * tail)


def known(bets: SlowdownBets = BETS, seconds: int = 300) -> SlownessState:
    """A second of stable after the other."""
    state = bets.nothing()
    for index in range(-seconds, 0):
        state = bets.remember(state, counts(180), index)
    return state


def compared(state: SlownessState, seconds: int, slower: float, bets: SlowdownBets = BETS) -> SlownessState:
    for index in range(seconds):
        [state] = bets.compare([Step(bets, state, counts(180, candidate=20, slower=slower), index, PODS)])
    return state


def test_nothing_is_bet_before_five_minutes_are_known() -> None:
    young = compared(known(seconds=100), 100, slower=3.0)
    assert (young.log_e, young.epoch, young.proof) == (0.0, -1, None)
    assert young.log_c == pytest.approx(0.0)
    assert compared(known(seconds=100), 220, slower=3.0).log_e > np.log(300)


def test_a_gap_fades_what_is_known_and_is_no_history() -> None:
    before = known(seconds=100)
    after = BETS.remember(before, counts(180), 1000)
    assert after.slowdown.history == before.slowdown.history + LONGEST_GAP
    faded = before.slowdown.requests * 0.5 ** (1001 / np.array([15.0, 60.0, 300.0])) + 180
    assert after.slowdown.requests == pytest.approx(faded)


def test_an_earlier_window_of_stable_teaches_nothing_twice() -> None:
    """Counts that come late are remembered at the newest moment: time never runs backwards."""
    state = BETS.remember(known(), counts(180), -50)
    assert state.until == -1
    assert state.slowdown.history == known().slowdown.history


def test_the_certificate_is_about_the_bound_that_about_5_percent_exceed() -> None:
    assert [round(float(share), 3) for share in TAIL] == [0.96, 0.642, 0.153, 0.008, 0.0]
    assert proof_bound(TAIL) == 2
    assert proof_bound(np.array([0.9, 0.0])) == 0
    assert compared(known(), 5, slower=1.0).proof == 2


def test_words_are_about_the_bound_where_the_candidate_differs_most_and_else_about_the_certificates() -> None:
    """Without evidence a difference is chance; and a poll that was never compared has nothing to tell."""
    state, total = known(), counts(0)
    for index in range(20):
        far = counts(180, candidate=20)
        far.x1[3] = 8.0  # 40% above 0.2 s, where stable has 1%
        far.x1[2] = 8.0
        [state] = BETS.compare([Step(BETS, state, far, index, PODS)])
        total += far
    assert telling_bound(state, total) == 3
    assert telling_bound(compared(known(), 20, slower=1.0), total) == 2
    assert telling_bound(compared(known(), 20, slower=1.0), counts(180)) == 2
    assert telling_bound(known(), counts(180)) == 0


def test_good_enough_is_what_the_rollback_tolerates_and_never_less_than_usual() -> None:
    slowdown = known().slowdown
    ratio = certified_ratio(slowdown, 1.155)
    exact = ndtr(-(np.log(0.1 / 1.155) - np.log(0.06)) / 0.5) / TAIL[2]
    assert ratio[2] == pytest.approx(exact, rel=0.05)
    assert ratio[0] == TOLERATED_RATIO
    assert np.all(certified_ratio(slowdown, 1.0) == TOLERATED_RATIO)


def test_a_candidate_just_as_slow_as_is_tolerated_is_not_certified() -> None:
    at_the_limit = float(certified_ratio(known().slowdown, 1.155)[2])
    fine, limit = (compared(known(), 400, slower=s).log_c for s in (1.0, at_the_limit))
    assert fine > np.log(20) > 0 > limit


def test_bets_of_another_kind_are_refused() -> None:
    step = Step(RateBets(1.0), RateBets(1.0).nothing(), counts(1), 0, PODS)
    with pytest.raises(TypeError, match="are no SlowdownBets"):
        bets_of(step, SlowdownBets)


def test_rollouts_together_and_each_alone_come_to_the_same_bits() -> None:
    """Of other settings, ages and counts; also of one that knows too little to bet."""
    bets = [replace(BETS, phi=phi, margin=margin) for phi, margin in ((1.0, 0.002), (1.7, 0.0), (1.2, 0.01))]
    states = [known(bets[0]), known(bets[1], 320), known(bets[2], 100)]
    alone = list(states)
    for index in range(30):
        told = [counts(180 + k, candidate=20 + 7 * k, slower=1 + 0.3 * k) for k in range(3)]
        steps = [Step(b, s, c, index, PODS) for b, s, c in zip(bets, states, told, strict=True)]
        states = BETS.compare(steps)
        alone = [b.compare([Step(b, s, c, index, PODS)])[0] for b, s, c in zip(bets, alone, told, strict=True)]
    for together, one in zip(states, alone, strict=True):
        assert (together.log_e, together.log_c, together.epoch, together.proof) == (
            one.log_e, one.log_c, one.epoch, one.proof,
        )  # fmt: skip
        assert np.array_equal(together.slowdown.log_wealth, one.slowdown.log_wealth)
    assert len({state.log_e for state in states}) == 3
