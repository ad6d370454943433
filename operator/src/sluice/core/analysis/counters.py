"""What did raw counters count between two scrapes? Differences per series, never rates.

The rules, each of them a test:
- a value below the one before is a reset, and the counter began at 0 again; but one that is only a little below comes
  from another Prometheus behind the same address, whose clock differs: it is left out, so that the one that is ahead
  counts. Taken for a reset it would count everything again, each time that the two take turns;
- only samples newer than the last used one count, so answers may overlap;
- a series that is new to us began at 0 where its target was scraped successfully before without it, or where the pod
  itself is younger than the rollout: without this 100 instead of 50 bad requests pass. Else it is a baseline;
- the last value of a series that vanishes is kept: if it returns, its history is not counted twice;
- a pod that is scraped twice (two jobs) is counted once;
- a value that is no number (NaN, infinite) tells nothing, and a scrape with one is none: nobody sees how the pod does.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Final

from sluice.core.analysis.saved import Saved
from sluice.core.analysis.sight import Target, target_of
from sluice.core.metrics import Series

SeriesKey = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Delta:
    """What one series counted in one scrape.

    time: of the scrape, seconds since the epoch. amount: a count, > 0 or 0. before: time of the scrape before it, None
    where the series began in between. uncounted: what it had counted before anybody looked; told with the first sample.
    reset: it began at 0 again since the scrape before.
    """

    time: float
    labels: Mapping[str, str]
    amount: float
    before: float | None = None
    uncounted: float = 0.0
    reset: bool = False


SKEW_SECONDS: Final = 60.0
"""Most that the clocks of two Prometheus differ, and least time in which a restarted pod may do half of all that it did
once more."""
SKEW_PART: Final = 0.5
"""A fall to no less than this part of the value before, within SKEW_SECONDS, is no restart."""


BornAtZero = Callable[[str, Target, float], bool]
"""(pod, target, time of a series' first sample) -> whether the series began at 0."""


@dataclass(slots=True)
class Counters:
    """The last used sample of every series of one metric."""

    chosen: dict[str, Target] = field(default_factory=dict)
    """Per pod the target that is counted: the first one that had the metric."""
    backwards: int = 0
    """Samples that were left out because two Prometheus take turns."""
    _last: dict[SeriesKey, tuple[float, float]] = field(default_factory=dict)
    _newest: dict[str, float] = field(default_factory=dict)
    """Per pod the time of its newest sample, whatever its value."""
    _illegible: dict[str, dict[SeriesKey, tuple[float, float]]] = field(default_factory=dict)
    """Per pod the series that are no numbers now: since when, and when last."""

    @property
    def legible(self) -> bool:
        """Whether all values were numbers, always."""
        return not self._illegible

    def illegible_since(self, pod: str) -> float | None:
        """Since when the pod's counters are no numbers, seconds since the epoch; None: they are, or there are none."""
        if pod not in self._illegible:
            return None
        newest = self._newest.get(pod)
        return min((since for since, last in self._illegible.get(pod, {}).values() if last == newest), default=None)

    def save(self) -> Saved:
        """All that it knows. Only while all values were numbers."""
        saved = Saved()
        saved.note("newest", list(self._newest.values()))
        saved.words["pods"] = tuple(self._newest)
        saved.note("last", [self._last[key] for key in self._last])
        saved.note("backwards", self.backwards)
        saved.words["series"] = tuple(json.dumps(key) for key in self._last)
        saved.words["chosen"] = tuple(word for pod, target in self.chosen.items() for word in (pod, *target))
        return saved

    def restore(self, saved: Saved) -> None:
        """Goes on from what was saved."""
        keys = (tuple(map(tuple, json.loads(text))) for text in saved.words["series"])
        self._last = {key: (time, value) for key, (time, value) in zip(keys, saved.table("last", 2), strict=True)}
        self._newest = dict(zip(saved.words["pods"], saved.numbers["newest"].tolist(), strict=True))
        self.backwards = int(saved.numbers["backwards"])
        chosen = iter(saved.words["chosen"])
        self.chosen = {pod: (job, instance) for pod, job, instance in zip(chosen, chosen, chosen, strict=True)}

    def absorb(self, answer: Iterable[Series], born_at_zero: BornAtZero) -> list[Delta]:
        """Differences of all samples that are new, in the order of time."""
        series = sorted((s for s in answer if s.points), key=lambda s: (s.points[0][0], target_of(s)))
        deltas: list[Delta] = []
        for one in series:
            pod, target = one.labels.get("pod", ""), target_of(one)
            if self.chosen.setdefault(pod, target) == target:
                deltas.extend(self._differences(one, pod, target, born_at_zero))
        return sorted(deltas, key=lambda delta: delta.time)

    def _differences(self, series: Series, pod: str, target: Target, born_at_zero: BornAtZero) -> Iterable[Delta]:
        key = tuple(sorted(series.labels.items()))
        last = self._last.get(key)
        for time, value in series.points:
            self._newest[pod] = max(self._newest.get(pod, time), time)
            if last is not None and time <= last[0]:
                continue
            if not isfinite(value):
                illegible = self._illegible.setdefault(pod, {})
                since = illegible[key][0] if key in illegible and (not last or illegible[key][0] > last[0]) else time
                illegible[key] = (since, time)
                continue
            if last is not None and value < last[1] and _skewed(last, time, value):
                self.backwards += 1
                continue
            uncounted, reset = 0.0, last is not None and value < last[1]
            if last is not None:
                amount = value - last[1] if value >= last[1] else value
            elif born_at_zero(pod, target, time):
                amount = value
            else:
                amount, uncounted = 0.0, value
            before = last[0] if last is not None else None
            last = (time, value)
            yield Delta(time, series.labels, amount, before, uncounted, reset)
        if last is not None:
            self._last[key] = last


def _skewed(last: tuple[float, float], time: float, value: float) -> bool:
    """Whether a lower value is an older one of the same process, told by a clock that is ahead."""
    return time - last[0] <= SKEW_SECONDS and value >= SKEW_PART * last[1]
