"""What becomes of the evidence about latency in one poll: the rollback's bets, the certificate's, and the memory.

As arrays with leading axes for many rollouts: the operator's, and those that are simulated.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sluice.core.analysis.certificate import TOLERATED_RATIO
from sluice.core.analysis.eprocess import PROMOTION_GRID, Floats
from sluice.core.analysis.latency import (
    SlowdownState,
    bet_on_slowdown,
    has_history,
    least_ratio,
    new_slowdown,
    open_slowdown_epoch,
    remember_stable,
    slowdown_evidence,
    stable_tail,
)
from sluice.core.analysis.rate_bets import promotion_bets
from sluice.core.analysis.rates import two_sample_bet
from sluice.core.analysis.tolerance import Tolerance

EPOCH: Final = 5
"""Windows of one epoch. A good minute makes every bet on latency worthless, as each request costs it something."""
LONGEST_GAP: Final = 90.0
"""Seconds between two scrapes of stable that are history of it; of a longer gap nobody knows what happened in it."""
PROVEN_TAIL: Final = 0.05
"""The certificate is about the bound that about so many of stable's requests exceed: its p95."""


def proof_bound(tail: Floats) -> NDArray[np.int64]:
    """Position of the bound that the certificate is about, (...). tail: share of stable's requests above each, (...,
    bounds)."""
    distance = np.abs(np.log(np.maximum(tail, 1e-9)) - np.log(PROVEN_TAIL))
    nearest: NDArray[np.int64] = np.argmin(distance, axis=-1)
    return nearest


def certified_ratio(state: SlowdownState, tolerated: ArrayLike) -> Floats:
    """Ratio of slow requests up to which a candidate is fast enough, (..., bounds): the usual one of certificates, or
    what the rollback tolerates of a slow-down where that is more. Else a good candidate whose pod happens to be 7%
    slower could be neither rolled back nor certified, ever."""
    ratio: Floats = np.maximum(TOLERATED_RATIO, least_ratio(state, tolerated))
    return ratio


@dataclass(frozen=True, slots=True, eq=False)
class Slowness:
    """Both bets, for any leading axes: rollouts, none for one alone.

    slowdown: the rollback's bets and what is remembered of stable. promotion: log wealth of the certificate's bets,
    (..., bets). epoch: number of the newest, (...), -1 before the first. proof: position of the certificate's bound,
    (...), -1 until it is chosen.
    """

    slowdown: SlowdownState
    promotion: Floats
    epoch: NDArray[np.int64]
    proof: NDArray[np.int64]

    @property
    def log_e(self) -> Floats:
        """ln of the evidence for a rollback, (...)."""
        return slowdown_evidence(self.slowdown)

    @property
    def log_c(self) -> Floats:
        """ln of that for a promotion, (...)."""
        total: Floats = np.logaddexp.reduce(self.promotion, axis=-1)
        return total


def new_slowness(bounds: ArrayLike, shape: tuple[int, ...] = (), proof: ArrayLike | None = None) -> Slowness:
    """Before the first count. bounds: see SlowdownState; shape: the leading axes; proof: see Slowness."""
    promotion = np.broadcast_to(promotion_bets(), (*shape, len(PROMOTION_GRID)))
    unknown = np.full(shape, -1, dtype=np.int64)
    chosen = unknown if proof is None else np.broadcast_to(np.asarray(proof, dtype=np.int64), shape)
    return Slowness(new_slowdown(bounds, shape), promotion, unknown, chosen)


def compare_latencies(
    state: Slowness,
    index: ArrayLike,
    n1: ArrayLike,
    x1: ArrayLike,
    n0: ArrayLike,
    x0: ArrayLike,
    tolerance: Tolerance,
    seconds: ArrayLike,
) -> Slowness:
    """The evidence after one poll: new mass where an epoch begins, both bets, and then stable is remembered; nothing is
    bet before enough is known of it. The product and the forecast have no other order.

    index: number of the poll's window, (...). n1, x1, n0, x0: see bet_on_slowdown. seconds: by which what is remembered
    fades, (...).
    """
    known, number = has_history(state.slowdown), np.asarray(index, dtype=np.int64) // EPOCH
    slowdown = open_slowdown_epoch(state.slowdown, number != state.epoch)
    proof = np.where(state.proof >= 0, state.proof, proof_bound(stable_tail(slowdown)))

    def proven(values: ArrayLike) -> Floats:
        """At the certificate's bound, (...)."""
        found: Floats = np.take_along_axis(np.asarray(values, dtype=float), proof[..., None], axis=-1)[..., 0]
        return found

    ratio = proven(certified_ratio(slowdown, tolerance.most))
    margin, phi = tolerance.promotion_margin, tolerance.phi
    promotion = two_sample_bet(state.promotion, n1, proven(x1), n0, proven(x0), ratio, margin, phi, PROMOTION_GRID)
    slowdown = bet_on_slowdown(slowdown, n1, x1, n0, x0, tolerance.most, phi, tolerance.margin)
    return Slowness(
        remember_passed(slowdown, n0, x0, seconds),
        np.where(known[..., None], promotion, state.promotion),
        np.where(known, number, state.epoch),
        np.where(known, proof, state.proof),
    )


def remember_passed(slowdown: SlowdownState, n0: ArrayLike, x0: ArrayLike, seconds: ArrayLike) -> SlowdownState:
    """What is known after these counts of stable; a gap longer than LONGEST_GAP fades, but is no history."""
    passed = np.asarray(seconds, dtype=float)
    if np.any(passed > LONGEST_GAP):
        gap = np.maximum(passed - LONGEST_GAP, 0.0)
        slowdown = remember_stable(slowdown, np.zeros_like(passed), np.zeros_like(np.asarray(x0, dtype=float)), gap)
    return remember_stable(slowdown, n0, x0, np.minimum(passed, LONGEST_GAP))
