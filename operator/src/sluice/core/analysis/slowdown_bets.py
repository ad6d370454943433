"""What a comparison with stable bets on latency: see latency.py for the bets, comparison.py for when they are made."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sluice.core.analysis.certificate import TOLERATED_RATIO, UNKNOWN_MARGIN
from sluice.core.analysis.comparison import WINDOW, Arm, Counts, Step, bets_of
from sluice.core.analysis.eprocess import PROMOTION_GRID, Floats
from sluice.core.analysis.latency import (
    LEAST_SLOWDOWN,
    MARGIN,
    POD_SPREAD,
    SlowdownState,
    bet_on_slowdown,
    has_history,
    least_ratio,
    new_slowdown,
    open_slowdown_epoch,
    remember_stable,
    slowdown_evidence,
    stable_tail,
    tolerated_slowdown,
)
from sluice.core.analysis.rate_bets import promotion_bets
from sluice.core.analysis.rates import two_sample_bet

EPOCH: Final = 5
"""Windows of one epoch. A good minute makes every bet on latency worthless, as each request costs it something."""
LONGEST_GAP: Final = 90.0
"""Seconds between two scrapes of stable that are history of it; of a longer gap nobody knows what happened in it."""
PROVEN_TAIL: Final = 0.05
"""The certificate is about the bound that about so many of stable's requests exceed: its p95."""


def proof_bound(tail: Floats) -> int:
    """Position of the bound that the certificate is about. tail: share of stable's requests above each, (bounds,)."""
    distance = np.abs(np.log(np.maximum(tail, 1e-9)) - np.log(PROVEN_TAIL))
    return int(np.argmin(distance))


_ARRAYS: Final = ("log_wealth", "epochs", "slow", "requests", "history")
"""Fields of a SlowdownState that have an axis for many rollouts."""


def certified_ratio(state: SlowdownState, tolerated: ArrayLike) -> Floats:
    """Ratio of slow requests up to which a candidate is fast enough, (..., bounds): the usual one of certificates, or
    what the rollback tolerates of a slow-down where that is more. Else a good candidate whose pod happens to be 7%
    slower could be neither rolled back nor certified, ever."""
    ratio: Floats = np.maximum(TOLERATED_RATIO, least_ratio(state, tolerated))
    return ratio


def telling_bound(state: "SlownessState") -> int:
    """Position of the bound that says most now: where there is evidence the one with the most of it, else the
    certificate's."""
    bets: Floats = np.logaddexp.reduce(state.slowdown.log_wealth, axis=-1)
    if state.proof is None or bets.max() > 0:
        return int(np.argmax(bets))
    return state.proof


@dataclass(frozen=True, slots=True, eq=False)
class SlownessState:
    """slowdown: the rollback's bets and what is remembered of stable. promotion: wealth of the certificate's bets,
    (bets,). epoch: number of the newest. until: end of what is remembered, a window's number; None: nothing is.
    proof: position of the certificate's bound, None until it is chosen. log_e, log_c: see Evidence."""

    slowdown: SlowdownState
    promotion: Floats = field(default_factory=promotion_bets)
    epoch: int = -1
    until: int | None = None
    proof: int | None = None
    log_e: float = 0.0
    log_c: float = 0.0


@dataclass(frozen=True, slots=True)
class SlowdownBets:
    """Bets that each request of the candidate takes more than `slowdown` times as long as with stable; for the
    certificate, that at one bound no more are slow than such a slow-down makes, plus `promotion_margin`.

    bounds: seconds, rising; the ways to lose. phi: overdispersion, >= 1. slowdown: least tolerated one; more where few
    pods are compared. margin: tolerated share on top. proof: position of the certificate's bound; None: it is chosen at
    the first bet, from what is then remembered of stable.
    """

    bounds: tuple[float, ...]
    phi: float
    slowdown: float = LEAST_SLOWDOWN
    margin: float = MARGIN
    pod_spread: float = POD_SPREAD
    promotion_margin: float = UNKNOWN_MARGIN
    proof: int | None = None

    @property
    def group(self) -> Hashable:
        """See Bets."""
        return self.bounds

    def nothing(self) -> SlownessState:
        """See Bets."""
        return SlownessState(new_slowdown(self.bounds), proof=self.proof)

    def remember(self, state: SlownessState, counts: Counts, index: int) -> SlownessState:
        """See Bets."""
        if counts.n0 <= 0:
            return state
        until, passed = _passed(state, index)
        return replace(state, slowdown=_remembered(state.slowdown, counts.n0, counts.x0, passed), until=until)

    def tolerated(self, pods: Mapping[Arm, int]) -> float:
        """Slow-down that is no reason for a rollback."""
        return tolerated_slowdown(pods["candidate"], pods["stable"], self.pod_spread, self.slowdown)

    def compare(self, steps: Sequence[Step[SlownessState]]) -> list[SlownessState]:
        """See Bets. Nothing is bet before enough is known of stable."""
        n1, n0 = (np.array([n(s.counts) for s in steps]) for n in (attrgetter("n1"), attrgetter("n0")))
        x1, x0 = (np.stack([x(s.counts) for s in steps]) for x in (attrgetter("x1"), attrgetter("x0")))
        settings = [
            (b.tolerated(s.pods), b.margin, b.phi, b.promotion_margin)
            for s in steps
            for b in [bets_of(s, SlowdownBets)]
        ]
        tolerated, margin, phi, promotion_margin = np.array(settings).T
        before = _stacked([s.state.slowdown for s in steps])
        known = has_history(before)
        opened = np.array([s.index // EPOCH != s.state.epoch for s in steps]) & known
        slowdown = _chosen(opened, open_slowdown_epoch(before), before)
        tail = stable_tail(slowdown)
        proof = [proof_bound(tail[k]) if s.state.proof is None else s.state.proof for k, s in enumerate(steps)]
        rows = np.arange(len(steps))
        ratio = certified_ratio(slowdown, tolerated)[rows, proof]
        slowdown = bet_on_slowdown(slowdown, n1, x1, n0, x0, tolerated, phi, margin)
        numbers = (n1, x1[rows, proof], n0, x0[rows, proof])
        promotion = np.stack([s.state.promotion for s in steps])
        grown = two_sample_bet(promotion, *numbers, ratio, promotion_margin, phi, PROMOTION_GRID)
        promotion = np.where(known[:, None], grown, promotion)
        log_e, log_c = slowdown_evidence(slowdown), np.logaddexp.reduce(promotion, axis=-1)
        times = [_passed(s.state, s.index) for s in steps]
        slowdown = _remembered(slowdown, n0, x0, np.array([passed for _, passed in times]))
        return [
            SlownessState(
                _row(slowdown, k),
                promotion[k].copy(),
                s.index // EPOCH if known[k] else s.state.epoch,
                times[k][0],
                proof[k] if known[k] else s.state.proof,
                float(log_e[k]),
                float(log_c[k]),
            )
            for k, s in enumerate(steps)
        ]


def _passed(state: SlownessState, index: int) -> tuple[int, float]:
    """Until when stable is remembered after this window, and how many seconds that adds."""
    if state.until is None:
        return index, WINDOW
    until = max(index, state.until)
    return until, WINDOW * (until - state.until)


def _remembered(slowdown: SlowdownState, n0: ArrayLike, x0: ArrayLike, passed: ArrayLike) -> SlowdownState:
    """What is known after these counts of stable; a gap longer than LONGEST_GAP fades, but is no history."""
    seconds = np.asarray(passed, dtype=float)
    if np.any(seconds > LONGEST_GAP):
        gap = np.maximum(seconds - LONGEST_GAP, 0.0)
        slowdown = remember_stable(slowdown, np.zeros_like(seconds), np.zeros_like(np.asarray(x0, dtype=float)), gap)
    return remember_stable(slowdown, n0, x0, np.minimum(seconds, LONGEST_GAP))


def _stacked(states: Sequence[SlowdownState]) -> SlowdownState:
    """Many rollouts as one state with a leading axis; all have the same bounds."""
    return SlowdownState(states[0].bounds, *(np.stack([getattr(s, name) for s in states]) for name in _ARRAYS))


def _row(states: SlowdownState, k: int) -> SlowdownState:
    """One of them again, without holding on to the others."""
    return SlowdownState(states.bounds, *(np.array(getattr(states, name)[k]) for name in _ARRAYS))


def _chosen(which: NDArray[np.bool_], one: SlowdownState, other: SlowdownState) -> SlowdownState:
    """`one` where it is wanted, else `other`."""
    wealth = np.where(which[:, None, None], one.log_wealth, other.log_wealth)
    return replace(other, log_wealth=wealth, epochs=np.where(which, one.epochs, other.epochs))
