"""Simulated rollouts whose requests fall into slices: is one that is bad found, which the aggregate hardly shows?"""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import numpy as np

from sluice.core.analysis.certificate import UNKNOWN_MARGIN
from sluice.core.analysis.comparison import WINDOW
from sluice.core.analysis.rate_bets import compare_rates, rate_wealth
from sluice.core.analysis.rates import LEAST_RATIO, MARGIN, POD_SPREAD, tolerated_ratio
from sluice.core.analysis.sharing import with_slices
from sluice.core.analysis.tolerance import Tolerance
from sluice.core.forecast.judging import noise_of
from sluice.core.forecast.worlds import Floats, Leg, Rollouts, Traffic


@dataclass(frozen=True, slots=True)
class SlicedTraffic:
    """What a rollout looks like.

    rate: requests/s of both arms together, in all slices as many. base: stable's share of losses, in all of them.
    bad: the candidate's in the first slice; None: that of stable. weight: percent for the candidate. spread: standard
    deviation of the logarithm by which the shares of two pods of one revision differ; pod_spread: what the check takes
    it for. poll: seconds between two looks. told: whether the check looks at the slices, or at all requests together
    alone.
    """

    rate: float
    base: float
    bad: float | None = None
    slices: int = 20
    weight: int = 10
    pods: int = 1
    stable_pods: int = 3
    spread: float = 0.2
    pod_spread: float = POD_SPREAD
    poll: float = 5.0
    told: bool = True

    @property
    def whole(self) -> Traffic:
        """The same without slices, and nothing wrong."""
        leg = Leg(self.weight, self.poll, self.pods, self.poll)
        return Traffic(self.rate, self.base, (leg,), stable_pods=self.stable_pods, spread=self.spread)


def judge_slices(traffic: SlicedTraffic, worlds: int, seed: int, length: float, at: float) -> Floats:
    """Seconds until the check on errors failed, (worlds,), NaN if it did not.

    length: seconds. at: e-value at which it fails. A pod does the same share of every slice.
    """
    rollouts = Rollouts(traffic.whole, worlds, seed)
    random = np.random.default_rng((seed, 1))
    phi = noise_of(rollouts)
    ratio = tolerated_ratio(traffic.pods, traffic.stable_pods, traffic.pod_spread, LEAST_RATIO)
    of_all = Tolerance(ratio, MARGIN, phi, UNKNOWN_MARGIN)
    of_slices = Tolerance(ratio, MARGIN, phi[:, None], UNKNOWN_MARGIN)
    share = np.full(traffic.slices, traffic.base)
    share[0] = traffic.base if traffic.bad is None else traffic.bad
    aggregate, slices = rate_wealth((worlds,)), rate_wealth((worlds, traffic.slices))
    per_poll = traffic.rate * traffic.poll / traffic.slices
    weight = traffic.weight / 100
    candidate = np.minimum(share * rollouts.candidate.mean(axis=1, keepdims=True), 1.0)
    stable = np.minimum(traffic.base * rollouts.stable.mean(axis=1, keepdims=True), 1.0)

    def losses(mean: float, shares: Floats) -> tuple[Floats, Floats]:
        lost = random.poisson(np.broadcast_to(mean * shares, (worlds, traffic.slices)))
        kept = random.poisson(np.broadcast_to(mean * (1 - shares), (worlds, traffic.slices)))
        return (lost + kept).astype(float), lost.astype(float)

    failed_at, seconds = np.full(worlds, np.nan), 0.0
    while seconds < length and np.isnan(failed_at).any():
        index = int(seconds // WINDOW)
        counts = (*losses(per_poll * weight, candidate), *losses(per_poll * (1 - weight), stable))
        seconds += traffic.poll
        n1, x1, n0, x0 = (count.sum(axis=1) for count in counts)
        aggregate = compare_rates(aggregate, index, n1, x1, n0, x0, of_all, certify=False)
        log_e = aggregate.log_e
        if traffic.told:
            slices = compare_rates(slices, index, *counts, of_slices, certify=False)
            log_e = with_slices(log_e, slices.log_e)
        failed_at[np.isnan(failed_at) & (log_e >= log(at))] = seconds
    return failed_at
