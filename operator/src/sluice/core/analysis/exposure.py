"""What did a revision's pods do in one scrape, and which of it is a loss? From differences of raw counters."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import inf, isclose

import numpy as np

from sluice.core.analysis.counters import Delta
from sluice.core.analysis.eprocess import Floats
from sluice.core.metrics import MetricPreset, Series

LabelSet = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Exposure:
    """What the scrapes of one moment told.

    time: seconds since the epoch. requests: a count, >= 0. losses: of them, (ways to lose,): one number for errors, one
    for each bucket bound for latency. began: when the scrape before was. uncounted: requests of before anybody looked.
    """

    time: float
    requests: float
    losses: Floats
    began: float
    uncounted: float = 0.0


Exposures = Callable[[Iterable[Delta]], list[Exposure]]
"""How differences become exposures, in the order of time."""


@dataclass(slots=True)
class _Sum:
    """Of all series of one moment."""

    requests: float
    losses: Floats
    began: float
    uncounted: float = 0.0

    def exposure(self, time: float) -> Exposure:
        return Exposure(time, self.requests, self.losses, self.began, self.uncounted)


@dataclass(slots=True)
class _Failures:
    """Of all series of one moment, as plain numbers: an array for each delta takes most of the time."""

    began: float
    requests: float = 0.0
    failures: float = 0.0
    uncounted: float = 0.0

    def exposure(self, time: float) -> Exposure:
        failed = min(max(self.failures, 0.0), self.requests)
        return Exposure(time, self.requests, np.array([failed]), self.began, self.uncounted)


def _sum_of(sums: dict[float, _Sum], time: float, ways: int) -> _Sum:
    if time not in sums:
        sums[time] = _Sum(0.0, np.zeros(ways), time)
    return sums[time]


def failed_requests(preset: MetricPreset, deltas: Iterable[Delta]) -> list[Exposure]:
    """Answered requests and the failed ones of them, by moment, in the order of time.

    Where failures are what is missing to all requests, one whose success is told a scrape later counts as failed.
    """
    sums: dict[float, _Failures] = {}
    outcomes: dict[int, tuple[int, int]] = {}  # by the identity of a series' labels, which all of its deltas share
    for delta in (*deltas,):  # all of them are kept, so that no identity is used twice
        one = sums.get(delta.time)
        if one is None:
            one = sums[delta.time] = _Failures(delta.time)
        outcome = outcomes.get(id(delta.labels))
        if outcome is None:
            outcome = outcomes[id(delta.labels)] = preset.outcome(delta.labels)
        requests, failures = outcome
        one.requests += requests * delta.amount
        one.failures += failures * delta.amount
        if delta.before is not None and delta.before < one.began:
            one.began = delta.before
        one.uncounted += requests * delta.uncounted
    return [sums[time].exposure(time) for time in sorted(sums)]


def slow_requests(bounds: Sequence[float], deltas: Iterable[Delta]) -> list[Exposure]:
    """Observed requests and those above each of `bounds` (seconds), by moment, in the order of time.

    A bucket counts what is at most its bound, so the slow ones are the count less the bucket. Where not all of them
    were scraped nothing is counted: a missing bucket would make every request a slow one.
    """
    buckets: dict[tuple[float, LabelSet], dict[int, Delta]] = defaultdict(dict)
    wanted = (*bounds, inf)
    for delta in deltas:
        at = position_of(delta.labels.get("le", ""), wanted)
        if at is not None:
            rest = tuple(sorted((k, v) for k, v in delta.labels.items() if k != "le"))
            buckets[delta.time, rest][at] = delta
    sums: dict[float, _Sum] = {}
    for (time, _), found in buckets.items():
        if len(found) < len(wanted):
            continue
        every = found[len(bounds)]
        one = _sum_of(sums, time, len(bounds))
        one.requests += every.amount
        one.began = min(one.began, every.before if every.before is not None else time)
        one.uncounted += every.uncounted
        one.losses += np.maximum(every.amount - np.array([found[k].amount for k in range(len(bounds))]), 0.0)
    return [sums[time].exposure(time) for time in sorted(sums)]


@lru_cache(maxsize=4096)
def position_of(text: str, bounds: tuple[float, ...]) -> int | None:
    """Which of the bounds a label `le` is; None if it is none of them."""
    bound = bound_of(text)
    if bound is None:
        return None
    return next((k for k, one in enumerate(bounds) if same_bound(one, bound)), None)


def bound_of(text: str) -> float | None:
    """The number in a label `le`; None if it is none."""
    try:
        return float(text)
    except ValueError:
        return None


def same_bound(one: float, other: float) -> bool:
    """Equality of two bucket bounds in seconds: "0.25", "2.5e-01" and 250 ms are the same."""
    return isclose(one, other, rel_tol=1e-6)


def has_bound(bounds: Iterable[float], wanted: float) -> bool:
    """Whether one of the bounds is the wanted one."""
    return any(same_bound(bound, wanted) for bound in bounds)


def shared_bounds(one: Iterable[float], other: Sequence[float]) -> tuple[float, ...]:
    """The bounds that are in both, rising: what two histograms can be compared at."""
    return tuple(sorted(bound for bound in one if has_bound(other, bound)))


def bounds_seen(answer: Iterable[Series]) -> set[float]:
    """The bucket bounds in an answer, infinity included."""
    return {b for series in answer if (b := bound_of(series.labels.get("le", ""))) is not None}


def by_pod(exposures: Exposures, deltas: Iterable[Delta]) -> Mapping[str, list[Exposure]]:
    """What each pod did, in the order of time."""
    found: dict[str, list[Delta]] = defaultdict(list)
    for delta in deltas:
        found[delta.labels.get("pod", "")].append(delta)
    return {pod: exposures(own) for pod, own in found.items()}


def in_order(exposures: Exposures, deltas: Iterable[Delta]) -> list[tuple[str, Exposure]]:
    """(pod, what it did) of all pods, in the order of time: evidence must not depend on how answers were cut."""
    found = [(pod, one) for pod, own in by_pod(exposures, deltas).items() for one in own]
    return sorted(found, key=lambda entry: (entry[1].time, entry[0]))
