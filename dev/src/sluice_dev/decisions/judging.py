"""The operator's own e-processes on simulated rollouts: the same functions as in production, with a leading axis."""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import numpy as np

from sluice.core.analysis.certificate import CERTIFIED_AT, PROMOTION_GRID, TOLERATED_RATIO, certifiable_margin
from sluice.core.analysis.comparison import EPOCH, WINDOW
from sluice.core.analysis.eprocess import log_evidence, nothing_bet, open_epoch
from sluice.core.analysis.overdispersion import overdispersion
from sluice.core.analysis.rates import MARGIN, tolerated_ratio, two_sample_bet
from sluice_dev.decisions.worlds import Floats, Rollouts, Traffic


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of each rollout, (worlds,).

    failed_at: seconds until the check failed, NaN if it did not. bad: losses of the candidate until then. certified_at:
    seconds until it was certified, NaN if it was not.
    """

    failed_at: Floats
    bad: Floats
    certified_at: Floats


def noise_of(rollouts: Rollouts) -> Floats:
    """phi of each world, from its own hour of history."""
    requests, losses = rollouts.history()
    return np.array([overdispersion(n, x) for n, x in zip(requests, losses, strict=True)])


def margin_of(traffic: Traffic, phi: float) -> float | None:
    """The margin that a rollout of this kind can be certified within."""
    most = max(traffic.weights) / 100
    return certifiable_margin(traffic.rate * most, traffic.rate * (1 - most), traffic.base, phi)


def judge(rollouts: Rollouts, length: float, limit: float, *, certify: bool = False) -> Judged:
    """Errors against stable over `length` seconds, failing at an e-value of `limit`."""
    traffic, worlds = rollouts.traffic, rollouts.worlds
    ratio, phi = tolerated_ratio(*traffic.pods), noise_of(rollouts)
    margin = margin_of(traffic, float(np.median(phi))) if certify else None
    wealth, epochs, epoch = nothing_bet((worlds,)), 0, -1
    promotion = np.full((worlds, len(PROMOTION_GRID)), -log(len(PROMOTION_GRID)))
    bad, lost = np.zeros(worlds), np.zeros(worlds)
    failed_at, certified_at = np.full(worlds, np.nan), np.full(worlds, np.nan)
    for poll in rollouts.polls(length):
        index = int(poll.seconds // (EPOCH * WINDOW))
        if index != epoch:
            epochs, epoch = epochs + 1, index
            wealth = open_epoch(wealth, epochs)
        wealth = two_sample_bet(wealth, poll.n1, poll.x1, poll.n0, poll.x0, ratio, MARGIN, phi)
        lost += poll.x1
        now = np.isnan(failed_at) & (log_evidence(wealth, epochs) >= log(limit))
        failed_at[now], bad[now] = poll.seconds, lost[now]
        if margin is not None:
            promotion = two_sample_bet(
                promotion, poll.n1, poll.x1, poll.n0, poll.x0, TOLERATED_RATIO, margin, phi, PROMOTION_GRID
            )
            shown = np.logaddexp.reduce(promotion, axis=-1) >= log(CERTIFIED_AT)
            certified_at[np.isnan(certified_at) & shown] = poll.seconds
    return Judged(failed_at, bad, certified_at)
