"""A metrics store in memory that holds raw samples and answers the operator's own questions, on a clock of its own."""

import re
from bisect import bisect_right, insort
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from operator import itemgetter
from typing import Any

import pytest

from sluice.api.v1alpha1 import Check, LatencyCheck, PrometheusCheck, RateCheck, VersusStable
from sluice.core.analysis.questions import Subject
from sluice.core.analysis.verdicts import Observation
from sluice.core.metrics import MetricPreset, Series
from sluice.ports import QueryError
from sluice.runtime.poller import Poller

START = datetime(2026, 1, 5, 12, 0, 0, 700_000, tzinfo=UTC)
POD = "flights-8b21de07-6d5f9c7b8d-abcde"
STABLE_POD = "flights-6f9c41d2-6d5f9c7b8d-sssss"
OTHER_POD = "flights-8b21de07-6d5f9c7b8d-fghij"
TIME = itemgetter(0)
PRESET = MetricPreset(requests="http_requests_total", latency="http_request_duration_seconds")


@dataclass
class StoreClock:
    """Stands still until a test moves it."""

    at: datetime = START
    passed: float = 0.0

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.passed

    def advance(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)
        self.passed += seconds


@dataclass
class Store:
    """Answers range selectors from its samples and anything else from `values`."""

    clock: StoreClock
    samples: dict[tuple[tuple[str, str], ...], list[tuple[float, float]]] = field(default_factory=dict)
    """By labels: (time in seconds since the epoch, value), oldest first."""
    asked: list[tuple[str, datetime | None]] = field(default_factory=list)
    error: Callable[[str], Exception | None] = lambda promql: None
    value: Callable[[str, float], tuple[Series, ...]] = lambda promql, at: ()

    def put(self, name: str, at: float, value: float, pod: str = POD, namespace: str = "prod", **labels: str) -> None:
        """One sample; `at` in seconds since START."""
        full = {"__name__": name, "namespace": namespace, "pod": pod, "job": "pods", "instance": f"{pod}:8080"} | labels
        insort(self.samples.setdefault(tuple(sorted(full.items())), []), (START.timestamp() + at, value))

    def scrape(
        self, at: float, ok: float, failed: float | None = None, slow: float = 0, pod: str = POD, **labels: str
    ) -> None:
        """One scrape of a model server: counters of good and failed answers, and its histogram at 0.25 s."""
        total = ok + (failed or 0)
        self.put("up", at, 1, pod, **labels)
        self.put("http_requests_total", at, ok, pod, code="200", **labels)
        if failed is not None:
            self.put("http_requests_total", at, failed, pod, code="500", **labels)
        self.put("http_request_duration_seconds_bucket", at, total - slow, pod, le="0.25", **labels)
        self.put("http_request_duration_seconds_bucket", at, total, pod, le="+Inf", **labels)

    async def query(self, promql: str, at: datetime | None = None) -> tuple[Series, ...]:
        self.asked.append((promql, at))
        if (error := self.error(promql)) is not None:
            raise error
        now = (at or self.clock.now()).timestamp()
        selector = re.fullmatch(r"(\w*)\{(.*)\}\[(\d+)s\]", promql)
        if selector is None:
            return self.value(promql, now)
        if "\\" in selector[2]:
            raise QueryError("a backslash would need escaping")
        found = []
        for labels, points in self.samples.items():
            if selects(selector[1], selector[2], labels):
                first, last = (bisect_right(points, at, key=TIME) for at in (now - int(selector[3]), now))
                if first < last:
                    found.append(Series(dict(labels), tuple(points[first:last])))
        return tuple(found)


@lru_cache(None)  # polls ask the same few questions again, each second
def selects(name: str, matchers: str, labels: tuple[tuple[str, str], ...]) -> bool:
    """Whether a series with these labels is meant; name: of its metric, empty where a matcher names it."""
    patterns = dict(re.findall(r'(\w+)=~"([^"]*)"', matchers)) | ({"__name__": name} if name else {})
    given = dict(labels)
    return all(re.fullmatch(pattern, given.get(label, "")) for label, pattern in patterns.items())


ERRORS = Check(name="errors", type="Rate", rate=RateCheck(max=Decimal("0.05")))
LATENCY = Check(
    name="latency",
    type="Latency",
    latency=LatencyCheck(slo=timedelta(milliseconds=250), max_share_above=Decimal("0.05")),
)
VERSUS = Check(name="errors", type="Rate", rate=RateCheck(versus_stable=VersusStable()))
CLICKS = Check(
    name="clicks",
    type="Prometheus",
    prometheus=PrometheusCheck(
        query="clicks{$(candidate)}", min=Decimal("0.03"), failure_limit=1, interval=timedelta(seconds=10)
    ),
)


@dataclass
class World:
    """A poller on a store, both on one clock; times are seconds since the rollout's start."""

    clock: StoreClock = field(default_factory=StoreClock)
    woken: list[Hashable] = field(default_factory=list)
    hurried: list[Hashable] = field(default_factory=list)
    pods: dict[str, datetime] = field(default_factory=lambda: {POD: START})
    start: datetime = START
    stable_pods: dict[str, datetime] = field(default_factory=dict)
    stage_since: datetime = START
    pod: str = POD
    other_pod: str = OTHER_POD
    preset: MetricPreset = PRESET
    errors: Check = ERRORS
    latency: Check = LATENCY
    clicks: Check = CLICKS
    versus: Check = VERSUS
    stable_pod: str = STABLE_POD
    store: Store = field(init=False)
    poller: Poller = field(init=False)

    def __post_init__(self) -> None:
        self.store = Store(self.clock)
        self.poller = self.new_poller()

    def new_poller(self) -> Poller:
        """The operator after a restart: it knows nothing."""
        return Poller(self.store, self.clock, self._wake)

    def _wake(self, key: Hashable, urgent: bool) -> None:
        self.woken.append(key)
        if urgent:
            self.hurried.append(key)

    def subject(self, *checks: Check, **changes: Any) -> Subject:
        plain = Subject("prod", "flights", "8b21de07", "6f9c41d2", START, checks or (ERRORS, LATENCY), PRESET)
        return replace(plain, **changes)

    async def run(self, until: float) -> None:
        """Polls once a second until this many seconds after the start."""
        while self.clock.at < START + timedelta(seconds=until):
            self.clock.advance(1)
            await self.poller.poll_once()

    def observe(self, key: Hashable = "flights", poller: Poller | None = None) -> Observation:
        return (poller or self.poller).observation(key, self.pods, self.stage_since, self.stable_pods)

    def verdicts(self, key: Hashable = "flights") -> list[str]:
        return [check.verdict.value for check in self.observe(key).checks]


@pytest.fixture
def world() -> World:
    return World()
