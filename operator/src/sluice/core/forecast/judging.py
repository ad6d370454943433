"""A check on errors, on many simulated rollouts at once: the operator's own e-processes, with a leading axis."""

from dataclasses import dataclass
from math import inf, log

import numpy as np

from sluice.core.analysis import eprocess
from sluice.core.analysis.certificate import CERTIFIED_AT, promotion_margin
from sluice.core.analysis.comparison import WINDOW
from sluice.core.analysis.eprocess import (
    EPOCH_SECONDS,
    log_certificate,
    log_evidence,
    nothing_bet,
    open_epoch,
)
from sluice.core.analysis.overdispersion import overdispersion
from sluice.core.analysis.rate_bets import compare_rates, rate_wealth
from sluice.core.analysis.rates import LEAST_RATIO, MARGIN, tolerated_ratio
from sluice.core.analysis.tolerance import Tolerance
from sluice.core.forecast.worlds import Floats, Rollouts, Traffic


@dataclass(frozen=True, slots=True)
class Rule:
    """What a check on errors tolerates.

    ratio, margin: of the comparison with stable; ratio None: it does not compare. maximum: largest share, or None. at:
    e-value at which it fails.
    """

    at: float
    ratio: float | None = LEAST_RATIO
    margin: float = MARGIN
    maximum: float | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of each rollout, (worlds,).

    failed_at: seconds until the check failed, NaN if it did not. leg: the leg in which it failed, -1 if it did not.
    bad: losses of the candidate until then, or until the end. certified_at: seconds until it was certified, NaN if it
    was not.
    """

    failed_at: Floats
    leg: Floats
    bad: Floats
    certified_at: Floats


def noise_of(rollouts: Rollouts) -> Floats:
    """phi of each world, from its own hour of history."""
    requests, losses = rollouts.history()
    return np.array([overdispersion(n, x) for n, x in zip(requests, losses, strict=True)])


def margin_of(traffic: Traffic, phi: float) -> float:
    """The margin that the operator would choose."""
    return promotion_margin(traffic.rate, traffic.rate * traffic.base, 1.0, traffic.most, phi)


class Epochs:
    """Wealth that takes new mass in at most once in so many seconds."""

    def __init__(self, worlds: int, seconds: float) -> None:
        self.wealth = nothing_bet((worlds,))
        self.count = 0
        self._seconds = seconds
        self._epoch = -1

    def open(self, at: float) -> None:
        """A poll that begins at this time."""
        if (epoch := int(at // self._seconds)) != self._epoch:
            self.count, self._epoch = self.count + 1, epoch
            self.wealth = open_epoch(self.wealth, self.count)

    def evidence(self) -> Floats:
        """ln of the e-values."""
        return log_evidence(self.wealth, self.count)


def judge(rollouts: Rollouts, length: float, rule: Rule, *, certify: bool = False, enough: float = inf) -> Judged:
    """One check over `length` seconds. enough: with `certify`, it ends once this share of the rollouts is certified."""
    traffic, worlds = rollouts.traffic, rollouts.worlds
    phi = noise_of(rollouts)
    margin = margin_of(traffic, float(np.median(phi)))
    requests, losses = np.zeros(worlds), np.zeros(worlds)
    versus, maximum = rate_wealth((worlds,)), Epochs(worlds, EPOCH_SECONDS)
    bad, failed_at, failed_in = np.zeros(worlds), np.full(worlds, np.nan), np.full(worlds, -1.0)
    certified_at = np.full(worlds, np.nan)
    needed = log(rule.at * (2 if rule.ratio is not None and rule.maximum is not None else 1))
    for poll in rollouts.polls(length):
        going = np.isnan(failed_at)
        bad += np.where(going, poll.x1, 0.0)
        failing = np.zeros(worlds, dtype=bool)
        if rule.ratio is not None:
            ratio = tolerated_ratio(traffic.legs[poll.leg].pods, traffic.stable_pods, least=rule.ratio)
            tolerance = Tolerance(ratio, rule.margin, phi, margin)
            counts = (poll.n1, poll.x1, poll.n0, poll.x0)
            versus = compare_rates(versus, int(poll.begin // WINDOW), *counts, tolerance, certify=certify)
            failing |= versus.log_e >= needed
        if rule.maximum is not None:
            maximum.open(poll.begin)
            maximum.wealth = eprocess.bet(maximum.wealth, poll.n1, poll.x1, rule.maximum)
            failing |= maximum.evidence() >= needed
        now = going & failing
        failed_at[now], failed_in[now] = poll.seconds, poll.leg
        if certify:
            shown = np.ones(worlds, dtype=bool)
            if rule.ratio is not None:
                shown &= versus.log_c >= log(CERTIFIED_AT)
            if rule.maximum is not None:
                requests, losses = requests + poll.n1, losses + poll.x1
                shown &= log_certificate(requests, losses, rule.maximum) >= log(CERTIFIED_AT)
            certified_at[np.isnan(certified_at) & shown] = poll.seconds
            if np.isfinite(certified_at).mean() >= enough:
                break
        elif np.isfinite(failed_at).all():
            break  # nothing that comes is counted any more
    return Judged(failed_at, failed_in, bad, certified_at)
