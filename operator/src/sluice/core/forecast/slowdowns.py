"""Which slow-downs does a rollout catch, how soon, and after how many requests? All that is forecast of latency."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf, log
from typing import Final

import numpy as np
from scipy.special import ndtr

from sluice.api.v1alpha1 import Check, OnFail, Spec
from sluice.core.analysis.sharing import limits_of
from sluice.core.forecast.expected import Regression, regression
from sluice.core.forecast.judging import Judged, Rule, judge
from sluice.core.forecast.latencies import LatencyTraffic, SlownessRule, judge_latency
from sluice.core.forecast.worlds import Floats, Rollouts, Traffic

WORLDS: Final = 100
"""Most simulated rollouts for each row: a histogram has twenty times as many numbers as a count of errors."""
CASES: Final = (("50% slower", 1.5, 1.0), ("100% slower", 2.0, 1.0), ("2% ten times slower", 10.0, 0.02))
"""What is tried: name, factor on the time, share of the requests that it concerns."""


@dataclass(frozen=True, slots=True)
class Latencies:
    """How long stable's answers take: lognormal. median: seconds. sigma: standard deviation of the logarithm."""

    median: float
    sigma: float

    def above(self, seconds: float, slowdown: float = 1.0, share: float = 1.0) -> float:
        """Share of requests that take longer than this, where `share` of them takes `slowdown` times as long."""
        slow, usual = (float(ndtr(-log(seconds / (self.median * f)) / self.sigma)) for f in (slowdown, 1.0))
        return share * slow + (1 - share) * usual


USUAL: Final = Latencies(0.060, 0.5)
"""What is assumed where nothing is known: 60 ms, 5% above 137 ms."""

Judging = Callable[[float, float], Judged]
"""(slow-down, share of the requests) -> what a check said of such a candidate."""


def latency_check(spec: Spec) -> Check | None:
    """The check on latency that rolls back; None if there is none."""
    return next((c for c in spec.analysis.checks if c.latency is not None and c.on_fail is OnFail.ROLLBACK), None)


def slow_rows(
    spec: Spec, traffic: Traffic, latencies: Latencies, stages: Sequence[str], worlds: int, seed: int
) -> Iterator[Regression]:
    """One for an equal candidate, named "", then one for each of CASES; none without a check that rolls back."""
    check = latency_check(spec)
    if check is None:
        return
    judgings = _judgings(spec, check, traffic, latencies, min(worlds, WORLDS), seed)
    for name, slowdown, share in (("", 1.0, 1.0), *CASES):
        rows = [regression(name, share, judging(slowdown, share), stages) for judging in judgings]
        yield max(rows, key=lambda row: (row.found, -row.seconds))


def _judgings(
    spec: Spec, check: Check, traffic: Traffic, latencies: Latencies, worlds: int, seed: int
) -> tuple[Judging, ...]:
    """An objective and a comparison with stable have half of the check's alpha each; the one that finds more counts."""
    settings = check.latency
    if settings is None:
        return ()
    kinds = (settings.slo is not None) + (settings.versus_stable is not None)
    at = kinds * limits_of(spec.analysis.checks, float(spec.analysis.false_rollback))[check.name]
    found: list[Judging] = []
    if settings.versus_stable is not None:
        versus = settings.versus_stable
        rule = SlownessRule(at, float(versus.slowdown), float(versus.margin), float(versus.pod_spread))
        usual = LatencyTraffic(traffic.rate, latencies.median, latencies.sigma, traffic.legs, traffic.stable_pods)

        def compared(slowdown: float, share: float) -> Judged:
            slow = replace(usual, slowdown=slowdown, share=share)
            return judge_latency(slow, worlds, seed, traffic.length, rule)

        found.append(compared)
    if settings.slo is not None:
        slo, most = settings.slo.total_seconds(), Rule(at, ratio=None, maximum=float(settings.max_share_above))

        def against_objective(slowdown: float, share: float) -> Judged:
            slow = replace(traffic, failing=latencies.above(slo, slowdown, share), burst=1)
            judged = judge(Rollouts(slow, worlds, seed), traffic.length, most)
            until = np.nan_to_num(judged.failed_at, nan=inf)
            return replace(judged, bad=_requests(traffic, until))

        found.append(against_objective)
    return tuple(found)


def _requests(traffic: Traffic, until: Floats) -> Floats:
    """Requests that the candidate gets until these times, in seconds since the start: expected ones."""
    total, begin = np.zeros(len(until)), 0.0
    for leg in traffic.legs:
        total += traffic.rate * leg.weight / 100 * np.clip(until - begin, 0.0, leg.seconds)
        begin += leg.seconds
    return total
