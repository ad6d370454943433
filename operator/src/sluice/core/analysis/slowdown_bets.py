"""What a comparison with stable bets on latency: see latency.py for the bets, comparison.py for when they are made."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from sluice.core.analysis.certificate import TOLERATED_RATIO, UNKNOWN_MARGIN
from sluice.core.analysis.comparison import WINDOW, Arm, Counts
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


def certified_ratio(state: SlowdownState, tolerated: float) -> Floats:
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
    proof: position of the certificate's bound, None until it is chosen."""

    slowdown: SlowdownState
    promotion: Floats = field(default_factory=promotion_bets)
    epoch: int = -1
    until: int | None = None
    proof: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class SlowdownBets:
    """Bets that each request of the candidate takes more than `slowdown` times as long as with stable; for the
    certificate, that at one bound no more are slow than such a slow-down makes, plus `promotion_margin`.

    bounds: seconds, rising, (bounds,); the ways to lose. phi: overdispersion, >= 1. slowdown: least tolerated one; more
    where few pods are compared. margin: tolerated share on top. proof: position of the certificate's bound; None: it
    is chosen at the first bet, from what is then remembered of stable.
    """

    bounds: Floats
    phi: float
    slowdown: float = LEAST_SLOWDOWN
    margin: float = MARGIN
    pod_spread: float = POD_SPREAD
    promotion_margin: float = UNKNOWN_MARGIN
    proof: int | None = None

    def nothing(self) -> SlownessState:
        """See Bets."""
        return SlownessState(new_slowdown(self.bounds), proof=self.proof)

    def remember(self, state: SlownessState, counts: Counts, index: int) -> SlownessState:
        """See Bets."""
        if counts.n0 <= 0:
            return state
        slowdown, until = state.slowdown, index if state.until is None else max(index, state.until)
        passed = WINDOW if state.until is None else max(WINDOW * (until - state.until), 0.0)
        if passed > LONGEST_GAP:
            slowdown = remember_stable(slowdown, 0.0, np.zeros(len(self.bounds)), passed - LONGEST_GAP)
        slowdown = remember_stable(slowdown, counts.n0, counts.x0, min(passed, LONGEST_GAP))
        return replace(state, slowdown=slowdown, until=until)

    def compare(self, state: SlownessState, counts: Counts, index: int, pods: Mapping[Arm, int]) -> SlownessState:
        """See Bets. Nothing is bet before enough is known of stable."""
        if has_history(state.slowdown):
            state = self._bet(state, counts, index, pods)
        return self.remember(state, counts, index)

    def _bet(self, state: SlownessState, counts: Counts, index: int, pods: Mapping[Arm, int]) -> SlownessState:
        slowdown, epoch = state.slowdown, index // EPOCH
        if epoch != state.epoch:
            slowdown = open_slowdown_epoch(slowdown)
        tolerated = tolerated_slowdown(pods["candidate"], pods["stable"], self.pod_spread, self.slowdown)
        slowdown = bet_on_slowdown(
            slowdown, counts.n1, counts.x1, counts.n0, counts.x0, tolerated, self.phi, self.margin
        )
        proof = proof_bound(stable_tail(slowdown)) if state.proof is None else state.proof
        numbers = (counts.n1, counts.x1[proof], counts.n0, counts.x0[proof])
        ratio = certified_ratio(slowdown, tolerated)[proof]
        promotion = two_sample_bet(state.promotion, *numbers, ratio, self.promotion_margin, self.phi, PROMOTION_GRID)
        return replace(state, slowdown=slowdown, promotion=promotion, epoch=epoch, proof=proof)

    def evidence(self, state: SlownessState) -> float:
        """See Bets."""
        return float(slowdown_evidence(state.slowdown))

    def certificate(self, state: SlownessState) -> float:
        """See Bets."""
        return float(np.logaddexp.reduce(state.promotion))
