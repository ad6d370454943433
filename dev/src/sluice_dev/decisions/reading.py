"""How does the operator judge rollouts whose pods it knows by their counters? Each by a judge of its own.

Everything between a sample and a verdict is the operator's: what a reset is and what began at 0, which counts are
compared with which, what is bet, how much stable's history scatters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain
from math import isfinite
from typing import Final

import numpy as np

from sluice.api.v1alpha1 import Check, RateCheck, VersusStable
from sluice.core.analysis.judge import Judge, settle
from sluice.core.analysis.overdispersion import BLOCK_SECONDS
from sluice.core.analysis.questions import UP, Subject
from sluice.core.forecast.worlds import Floats
from sluice.core.metrics import MetricPreset, Series
from sluice_dev.decisions.scraped import BEFORE, DOWN, ScrapedRollouts, ScrapedTraffic, Scrapes

START: Final = datetime(2026, 1, 5, 12, tzinfo=UTC)
CANDIDATE, STABLE = "8b21de07", "6f9c41d2"
PRESET: Final = MetricPreset(requests="requests_total", latency=None)
CHECK: Final = Check(name="errors", type="Rate", rate=RateCheck(versus_stable=VersusStable()))
CODES: Final = ("200", "500")
SCRAPES: Final = 16
"""Scrapes of a pod in one answer. The evidence does not depend on it; more are read sooner."""

NewJudge = Callable[[Subject, float], Judge]
"""(whom it judges, when it begins to ask) -> a judge."""


class Told:
    """The samples of one arm of one rollout, as a metrics store answers with them."""

    def __init__(self, scrapes: Scrapes, world: int, interval: float, deployment: str) -> None:
        """interval: seconds between two scrapes. deployment: its name, and the hash of its template."""
        self._interval, self._deployment = interval, deployment
        self._times, self._up, self._pod = scrapes.times[world], scrapes.up[world], scrapes.pod[world]
        self._values, self._started = scrapes.values[world], scrapes.started[world]
        self._labels: dict[tuple[int, int], tuple[dict[str, str], list[dict[str, str]]]] = {}
        self._read = [0] * len(self._times)
        self._known = [-1] * len(self._times)

    def pods(self) -> dict[str, datetime]:
        """When each pod started."""
        return {
            self._name(slot, pod): START + timedelta(seconds=started)
            for slot, row in enumerate(self._started.tolist())
            for pod, started in enumerate(row)
            if isfinite(started)
        }

    def read(self, until: float) -> tuple[list[Series], list[Series]]:
        """(of `up`, of the counters): what has come by `until`, seconds since the start, and was not read yet."""
        ups: list[Series] = []
        counters: list[Series] = []
        for slot, begin in enumerate(self._read):
            end = self._read[slot] = int(np.searchsorted(self._times[slot], until, side="right"))
            pods = self._pod[slot, begin:end]
            for pod in range(pods[0], pods[-1] + 1) if end > begin else ():
                first, last = begin + np.searchsorted(pods, (pod, pod + 1))
                if first < last:
                    self._tell(slot, pod, slice(first, last), ups, counters)
        return ups, counters

    def _tell(self, slot: int, pod: int, scrapes: slice, ups: list[Series], counters: list[Series]) -> None:
        target, labels = self._labels_of(slot, pod)
        times = (self._times[slot, scrapes] + START.timestamp()).tolist()
        up = self._up[slot, scrapes]
        looks = list(zip(times, up.astype(float).tolist(), strict=True))
        if self._known[slot] < pod:
            self._known[slot] = pod
            looks = [*self._before(slot, pod, times[0]), *looks]
        ups.append(Series(target, tuple(looks)))
        rows = self._values[slot, scrapes].reshape(len(times), -1)
        for label, column in zip(labels, rows.T, strict=True):
            there = up & (column > 0)
            points = zip(times, column.tolist(), strict=True)
            if there.all():
                counters.append(Series(label, tuple(points)))
            elif there.any():
                counters.append(Series(label, tuple(p for p, seen in zip(points, there, strict=True) if seen)))

    def _before(self, slot: int, pod: int, first: float) -> Iterator[tuple[float, float]]:
        """The scrapes of a pod before its first request."""
        started = max(self._started[slot, pod], -BEFORE) + START.timestamp()
        for k in range(int((first - started) // self._interval), 0, -1):
            time = first - k * self._interval
            yield time, float(time >= started + DOWN)

    def _labels_of(self, slot: int, pod: int) -> tuple[dict[str, str], list[dict[str, str]]]:
        """Of `up`, and of each counter."""
        found = self._labels.get((slot, pod))
        if found is None:
            name = self._name(slot, pod)
            labels = {"namespace": "prod", "pod": name, "job": "pods", "instance": f"{name}:8080"}
            routes = range(self._values.shape[2])
            counters = [
                {**labels, "__name__": PRESET.counters, "route": f"/{k}", "code": c} for k in routes for c in CODES
            ]
            found = self._labels[slot, pod] = {**labels, "__name__": UP}, counters
        return found

    def _name(self, slot: int, pod: int) -> str:
        return f"{self._deployment}-{slot:02d}{pod:03d}"


def judge_scraped(
    traffic: ScrapedTraffic, worlds: int, seed: int, length: float, at: float, new_judge: NewJudge = Judge
) -> Floats:
    """Seconds until each rollout failed, (worlds,), NaN if it did not; known to SCRAPES scrapes.

    length: seconds. at: e-value at which the check on errors fails, which is all there is. new_judge: who judges.
    """
    rollouts = ScrapedRollouts(traffic, worlds, seed, length)
    share = traffic.weight / 100
    subject = Subject("prod", "flights", CANDIDATE, STABLE, START, (CHECK,), PRESET, None, share, 1 / at)
    judges = [new_judge(subject, START.timestamp()) for _ in range(worlds)]
    own, other = (f"{subject.name}-{revision}-6d5f9c7b8d" for revision in (CANDIDATE, STABLE))
    before = f"{other[:-1]}e" if traffic.fresh else other  # the same revision, and other pods
    arms = (rollouts.candidate, own), (rollouts.stable, other)
    told = [[Told(scrapes, world, traffic.interval, name) for scrapes, name in arms] for world in range(worlds)]
    for world, (judge, of_world) in enumerate(zip(judges, told, strict=True)):
        for one in of_world:
            judge.know_pods(one.pods())
        _, history = Told(rollouts.history, world, BLOCK_SECONDS, before).read(0.0)
        while (question := judge.history()) is not None:
            judge.remember(question, history)
    failed_at = np.full(worlds, np.nan)
    going, until = list(range(worlds)), -BEFORE
    while until < length and going:
        until = min(until + SCRAPES * traffic.interval, length)
        for world in going:
            answers = [one.read(until) for one in told[world]]
            for metric, series in zip((UP, PRESET.counters), zip(*answers, strict=True), strict=True):
                judges[world].read(metric, [*chain.from_iterable(series)], START.timestamp() + until)
        settle(judges[world] for world in going)
        failed_at[[world for world in going if judges[world].failing]] = until
        going = [world for world in going if not judges[world].failing]
    return failed_at
