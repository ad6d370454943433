"""Simulated rollouts of a check on latency: lognormal answers, counted in a histogram's buckets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from math import log

import numpy as np
from scipy.special import ndtr

from sluice.core.analysis import latency
from sluice.core.analysis.certificate import CERTIFIED_AT, promotion_margin
from sluice.core.analysis.comparison import WINDOW
from sluice.core.analysis.latency import LEAST_SLOWDOWN, MARGIN, tolerated_slowdown
from sluice.core.analysis.overdispersion import BLOCK_SECONDS, HISTORY_SECONDS, overdispersion
from sluice.core.analysis.slowness import compare_latencies, new_slowness, proof_bound
from sluice.core.analysis.tolerance import Tolerance
from sluice.core.forecast.judging import Judged
from sluice.core.forecast.worlds import Course, Floats, Leg, largest_weight, leg_at, steady
from sluice.core.metrics import LATENCY_BOUNDS


@dataclass(frozen=True, slots=True)
class LatencyTraffic:
    """What a rollout looks like.

    rate: requests/s of both arms together. median, sigma: of the lognormal time that stable's answers take, seconds and
    standard deviation of the logarithm. legs: see Traffic. slowdown: factor on the time of `share` of the candidate's
    requests. spread: standard deviation of the logarithm by which two pods of one revision differ. course: factor on
    the time of both arms, by seconds since the start.
    """

    rate: float
    median: float
    sigma: float
    legs: tuple[Leg, ...]
    stable_pods: int = 3
    slowdown: float = 1.0
    share: float = 1.0
    spread: float = 0.05
    course: Course = field(default=steady)


@dataclass(frozen=True, slots=True)
class SlownessRule:
    """What a check on latency tolerates, see SlowerThanStable. at: e-value at which it fails."""

    at: float
    slowdown: float = LEAST_SLOWDOWN
    margin: float = MARGIN
    pod_spread: float = latency.POD_SPREAD


class _Worlds:
    """`worlds` rollouts of one kind. Each has its own pods, which differ a little for good."""

    def __init__(self, traffic: LatencyTraffic, worlds: int, seed: int) -> None:
        self.traffic = traffic
        self.bounds = np.array(LATENCY_BOUNDS)
        self._random = np.random.default_rng(seed)
        self._worlds = worlds
        pods = max(leg.pods for leg in traffic.legs)
        self.candidate = np.exp(self._random.normal(0, traffic.spread, (worlds, pods)))
        self.stable = np.exp(self._random.normal(0, traffic.spread, (worlds, traffic.stable_pods)))

    def tails(self, factors: Floats) -> Floats:
        """Share of requests slower than each bound, mean over the pods; factors: (worlds, pods)."""
        where = np.log(self.bounds) - np.log(self.traffic.median * factors)[..., None]
        shares: Floats = ndtr(-where / self.traffic.sigma).mean(axis=1)
        return shares

    def counts(self, mean: float, tail: Floats) -> tuple[Floats, Floats]:
        """Requests (worlds,), and those slower than each bound, (worlds, bounds)."""
        ends = np.ones((self._worlds, 1)), np.zeros((self._worlds, 1))
        buckets = self._random.poisson(mean * np.maximum(-np.diff(np.hstack([ends[0], tail, ends[1]])), 0.0))
        above = np.cumsum(buckets[:, ::-1], axis=1)[:, ::-1].astype(float)
        return above[:, 0], above[:, 1:]

    def slow(self, seconds: float, candidate: bool) -> Floats:
        """Share of an arm's requests slower than each bound at this time since the start."""
        t = self.traffic
        now = t.course(seconds)
        if not candidate:
            return self.tails(self.stable * now)
        pods = self.candidate[:, : t.legs[leg_at(t.legs, seconds)].pods] * now
        return t.share * self.tails(pods * t.slowdown) + (1 - t.share) * self.tails(pods)

    def noise(self, bound: int) -> Floats:
        """phi of each world at one bound, from its own hour of history."""
        t, blocks = self.traffic, int(HISTORY_SECONDS // BLOCK_SECONDS)
        where = np.log(self.bounds[bound]) - np.log(t.median * self.stable)
        mean = t.rate * BLOCK_SECONDS / t.stable_pods * ndtr(-where / t.sigma)
        slow = self._random.poisson(np.repeat(mean[..., None], blocks, axis=-1)).astype(float)
        requests = np.full(slow.shape, t.rate * BLOCK_SECONDS / t.stable_pods)
        return np.array([overdispersion(n, x) for n, x in zip(requests, slow, strict=True)])

    def polls(self, length: float) -> Iterator[tuple[float, float, int]]:
        """(begin, end, number of the leg) of each."""
        seconds = 0.0
        while seconds < length:
            leg = leg_at(self.traffic.legs, seconds)
            yield seconds, seconds + self.traffic.legs[leg].poll, leg
            seconds += self.traffic.legs[leg].poll


def judge_latency(
    traffic: LatencyTraffic, worlds: int, seed: int, length: float, rule: SlownessRule, *, certify: bool = False
) -> Judged:
    """One check over `length` seconds, after five minutes of stable alone. `bad` counts the candidate's requests.

    The bets are those of SlowdownBets; all pods are warm.
    """
    w = _Worlds(traffic, worlds, seed)
    usual = w.slow(0.0, candidate=False)
    proof = proof_bound(usual.mean(axis=0))
    phi = w.noise(int(proof))
    hour = traffic.rate * HISTORY_SECONDS
    margin = promotion_margin(
        hour, hour * usual[:, proof].mean(), HISTORY_SECONDS, largest_weight(traffic.legs), float(np.median(phi))
    )
    state, first = new_slowness(w.bounds, (worlds,), proof), traffic.legs[0].poll
    for _ in range(int(latency.HISTORY_SECONDS / first) + 1):
        known = latency.remember_stable(state.slowdown, *w.counts(traffic.rate * first, usual), first)
        state = replace(state, slowdown=known)
    asked, failed_at, failed_in = np.zeros(worlds), np.full(worlds, np.nan), np.full(worlds, -1.0)
    certified_at = np.full(worlds, np.nan)
    for begin, end, number in w.polls(length):
        leg = traffic.legs[number]
        weight, seconds = leg.weight / 100, end - begin
        n1, x1 = w.counts(traffic.rate * weight * seconds, w.slow(begin, candidate=True))
        n0, x0 = w.counts(traffic.rate * (1 - weight) * seconds, w.slow(begin, candidate=False))
        asked += np.where(np.isnan(failed_at), n1, 0.0)
        slowdown = tolerated_slowdown(leg.pods, traffic.stable_pods, rule.pod_spread, rule.slowdown)
        tolerance = Tolerance(slowdown, rule.margin, phi, margin)
        state = compare_latencies(state, int(begin // WINDOW), n1, x1, n0, x0, tolerance, seconds)
        failing = np.isnan(failed_at) & (state.log_e >= log(rule.at))
        failed_at[failing], failed_in[failing] = end, number
        if certify:
            certified_at[np.isnan(certified_at) & (state.log_c >= log(CERTIFIED_AT))] = end
        elif np.isfinite(failed_at).all():
            break
    return Judged(failed_at, failed_in, asked, certified_at)
