"""What a comparison with stable bets on a share of losses: errors, or any other category of requests."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from sluice.core.analysis.certificate import TOLERATED_RATIO, UNKNOWN_MARGIN
from sluice.core.analysis.comparison import Arm, Counts, Step, bets_of
from sluice.core.analysis.eprocess import PROMOTION_GRID, Floats, log_evidence, nothing_bet, open_epoch
from sluice.core.analysis.rates import LEAST_RATIO, MARGIN, POD_SPREAD, tolerated_ratio, two_sample_bet
from sluice.core.analysis.ratio import count_ratios, new_ratios

EPOCH: Final = 60
"""Windows of one epoch: new mass enters at most this often, and only when something is compared."""


def promotion_bets() -> Floats:
    """Wealth of a promotion's bets before the first count: all of it is bet at once, (bets,)."""
    return np.full(len(PROMOTION_GRID), -np.log(len(PROMOTION_GRID)))


@dataclass(frozen=True, slots=True, eq=False)
class RateState:
    """Wealth of both bets, (bets,) each. epochs: times that new mass was bet; epoch: number of the newest.

    ratios: see ratio.py. log_e, log_c: see Evidence.
    """

    rollback: Floats = field(default_factory=nothing_bet)
    promotion: Floats = field(default_factory=promotion_bets)
    ratios: Floats = field(default_factory=new_ratios)
    epochs: int = 0
    epoch: int = -1
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
        settings = [
            (b.tolerated(s.pods), b.margin, b.phi, b.promotion_margin) for s in steps for b in [bets_of(s, RateBets)]
        ]
        ratio, margin, phi, promotion_margin = np.array(settings).T
        epochs = np.array([s.state.epochs + (s.index // EPOCH != s.state.epoch) for s in steps])
        opened = np.array([s.index // EPOCH != s.state.epoch for s in steps])
        rollback = np.stack([s.state.rollback for s in steps])
        rollback = np.where(opened[:, None], open_epoch(rollback, np.maximum(epochs, 1)), rollback)
        rollback = two_sample_bet(rollback, n1, x1, n0, x0, ratio, margin, phi)
        promotion = np.stack([s.state.promotion for s in steps])
        promotion = two_sample_bet(promotion, n1, x1, n0, x0, TOLERATED_RATIO, promotion_margin, phi, PROMOTION_GRID)
        ratios = count_ratios(np.stack([s.state.ratios for s in steps]), n1, x1, n0, x0, phi)
        log_e, log_c = log_evidence(rollback, epochs), np.logaddexp.reduce(promotion, axis=-1)
        return [
            RateState(
                rollback[k].copy(),
                promotion[k].copy(),
                ratios[k].copy(),
                int(epochs[k]),
                s.index // EPOCH,
                float(log_e[k]),
                float(log_c[k]),
            )
            for k, s in enumerate(steps)
        ]
