"""What a comparison with stable bets on a share of losses: errors, or any other category of requests."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from sluice.core.analysis.certificate import TOLERATED_RATIO, UNKNOWN_MARGIN
from sluice.core.analysis.comparison import Arm, Counts
from sluice.core.analysis.eprocess import PROMOTION_GRID, Floats, log_evidence, nothing_bet, open_epoch
from sluice.core.analysis.rates import LEAST_RATIO, MARGIN, POD_SPREAD, tolerated_ratio, two_sample_bet

EPOCH: Final = 60
"""Windows of one epoch: new mass enters at most this often, and only when something is compared."""


def promotion_bets() -> Floats:
    """Wealth of a promotion's bets before the first count: all of it is bet at once, (bets,)."""
    return np.full(len(PROMOTION_GRID), -np.log(len(PROMOTION_GRID)))


@dataclass(frozen=True, slots=True, eq=False)
class RateState:
    """Wealth of both bets, (bets,) each. epochs: times that new mass was bet; epoch: number of the newest."""

    rollback: Floats = field(default_factory=nothing_bet)
    promotion: Floats = field(default_factory=promotion_bets)
    epochs: int = 0
    epoch: int = -1


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

    def nothing(self) -> RateState:
        """See Bets."""
        return RateState()

    def remember(self, state: RateState, counts: Counts, index: int) -> RateState:
        """Both arms are looked at in the same polls: the past teaches nothing."""
        return state

    def compare(self, state: RateState, counts: Counts, index: int, pods: Mapping[Arm, int]) -> RateState:
        """See Bets."""
        if (epoch := index // EPOCH) != state.epoch:
            epochs = state.epochs + 1
            state = replace(state, rollback=open_epoch(state.rollback, epochs), epochs=epochs, epoch=epoch)
        numbers = (counts.n1, counts.x1[0], counts.n0, counts.x0[0])
        ratio = tolerated_ratio(pods["candidate"], pods["stable"], self.pod_spread, self.ratio)
        return replace(
            state,
            rollback=two_sample_bet(state.rollback, *numbers, ratio, self.margin, self.phi),
            promotion=two_sample_bet(
                state.promotion, *numbers, TOLERATED_RATIO, self.promotion_margin, self.phi, PROMOTION_GRID
            ),
        )

    def evidence(self, state: RateState) -> float:
        """See Bets."""
        return float(log_evidence(state.rollback, state.epochs))

    def certificate(self, state: RateState) -> float:
        """See Bets."""
        return float(np.logaddexp.reduce(state.promotion))
