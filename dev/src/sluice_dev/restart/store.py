"""A metrics store in memory: answers what the operator asks with raw samples, and counts the questions."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

import numpy as np

from sluice.core.metrics import Series

_SELECTOR: Final = re.compile(r"^(?P<metric>\w+)\{(?P<matchers>.*)\}\[(?P<window>\d+)s(:(?P<step>\d+)s)?\]$")
_MATCHER: Final = re.compile(r'(\w+)=~?"([^"]*)"')


@dataclass
class Clock:
    """`ports.Clock` that moves when it is told to; `monotonic` stands still, so that no budget ever runs out."""

    at: datetime

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return 0.0

    def advance(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass(slots=True)
class Kept:
    """One series: its labels, and times (seconds since the epoch) and values of its samples, oldest first.

    delay: seconds after a scrape until its sample can be had.
    """

    labels: Mapping[str, str]
    times: list[float]
    values: np.ndarray
    delay: float


@dataclass
class Store:
    """`ports.MetricSource`. asked: questions so far."""

    clock: Clock
    asked: int = 0
    series: dict[str, list[Kept]] = field(default_factory=dict)

    def put(
        self, metric: str, labels: Mapping[str, str], times: list[float], values: np.ndarray, delay: float = 0.0
    ) -> None:
        """A series; one without samples is none."""
        if times:
            self.series.setdefault(metric, []).append(Kept({**labels, "__name__": metric}, times, values, delay))

    async def query(self, promql: str, at: datetime | None = None) -> tuple[Series, ...]:
        """See ports.MetricSource. A query that is no selector yields a number that depends on the moment alone."""
        self.asked += 1
        now = (at or self.clock.now()).timestamp()
        found = _SELECTOR.match(promql)
        if found is None:
            return () if int(now) % 7 == 0 else (Series({}, ((now, now * 0.618 % 1.0),)),)
        present = self.clock.now().timestamp()
        window, step = float(found["window"]), float(found["step"] or 0)
        return tuple(
            Series(one.labels, points)
            for one in self.series.get(found["metric"], ())
            if all(re.fullmatch(p, one.labels.get(label, "")) for label, p in _matchers(found["matchers"]))
            and (points := tuple(_points(one, now - window, min(now, present - one.delay), step)))
        )


@lru_cache(256)
def _matchers(text: str) -> tuple[tuple[str, str], ...]:
    return tuple(_MATCHER.findall(text))


def _points(one: Kept, since: float, until: float, step: float) -> Iterator[tuple[float, float]]:
    if not step:
        first, last = bisect_right(one.times, since), bisect_right(one.times, until)
        yield from zip(one.times[first:last], one.values[first:last].tolist(), strict=True)
        return
    moment = (since // step + 1) * step
    while moment <= until:
        at = bisect_right(one.times, moment) - 1
        if at >= 0 and one.times[at] > moment - step:
            yield moment, float(one.values[at])
        moment += step
