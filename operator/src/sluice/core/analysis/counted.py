"""Checks on counted requests: which requests are a loss, and which metric and bucket bounds does that take?"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from math import inf, isclose, log

from sluice.api.v1alpha1 import Check, OnFail
from sluice.core.analysis.comparison import Arm, Comparison, Counts
from sluice.core.analysis.counters import Delta
from sluice.core.analysis.eprocess import MaximumTest
from sluice.core.analysis.wording import missing_bound
from sluice.core.metrics import MetricPreset, Series

LabelSet = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Exposure:
    """What the candidate did in the scrapes of one moment.

    time: seconds since the epoch. requests, losses: counts, losses <= requests.
    """

    time: float
    requests: float
    losses: float


def failed_requests(preset: MetricPreset, deltas: Iterable[Delta]) -> list[Exposure]:
    """Answered requests and those with a failure's code, by moment, in the order of time."""
    failure = re.compile(preset.failure_pattern)
    sums: dict[float, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for delta in deltas:
        sums[delta.time][0] += delta.amount
        if failure.fullmatch(delta.labels.get(preset.code_label, "")):
            sums[delta.time][1] += delta.amount
    return [Exposure(time, n, x) for time, (n, x) in sorted(sums.items())]


def slow_requests(slo: float, deltas: Iterable[Delta]) -> list[Exposure]:
    """Observed requests and those above `slo` seconds, by moment, in the order of time.

    A bucket counts what is at most its bound, so the slow ones are the count less the bucket. Where only one of the two
    was scraped nothing is counted: a missing bucket would make every request a slow one.
    """
    pairs: dict[tuple[float, LabelSet], dict[bool, float]] = defaultdict(dict)
    for delta in deltas:
        bound = bound_of(delta.labels.get("le", ""))
        if bound is not None and (bound == inf or same_bound(bound, slo)):
            rest = tuple(sorted((k, v) for k, v in delta.labels.items() if k != "le"))
            pairs[delta.time, rest][bound == inf] = delta.amount
    sums: dict[float, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for (time, _), pair in pairs.items():
        if len(pair) == 2:
            sums[time][0] += pair[True]
            sums[time][1] += max(pair[True] - pair[False], 0.0)
    return [Exposure(time, n, x) for time, (n, x) in sorted(sums.items())]


def bound_of(text: str) -> float | None:
    """The number in a label `le`; None if it is none."""
    try:
        return float(text)
    except ValueError:
        return None


def same_bound(one: float, other: float) -> bool:
    """Equality of two bucket bounds in seconds: "0.25", "2.5e-01" and 250 ms are the same."""
    return isclose(one, other, rel_tol=1e-6)


def has_bound(bounds: Iterable[float], slo: float) -> bool:
    """Whether one of the bounds is the objective."""
    return any(same_bound(bound, slo) for bound in bounds)


def bounds_seen(answer: Iterable[Series]) -> set[float]:
    """The bucket bounds in an answer, infinity included."""
    return {b for series in answer if (b := bound_of(series.labels.get("le", ""))) is not None}


Exposed = Mapping[str, list[Exposure]]
"""Exposures by pod."""


def by_pod(exposures: Callable[[list[Delta]], list[Exposure]], deltas: Iterable[Delta]) -> Exposed:
    """What each pod did, in the order of time."""
    found: dict[str, list[Delta]] = defaultdict(list)
    for delta in deltas:
        found[delta.labels.get("pod", "")].append(delta)
    return {pod: exposures(own) for pod, own in found.items()}


@dataclass(slots=True)
class Counted:
    """One check of type Rate or Latency with its evidence.

    metric, stable_metric: the counters it reads of the candidate and of stable. maximum: evidence that the candidate is
    above its maximum; comparison: that it is worse than stable. slo: seconds, for a latency check. fault: why the
    question itself is wrong, else "".
    """

    check: Check
    metric: str
    stable_metric: str
    origin: float
    maximum: MaximumTest | None = None
    comparison: Comparison | None = None
    slo: float | None = None
    fault: str = ""
    bounds: tuple[float, ...] = field(default=())

    def take(self, arm: Arm, preset: MetricPreset, deltas: list[Delta]) -> None:
        """Adds what an arm counted after the rollout's start. preset: the arm's own."""
        if self.maximum is not None and arm == "candidate":
            for exposure in self._exposures(preset, deltas):
                if exposure.time > self.origin:
                    self.maximum.add(exposure.time, exposure.requests, exposure.losses)
        if self.comparison is not None:
            for pod, exposures in by_pod(partial(self._exposures, preset), deltas).items():
                for one in exposures:
                    self.comparison.add(one.time, arm, pod, one.requests, one.losses)

    def settle(self, until: float) -> None:
        """Both arms have been read up to `until` (seconds since the epoch)."""
        if self.comparison is not None:
            self.comparison.settle(until)

    def _exposures(self, preset: MetricPreset, deltas: list[Delta]) -> list[Exposure]:
        return failed_requests(preset, deltas) if self.slo is None else slow_requests(self.slo, deltas)

    @property
    def required(self) -> bool:
        """Whether the candidate gets all traffic only once it is certified: not for what is only reported."""
        return self.check.required and self.check.on_fail is not OnFail.REPORT

    @property
    def log_e(self) -> float:
        """ln of the check's e-value now: where it has two kinds of evidence, half of the stake is on each."""
        return self._halved([t.log_e for t in self._tests()])

    @property
    def peak(self) -> float:
        """The largest that it was."""
        return self._halved([t.peak for t in self._tests()])

    @property
    def log_c(self) -> float:
        """ln of the evidence that the candidate is good enough: in every respect, so the least of its tests counts."""
        return min(t.log_c for t in self._tests())

    @property
    def total(self) -> Counts:
        """What was counted so far, or compared."""
        if self.comparison is not None:
            return self.comparison.compared
        return Counts(self.maximum.requests, self.maximum.losses) if self.maximum else Counts()

    def _tests(self) -> list[MaximumTest | Comparison]:
        return [test for test in (self.maximum, self.comparison) if test is not None]

    def _halved(self, values: list[float]) -> float:
        return max(values) - log(len(values))

    def inspect(self, preset: MetricPreset, answer: Iterable[Series]) -> None:
        """Notes whether the histogram lacks the bucket that the check needs."""
        if self.slo is None:
            return
        seen = bounds_seen(answer)
        if inf in seen:
            self.fault = "" if has_bound(seen, self.slo) else missing_bound(self.slo, preset.bounds, preset.latency)


def counted_check(check: Check, preset: MetricPreset, stable: MetricPreset, origin: float) -> Counted | None:
    """The evidence of a Rate or Latency check, which begins at `origin`; None for another type."""
    if check.rate is not None:
        rate = check.rate
        versus = rate.versus_stable
        return Counted(
            check,
            preset.requests,
            stable.requests,
            origin,
            maximum=MaximumTest(float(rate.max), origin) if rate.max is not None else None,
            comparison=Comparison(origin, float(versus.ratio), float(versus.margin)) if versus else None,
        )
    if check.latency is None:
        return None
    slo = check.latency.slo.total_seconds()
    known = not preset.bounds or has_bound(preset.bounds, slo)
    return Counted(
        check,
        f"{preset.latency}_bucket",
        f"{stable.latency}_bucket",
        origin,
        maximum=MaximumTest(float(check.latency.max_share_above), origin),
        slo=slo,
        fault="" if known else missing_bound(slo, preset.bounds, preset.latency),
        bounds=(slo, inf),
    )
