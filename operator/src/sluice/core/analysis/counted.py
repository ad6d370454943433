"""Checks on counted requests: which are a loss, which metric and bucket bounds does that take, and what does it say?"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from functools import cached_property, partial
from math import inf, log
from typing import Any

from sluice.api.v1alpha1 import Check, LatencyCheck, OnFail, RateCheck
from sluice.core.analysis.certificate import promotion_margin
from sluice.core.analysis.comparison import ARMS, Arm, Comparison, Counts
from sluice.core.analysis.counters import Delta
from sluice.core.analysis.eprocess import MaximumTest
from sluice.core.analysis.exposure import (
    Exposure,
    bounds_seen,
    failed_requests,
    has_bound,
    in_order,
    position_of,
    shared_bounds,
    slow_requests,
)
from sluice.core.analysis.history import Past, past_of
from sluice.core.analysis.latency import HISTORY_SECONDS
from sluice.core.analysis.outcomes import OUTCOMES
from sluice.core.analysis.overdispersion import overdispersion
from sluice.core.analysis.questions import Subject, counted_by_gateway
from sluice.core.analysis.rate_bets import RateBets
from sluice.core.analysis.saved import Saved
from sluice.core.analysis.slowdown_bets import SlowdownBets, SlownessState
from sluice.core.analysis.slowness import proof_bound
from sluice.core.analysis.warmup import WarmUp
from sluice.core.analysis.wording import (
    NO_LATENCY,
    errors_told,
    missing_bound,
    missing_code,
    objective_told,
    slowdown_told,
    still_cold,
    unknown_bounds,
)
from sluice.core.gateway_counts import GatewayCounts
from sluice.core.metrics import MetricPreset, Series


class Counted(ABC):
    """One check of type Rate or Latency with its evidence.

    metric, stable_metric: the counters it reads of the candidate and of stable; empty: there are none. maximum:
    evidence that the candidate is above its maximum; comparison: that it is worse than stable.
    """

    metric: str
    stable_metric: str
    histogram = False
    """Whether it reads one."""
    bets: type[Any]
    """What its comparison bets."""
    past_seconds: float = 0.0
    """How long before the rollout stable's samples are wanted."""

    def __init__(self, check: Check, preset: MetricPreset, stable: MetricPreset, origin: float) -> None:
        self.check = check
        self.origin = origin
        self._faults: dict[Arm, str] = {}
        self.maximum: MaximumTest | None = None
        self.comparison: Comparison[Any] | None = None
        self.observed: dict[Arm, float] = {"candidate": 0.0, "stable": 0.0}
        """Requests in its metric since the origin, also those that are left out."""
        self._presets: dict[Arm, MetricPreset] = {"candidate": preset, "stable": stable}
        self._told_of: list[Counts | tuple[float, float]] | None = None
        self._told = ""

    @abstractmethod
    def take(self, arm: Arm, deltas: list[Delta]) -> None:
        """Adds what an arm counted."""

    def buckets(self, metric: str) -> tuple[float, ...]:
        """Of the histogram `metric` the buckets that it reads, as their label `le` tells; none if it reads none."""
        return ()

    @abstractmethod
    def past(self, answer: Iterable[Series]) -> Past:
        """What an answer to the history's query tells of stable."""

    @abstractmethod
    def learn(self, past: Past, share: float) -> None:
        """Takes stable's hour before the rollout, which fixes what the comparison bets.

        share: the largest that the candidate gets of the live requests before it gets all.
        """

    def told(self) -> str:
        """What was counted and what is allowed, in words. They are made when something was counted since the last ones:
        a thousand rollouts are asked each second."""
        counts = [
            test.compared if isinstance(test, Comparison) else (test.requests, test.losses) for test in self._tests
        ]
        if counts != self._told_of:
            self._told_of, self._told = counts, self._tell()
        return self._told

    @abstractmethod
    def _tell(self) -> str:
        """See told."""

    def waits(self) -> str:
        """Why what was observed says nothing yet, in words; empty if it does."""
        return ""

    @abstractmethod
    def inspect(self, arm: Arm, answer: Iterable[Series]) -> None:
        """Notes what the metric itself lacks."""

    @property
    def fault(self) -> str:
        """Why the question itself is wrong, else empty."""
        for fault in self._faults.values():
            if fault:
                return fault
        return ""

    @cached_property
    def required(self) -> bool:
        """Whether the candidate gets all traffic only once it is certified: not for what is only reported."""
        return self.check.required and self.check.on_fail is not OnFail.REPORT

    @property
    def log_e(self) -> float:
        """ln of the check's e-value now: where it has two kinds of evidence, half of the stake is on each."""
        return self._halved([t.log_e for t in self._tests])

    @property
    def peak(self) -> float:
        """The largest that it was."""
        return self._halved([t.peak for t in self._tests])

    @property
    def log_c(self) -> float:
        """ln of the evidence that the candidate is good enough: in every respect, so the least of its tests counts."""
        return min((t.log_c for t in self._tests), default=0.0)

    @cached_property
    def _tests(self) -> list[MaximumTest | Comparison[Any]]:
        return [test for test in (self.maximum, self.comparison) if test is not None]

    def save(self) -> Saved:
        """All that it knows. A check that cannot be saved raises TypeError here: its rollout has no checkpoint then."""
        saved = Saved(words={"faults": tuple(word for fault in self._faults.items() for word in fault)})
        saved.note("observed", list(self.observed.values()))
        for name, part in self._parts.items():
            saved.put(name, part.save())
        if self.comparison is not None:
            saved.put("comparison", self.comparison.save())
        return saved

    def restore(self, saved: Saved) -> None:
        """Goes on from what was saved."""
        words = iter(saved.words["faults"])
        faults = dict(zip(words, words, strict=True))
        self._faults = {arm: faults[arm] for arm in ARMS if arm in faults}
        self.observed = dict(zip(self.observed, saved.numbers["observed"].tolist(), strict=True))
        for name, part in self._parts.items():
            part.restore(saved.part(name))
        if self.comparison is not None:
            self.comparison.restore(saved.part("comparison"), self.bets)

    @property
    def _parts(self) -> dict[str, MaximumTest | WarmUp]:
        """What has a state of its own beside the comparison."""
        return {} if self.maximum is None else {"maximum": self.maximum}

    def _halved(self, values: list[float]) -> float:
        return max(values) - log(len(values)) if values else 0.0

    def _observe(self, arm: Arm, exposure: Exposure) -> None:
        if exposure.time > self.origin:
            self.observed[arm] += exposure.requests


class CountedErrors(Counted):
    """Answers with a failure's code, of all answers."""

    bets = RateBets

    def __init__(
        self, check: Check, rate: RateCheck, preset: MetricPreset, stable: MetricPreset, origin: float
    ) -> None:
        super().__init__(check, preset, stable, origin)
        self._rate = rate
        self.metric, self.stable_metric = preset.counters, stable.counters
        self.maximum = MaximumTest(float(rate.max), origin) if rate.max is not None else None
        self.comparison = Comparison(origin) if rate.versus_stable else None

    def take(self, arm: Arm, deltas: list[Delta]) -> None:
        """See Counted."""
        for pod, one in in_order(partial(failed_requests, self._presets[arm]), deltas):
            if one.time <= self.origin:
                continue
            self._observe(arm, one)
            if self.maximum is not None and arm == "candidate":
                self.maximum.add(one.time, one.requests, float(one.losses[0]))
            if self.comparison is not None:
                self.comparison.add(one.time, arm, pod, one.requests, one.losses)

    def inspect(self, arm: Arm, answer: Iterable[Series]) -> None:
        """A code that nobody saw yet is no fault, but a counter without codes would tell of no failure ever."""
        preset = self._presets[arm]
        labelled = [preset.code_label in series.labels for series in answer]
        if labelled and preset.successes is None:
            self._faults[arm] = "" if any(labelled) else missing_code(preset)

    def past(self, answer: Iterable[Series]) -> Past:
        """See Counted."""
        return past_of(partial(failed_requests, self._presets["stable"]), 1, tuple(answer))

    def learn(self, past: Past, share: float) -> None:
        """See Counted."""
        versus = self._rate.versus_stable
        if self.comparison is None or versus is None:
            return
        losses = past.losses[..., 0]
        phi = overdispersion(past.requests, losses)
        margin = promotion_margin(past.requests, losses, past.seconds, share, phi)
        spread = float(versus.pod_spread)
        self.comparison.begin(RateBets(phi, float(versus.ratio), float(versus.margin), spread, margin))

    def _tell(self) -> str:
        """See Counted."""
        if self.comparison is not None:
            c = self.comparison.compared
            return errors_told(self._rate, c.n1, float(c.x1[0]), self.comparison)
        return errors_told(self._rate, self.maximum.requests, self.maximum.losses) if self.maximum else ""


class CountedByGateway(CountedErrors):
    """What the gateway sent to a revision's pods and did not succeed, of all that it sent. See outcomes.py."""

    def __init__(self, check: Check, rate: RateCheck, counts: GatewayCounts | str, origin: float) -> None:
        super().__init__(check, rate, OUTCOMES, OUTCOMES, origin)
        if isinstance(counts, GatewayCounts):
            self.metric = self.stable_metric = counts.selector
        else:
            self._faults["candidate"] = counts
            self.metric = self.stable_metric = ""
            self.comparison = None

    def inspect(self, arm: Arm, answer: Iterable[Series]) -> None:
        """Nothing: what it lacks is not seen at a revision's own samples."""


class CountedLatency(Counted):
    """Answers that took longer than a bucket bound, of all answers by pods that are warm."""

    histogram = True
    bets = SlowdownBets

    def __init__(
        self, check: Check, latency: LatencyCheck, preset: MetricPreset, stable: MetricPreset, origin: float
    ) -> None:
        super().__init__(check, preset, stable, origin)
        self._latency = latency
        own, other = preset.latency or "", stable.latency or ""
        self.metric, self.stable_metric = (f"{name}_bucket" if name else "" for name in (own, other))
        self._slo = latency.slo.total_seconds() if latency.slo is not None else None
        self._warm_up = latency.warm_up.total_seconds()
        self._warm: dict[Arm, WarmUp] = {"candidate": WarmUp(self._warm_up), "stable": WarmUp(self._warm_up)}
        self._shared: tuple[float, ...] = ()
        if self._slo is not None:
            self.maximum = MaximumTest(float(latency.max_share_above), origin)
            if own and preset.bounds and not has_bound(preset.bounds, self._slo):
                self._faults["candidate"] = missing_bound(self._slo, preset)
        if latency.versus_stable is not None:
            self._shared = shared_bounds(preset.bounds, stable.bounds)
            self.past_seconds = HISTORY_SECONDS
            if not own or not other:
                self._faults["candidate"] = NO_LATENCY
            elif len(self._shared) < 2:
                self._faults["stable"] = unknown_bounds(preset, stable)
            else:
                self.comparison = Comparison(origin, len(self._shared))
        extra = () if self._slo is None or has_bound(self._shared, self._slo) else (self._slo,)
        self._columns: dict[Arm, tuple[float, ...]] = {"candidate": (*self._shared, *extra), "stable": self._shared}
        if not own:
            self._faults["candidate"] = NO_LATENCY
        self._buckets = {arm: tuple(map(self._presets[arm].le_of, bounds)) for arm, bounds in self._columns.items()}

    def buckets(self, metric: str) -> tuple[float, ...]:
        """See Counted."""
        read = ((self.metric, self._buckets["candidate"]), (self.stable_metric, self._buckets["stable"]))
        own = [buckets for name, buckets in read if name == metric]
        return (*sorted({le for buckets in own for le in buckets}), inf) if own else ()

    def take(self, arm: Arm, deltas: list[Delta]) -> None:
        """See Counted."""
        at = position_of(f"{self._slo}", self._columns[arm])
        for pod, one in in_order(partial(slow_requests, self._buckets[arm]), deltas):
            self._observe(arm, one)
            if not self._warm[arm].is_over(pod, one):
                continue
            if self.maximum is not None and at is not None and arm == "candidate" and one.time > self.origin:
                self.maximum.add(one.time, one.requests, float(one.losses[at]))
            if self.comparison is not None:
                self.comparison.add(one.time, arm, pod, one.requests, one.losses[: len(self._shared)])

    @property
    def _parts(self) -> dict[str, MaximumTest | WarmUp]:
        return super()._parts | {f"warm/{arm}": pods for arm, pods in self._warm.items()}

    def inspect(self, arm: Arm, answer: Iterable[Series]) -> None:
        """Notes whether a histogram lacks a bucket that the check needs."""
        if self._faults.get(arm) == "":
            return  # a histogram that has its buckets keeps them
        seen = bounds_seen(answer)
        if inf not in seen or (arm == "stable" and self.comparison is None):
            return
        preset = self._presets[arm]
        missing = next((bound for bound in self._columns[arm] if not has_bound(seen, preset.le_of(bound))), None)
        self._faults[arm] = "" if missing is None else missing_bound(missing, preset)

    def past(self, answer: Iterable[Series]) -> Past:
        """See Counted."""
        return past_of(partial(slow_requests, self._buckets["stable"]), len(self._shared), tuple(answer))

    def learn(self, past: Past, share: float) -> None:
        """See Counted."""
        versus = self._latency.versus_stable
        if self.comparison is None or versus is None:
            return
        tail = past.shares()
        proof = int(proof_bound(tail)) if tail is not None else None
        losses = past.losses[..., proof or 0]
        phi = overdispersion(past.requests, losses)
        self.comparison.begin(
            SlowdownBets(
                self._shared,
                phi,
                float(versus.slowdown),
                float(versus.margin),
                float(versus.pod_spread),
                promotion_margin(past.requests, losses, past.seconds, share, phi),
                proof,
            )
        )

    def _tell(self) -> str:
        """See Counted."""
        said = []
        if self._slo is not None and self.maximum is not None:
            said.append(objective_told(self._latency, self._slo, self.maximum.requests, self.maximum.losses))
        if self.comparison is not None and self._latency.versus_stable is not None:
            said.append(slowdown_told(self._latency.versus_stable, self._shared, self.comparison))
        return "; ".join(said)

    def waits(self) -> str:
        """See Counted."""
        if not self.observed["candidate"]:
            return ""
        if self.comparison is not None and isinstance(state := self.comparison.state, SlownessState):
            known = float(state.slowdown.history)
            if known < HISTORY_SECONDS:
                return f"stable has answered for {known:.0f}s of the {HISTORY_SECONDS:.0f}s that a comparison needs"
        cold = not self.maximum.requests if self.maximum else not self.comparison or not self.comparison.compared.n1
        return still_cold(self._warm_up) if cold else ""


def counted_check(check: Check, subject: Subject, origin: float) -> Counted | None:
    """The evidence of a Rate or Latency check, which begins at `origin`; None for another type."""
    preset, stable = subject.preset, subject.baseline_preset
    if check.rate is not None and counted_by_gateway(check):
        return CountedByGateway(check, check.rate, subject.gateway, origin)
    if check.rate is not None:
        return CountedErrors(check, check.rate, preset, stable, origin)
    if check.latency is not None:
        return CountedLatency(check, check.latency, preset, stable, origin)
    return None
