"""What a comparison with stable bets on a share of losses: errors, or any other category of requests.

As arrays with leading axes for many rollouts: the operator's, and those that are simulated.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sluice.core.analysis.certificate import TOLERATED_RATIO, UNKNOWN_MARGIN
from sluice.core.analysis.comparison import Arm, Counts, Step, bets_of
from sluice.core.analysis.eprocess import PROMOTION_GRID, Floats, log_evidence, nothing_bet, open_epoch
from sluice.core.analysis.rates import LEAST_RATIO, MARGIN, POD_SPREAD, tolerated_ratio, two_sample_bet
from sluice.core.analysis.ratio import count_ratios, new_ratios
from sluice.core.analysis.tolerance import Tolerance, tolerances

EPOCH: Final = 60
"""Windows of one epoch: new mass enters at most this often, and only when something is compared."""


_WEALTH: Final = ("rollback", "promotion", "epochs", "epoch")
"""Fields of a RateWealth."""


def promotion_bets() -> Floats:
    """Wealth of a promotion's bets before the first count: all of it is bet at once, (bets,)."""
    return np.full(len(PROMOTION_GRID), -np.log(len(PROMOTION_GRID)))


@dataclass(frozen=True, slots=True, eq=False)
class RateWealth:
    """Both bets, for any leading axes: rollouts, none for one alone.

    rollback, promotion: log wealth of each bet, (..., bets). epochs: times that new mass was bet, (...); epoch: number
    of the newest, (...), -1 before the first.
    """

    rollback: Floats
    promotion: Floats
    epochs: NDArray[np.int64]
    epoch: NDArray[np.int64]

    @property
    def log_e(self) -> Floats:
        """ln of the evidence for a rollback, (...)."""
        return log_evidence(self.rollback, self.epochs)

    @property
    def log_c(self) -> Floats:
        """ln of that for a promotion, (...)."""
        total: Floats = np.logaddexp.reduce(self.promotion, axis=-1)
        return total


def rate_wealth(shape: tuple[int, ...] = ()) -> RateWealth:
    """Before the first count. shape: the leading axes."""
    promotion = np.broadcast_to(promotion_bets(), (*shape, len(PROMOTION_GRID)))
    none = np.zeros(shape, dtype=np.int64)
    return RateWealth(nothing_bet(shape), promotion, none, none - 1)


def compare_rates(
    wealth: RateWealth,
    index: ArrayLike,
    n1: ArrayLike,
    x1: ArrayLike,
    n0: ArrayLike,
    x0: ArrayLike,
    tolerance: Tolerance,
    *,
    certify: bool = True,
) -> RateWealth:
    """The wealth after one poll: new mass where an epoch begins, then both bets. The product and the forecast have no
    other order.

    index: number of the poll's window, (...). n1, x1, n0, x0: see two_sample_bet. certify: whether to bet on the
    promotion at all.
    """
    number = np.asarray(index, dtype=np.int64) // EPOCH
    opened = number != wealth.epoch
    epochs = wealth.epochs + opened
    rollback = wealth.rollback
    if opened.any():
        rollback = np.where(opened[..., None], open_epoch(rollback, np.maximum(epochs, 1)), rollback)
    noise = tolerance.phi
    rollback = two_sample_bet(rollback, n1, x1, n0, x0, tolerance.most, tolerance.margin, noise)
    promotion = wealth.promotion
    if certify:
        margin = tolerance.promotion_margin
        promotion = two_sample_bet(promotion, n1, x1, n0, x0, TOLERATED_RATIO, margin, noise, PROMOTION_GRID)
    return RateWealth(rollback, promotion, epochs, np.broadcast_to(number, epochs.shape))


@dataclass(frozen=True, slots=True, eq=False)
class RateState:
    """wealth: of one rollout. ratios: see ratio.py. log_e, log_c: see Evidence."""

    wealth: RateWealth = field(default_factory=rate_wealth)
    ratios: Floats = field(default_factory=new_ratios)
    log_e: float = 0.0
    log_c: float = 0.0


@dataclass(frozen=True, slots=True)
class RateBets:
    """Bets that the candidate's share of losses is above `ratio` times stable's plus `margin`, and that it is not.

    phi: overdispersion, >= 1. ratio: least tolerated ratio; more where few pods are compared. margin: tolerated share
    on top. promotion_margin: that of the certificate.
    """

    phi: float
    ratio: float = LEAST_RATIO
    margin: float = MARGIN
    pod_spread: float = POD_SPREAD
    promotion_margin: float = UNKNOWN_MARGIN

    @property
    def group(self) -> Hashable:
        """See Bets."""
        return "rates"

    def nothing(self) -> RateState:
        """See Bets."""
        return RateState()

    def remember(self, state: RateState, counts: Counts, index: int) -> RateState:
        """Both arms are looked at in the same polls: the past teaches nothing."""
        return state

    def tolerated(self, pods: Mapping[Arm, int]) -> float:
        """Ratio that is no reason for a rollback."""
        return tolerated_ratio(pods["candidate"], pods["stable"], self.pod_spread, self.ratio)

    def compare(self, steps: Sequence[Step[RateState]]) -> list[RateState]:
        """See Bets."""
        n1, x1, n0, x0 = np.array([(s.counts.n1, s.counts.x1[0], s.counts.n0, s.counts.x0[0]) for s in steps]).T
        bets = [bets_of(s, RateBets) for s in steps]
        tolerance = tolerances(bets, [b.tolerated(s.pods) for b, s in zip(bets, steps, strict=True)])
        before = RateWealth(*(np.stack([getattr(s.state.wealth, name) for s in steps]) for name in _WEALTH))
        wealth = compare_rates(before, [s.index for s in steps], n1, x1, n0, x0, tolerance)
        ratios = count_ratios(np.stack([s.state.ratios for s in steps]), n1, x1, n0, x0, tolerance.phi)
        log_e, log_c = wealth.log_e, wealth.log_c
        return [
            RateState(
                RateWealth(*(np.array(getattr(wealth, name)[k]) for name in _WEALTH)),
                ratios[k].copy(),
                float(log_e[k]),
                float(log_c[k]),
            )
            for k in range(len(steps))
        ]
