"""`make bench-scale`: what does it take to judge 1, 100, 1,000 rollouts at once? Without a cluster, on one core."""

from __future__ import annotations

import asyncio
import json
import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np
import typer
from rich.console import Console
from scipy.special import ndtr

from sluice.adapters.metrics.prometheus import parse
from sluice.api.status import Verdict
from sluice.api.v1alpha1 import Check, LatencyCheck, RateCheck, SlowerThanStable, VersusStable
from sluice.core.analysis.judge import Judge, settle
from sluice.core.analysis.questions import UP, Subject
from sluice.core.metrics import LATENCY_BOUNDS, MetricPreset, Series
from sluice.runtime.poller import Poller
from sluice_dev.bench.figures import Result, Target
from sluice_dev.cluster.layout import Layout

PRESET: Final = MetricPreset(requests="requests_total", latency="request_seconds")
CHECKS: Final = (
    Check(name="errors", type="Rate", rate=RateCheck(versus_stable=VersusStable())),
    Check(name="latency", type="Latency", latency=LatencyCheck(versus_stable=SlowerThanStable(), warm_up=timedelta())),
    Check(name="most-errors", type="Rate", rate=RateCheck(max=Decimal("0.05"))),
    Check(name="objective", type="Latency", latency=LatencyCheck(slo=timedelta(seconds=1), warm_up=timedelta())),
)
ROLLOUTS: Final = (1, 100, 1000)
INTERVAL: Final = 2
"""Seconds between two scrapes of a pod; half of the pods are scraped in each tick."""
TICKS: Final = 10
"""Measured ones, after HISTORY."""
HISTORY: Final = 340
RATE: Final = 200.0
DECISION_SECONDS: Final = 0.25
START: Final = datetime(2026, 1, 5, 12, tzinfo=UTC)
_KNOWN: Final = (Verdict.UNDECIDED, Verdict.CERTIFIED)
"""Verdicts of a check that sees its candidate, which is a good one."""


@dataclass(slots=True)
class Pod:
    """A model server of one rollout: 1% errors, lognormal answers around 60 ms."""

    labels: dict[str, str]
    offset: int
    rate: float
    counts: np.ndarray = field(default_factory=lambda: np.zeros(len(LATENCY_BOUNDS) + 1))
    failed: float = 0.0

    def work(self, random: np.random.Generator, parts: np.ndarray) -> None:
        """A scrape interval of it."""
        done = random.poisson(self.rate * INTERVAL * parts)
        self.counts += done
        self.failed += random.binomial(int(done.sum()), 0.01)

    def series(self, metric: str, at: float) -> Iterator[Series]:
        """Its newest sample of a metric."""
        every = float(self.counts.sum())
        if metric == UP:
            yield Series(self.labels, ((at, 1.0),))
        elif metric == PRESET.requests:
            yield Series({**self.labels, "code": "200"}, ((at, every - self.failed),))
            yield Series({**self.labels, "code": "500"}, ((at, self.failed),))
        else:
            for bound, count in zip((*LATENCY_BOUNDS, "+Inf"), np.cumsum(self.counts), strict=True):
                yield Series({**self.labels, "le": str(bound)}, ((at, float(count)),))


class Fleet:
    """`rollouts` of them, one candidate pod against three each."""

    def __init__(self, rollouts: int) -> None:
        self.judges: list[Judge] = []
        self.pods: list[list[Pod]] = []
        self.seen = False
        """Whether in the last tick every candidate was seen and every check said something about it."""
        reached = ndtr((np.log(LATENCY_BOUNDS) - np.log(0.06)) / 0.5)
        self._parts = np.diff(np.concatenate([[0.0], reached, [1.0]]))
        self._random = np.random.default_rng(1)
        for number in range(rollouts):
            name = f"model-{number}"
            subject = Subject("prod", name, "8b21de07", "6f9c41d2", START, CHECKS, PRESET)
            judge = Judge(subject, START.timestamp())
            while (question := judge.history()) is not None:
                judge.remember(question, ())
            self.judges.append(judge)
            self.pods.append([self._pod(name, k) for k in range(4)])
        self._candidates = [{pods[0].labels["pod"]: START} for pods in self.pods]

    def _pod(self, name: str, number: int) -> Pod:
        pod = f"{name}-{'8b21de07' if number == 0 else '6f9c41d2'}-6d5f9c7b8d-{number:05d}"
        labels = {"namespace": "prod", "pod": pod, "job": "pods", "instance": pod}
        return Pod(labels, number % INTERVAL, RATE * (0.1 if number == 0 else 0.3))

    def tick(self, second: int) -> dict[str, list[list[Series]]]:
        """What each rollout's pods tell that are scraped in this second, by metric."""
        at = START.timestamp() + second
        found: dict[str, list[list[Series]]] = {metric: [] for metric in self.judges[0].metrics}
        for pods in self.pods:
            scraped = [
                p for p in pods if second % INTERVAL == p.offset and (second > 0 or "8b21de07" not in p.labels["pod"])
            ]
            for pod in scraped:
                pod.work(self._random, self._parts)
            for metric, answers in found.items():
                answers.append([s for pod in scraped for s in pod.series(metric, at)])
        return found

    def read(self, second: int) -> tuple[float, float, float]:
        """One tick. Seconds for counting what is new, for the evidence, for the verdicts."""
        answers, until = self.tick(second), START.timestamp() + second
        began = time.perf_counter()
        for metric, found in answers.items():
            for judge, answer in zip(self.judges, found, strict=True):
                judge.read(metric, answer, until)
        counted = time.perf_counter()
        settle(self.judges)
        settled = time.perf_counter()
        now = START + timedelta(seconds=second)
        observed = [judge.observe(now, pods, START) for judge, pods in zip(self.judges, self._candidates, strict=True)]
        looked = time.perf_counter()
        self.seen = all(one.seen and all(check.verdict in _KNOWN for check in one.checks) for one in observed)
        return counted - began, settled - counted, looked - settled


class Counting:
    """A metrics store without data that counts questions."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def query(self, promql: str, at: datetime | None = None) -> tuple[Series, ...]:
        """See ports.MetricSource."""
        self.asked.append(promql)
        return ()


@dataclass
class StoppedClock:
    """Moves when it is told to."""

    at: datetime = START

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()


async def queries(rollouts: int) -> dict[str, int]:
    """Questions in one poll of so many rollouts, by metric."""
    store, clock = Counting(), StoppedClock()
    poller = Poller(store, clock, lambda key, urgent: None)
    for number in range(rollouts):
        poller.track(number, Subject("prod", f"model-{number}", "8b21de07", "6f9c41d2", START, CHECKS, PRESET))
    for _ in range(3):
        await poller.poll_once()
    clock.at += timedelta(seconds=1)
    store.asked.clear()
    await poller.poll_once()
    metrics = [promql.partition("{")[0] for promql in store.asked]
    return {metric: metrics.count(metric) for metric in dict.fromkeys(metrics)}


def reading_seconds(fleet: Fleet, second: int) -> tuple[int, float]:
    """Series of one tick as Prometheus writes them, and the seconds to parse them."""
    result: list[dict[str, Any]] = [
        {"metric": dict(s.labels), "values": [[t, str(v)] for t, v in s.points]}
        for found in fleet.tick(second).values()
        for answer in found
        for s in answer
    ]
    text = json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}})
    began = time.perf_counter()
    parse(json.loads(text)["data"]["result"])
    return len(result), time.perf_counter() - began


def main() -> None:
    """Measure, print, write build/bench/scale.json. Exit status 1 when a target is missed."""
    console, layout = Console(), Layout.here()
    details: dict[str, Any] = {}
    decision = 0.0
    for rollouts in ROLLOUTS:
        asked = asyncio.run(queries(rollouts))
        fleet = Fleet(rollouts)
        for second in [s + k for s in range(-HISTORY, 0, 30) for k in range(INTERVAL)] + list(range(60)):
            fleet.read(second)
        ticks = [fleet.read(60 + k) for k in range(TICKS)]
        if not fleet.seen:
            raise RuntimeError("a candidate was not seen, so its checks had nothing to say: this measures nothing")
        counting, evidence, verdicts = (1000 * median(t[k] for t in ticks) for k in range(3))
        memory = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        series, reading = reading_seconds(fleet, 60 + TICKS)
        decision = (evidence + verdicts) / 1000
        details[str(rollouts)] = {
            "queries": asked,
            "series": series,
            "MiB of the process": memory,
            "milliseconds": {
                "parsing": round(1000 * reading, 1),
                "counting": round(counting, 1),
                "evidence": round(evidence, 1),
                "verdicts": round(verdicts, 1),
            },
        }
        console.print(f"{rollouts} rollouts: {details[str(rollouts)]}", highlight=False)
    result = Result(
        "Many rollouts at once: 4 checks each, pods scraped each 2 s, one core",
        [Target("decision time of a tick, 1,000 rollouts, s", round(decision, 3), DECISION_SECONDS)],
        details,
    )
    folder = Path(layout.checkout) / "build" / "bench"
    result.write(folder / "scale.json")
    result.show(console)
    raise typer.Exit(0 if result.met else 1)


if __name__ == "__main__":
    typer.run(main)
