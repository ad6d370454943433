"""What did raw counters count between two scrapes? Differences per series, never rates.

The rules, each of them a test:
- a value below the one before is a reset, and the counter began at 0 again; but where all of a process is only a little
  below, it comes from another Prometheus behind the same address, whose clock differs: that scrape is left out, so that
  the one that is ahead counts. Taken for a reset it would count everything again, each time that the two take turns;
- a process begins again with all of its series. What its successes and its failures tell must be the same: where 800
  and 8 are followed by 600 and 3, 3 failures of no success would be evidence enough for a rollback (with containers
  that restart each two minutes 15% of equal candidates were failed within two hours). Where a process that is young
  falls and nobody can tell what it is, that scrape counts nothing, and the next one is compared with it;
- a series that was not there when its process began again begins at 0 when it returns;
- only samples newer than the last used one count, so answers may overlap;
- a series that is new to us began at 0 where its target was scraped successfully before without it, or where the pod
  itself is younger than the rollout: without this 100 instead of 50 bad requests pass. Else it is a baseline;
- the last value of a series that vanishes is kept: if it returns, its history is not counted twice;
- a pod that is scraped twice (two jobs) is counted once;
- a value that is no number (NaN, infinite) tells nothing, and a scrape with one is none: nobody sees how the pod does.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Set
from dataclasses import dataclass, field
from math import inf, isfinite
from typing import Final, NamedTuple

from sluice.core.analysis.saved import Saved
from sluice.core.analysis.sight import Target, target_of
from sluice.core.metrics import Series

SeriesKey = tuple[tuple[str, str], ...]


class Delta(NamedTuple):
    """What one series counted in one scrape. A tuple: there is one for each sample of each series.

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
YOUNG_SECONDS: Final = SKEW_SECONDS / SKEW_PART
"""A process that counted for less may be followed by one that does half as much within SKEW_SECONDS."""


Process = Hashable
"""What begins again as a whole."""


def pod_of(series: Series) -> Process:
    """The pod that a series was scraped from: its counters begin again together."""
    return series.labels.get("pod", "")


@dataclass(frozen=True, slots=True)
class _Fates:
    """What happened to a process. older: times of scrapes that another Prometheus tells late. unclear: of scrapes that
    may be of another process, or not. restarts: since when it is another one, rising."""

    restarts: tuple[float, ...]
    older: Set[float] = frozenset()
    unclear: Set[float] = frozenset()

    def began_between(self, before: float, time: float) -> bool:
        """Whether a process that counted at `before` was gone already when it was scraped last before `time`."""
        return before < self.restarts[-1] and any(before < began < time for began in self.restarts)


BornAtZero = Callable[[str, Target, float], bool]
"""(pod, target, time of a series' first sample) -> whether the series began at 0."""


@dataclass(slots=True)
class Counters:
    """The last used sample of every series of one metric."""

    chosen: dict[str, Target] = field(default_factory=dict)
    """Per pod the target that is counted: the first one that had the metric."""
    backwards: int = 0
    """Samples that were left out because two Prometheus take turns."""
    process_of: Callable[[Series], Process] = pod_of
    """Which series begin again together. Only those of pods can be saved."""
    _last: dict[SeriesKey, tuple[float, float]] = field(default_factory=dict)
    _began: dict[Process, float] = field(default_factory=dict)
    """When a process was first seen that is known to have begun shortly before; -inf for one that may be old."""
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
        saved.words["restarted"] = tuple(map(str, self._began))
        saved.note("began", list(self._began.values()))
        saved.words["series"] = tuple(json.dumps(key) for key in self._last)
        saved.words["chosen"] = tuple(word for pod, target in self.chosen.items() for word in (pod, *target))
        return saved

    def restore(self, saved: Saved) -> None:
        """Goes on from what was saved."""
        keys = (tuple(map(tuple, json.loads(text))) for text in saved.words["series"])
        self._last = {key: (time, value) for key, (time, value) in zip(keys, saved.table("last", 2), strict=True)}
        self._newest = dict(zip(saved.words["pods"], saved.numbers["newest"].tolist(), strict=True))
        self.backwards = int(saved.numbers["backwards"])
        self._began = dict(zip(saved.words["restarted"], saved.numbers["began"].tolist(), strict=True))
        chosen = iter(saved.words["chosen"])
        self.chosen = {pod: (job, instance) for pod, job, instance in zip(chosen, chosen, chosen, strict=True)}

    def absorb(self, answer: Iterable[Series], born_at_zero: BornAtZero) -> list[Delta]:
        """Differences of all samples that are new, in the order of time."""
        series = sorted((s for s in answer if s.points), key=lambda s: (s.points[0][0], target_of(s)))
        processes: dict[Process, dict[SeriesKey, Series]] = {}
        for one in series:
            pod, target = one.labels.get("pod", ""), target_of(one)
            if self.chosen.setdefault(pod, target) == target:
                processes.setdefault(self.process_of(one), {})[tuple(sorted(one.labels.items()))] = one
        deltas: list[Delta] = []
        for process, own in processes.items():
            fates = self._fates(process, own, born_at_zero)
            for key, one in own.items():
                deltas.extend(self._differences(key, one, fates, born_at_zero))
        return sorted(deltas, key=lambda delta: delta.time)

    def _fates(self, process: Process, own: Mapping[SeriesKey, Series], born_at_zero: BornAtZero) -> _Fates:
        """What the falls of a process' series mean, all of them seen together."""
        began = self._began.get(process)
        if began is None:
            first = next(iter(own.values()))
            time = first.points[0][0]
            born = born_at_zero(first.labels.get("pod", ""), target_of(first), time)
            began = self._began[process] = time if born else -inf
        if not any(_falls(one, self._last.get(key)) for key, one in own.items()):
            return _Fates((began,))
        known = {key: last for key in own if (last := self._last.get(key)) is not None}
        scrapes: dict[float, dict[SeriesKey, float]] = defaultdict(dict)
        for key, one in own.items():
            for time, value in one.points:
                if isfinite(value) and (key not in known or time > known[key][0]):
                    scrapes[time][key] = value
        older: set[float] = set()
        unclear: set[float] = set()
        restarts: tuple[float, ...] = (began,)
        for time in sorted(scrapes):
            now = scrapes[time]
            same = [key for key in now if key in known and known[key][0] >= restarts[-1]]
            if any(now[key] < known[key][1] for key in same):
                last = max(known[key][0] for key in same), sum(known[key][1] for key in same)
                total = sum(now[key] for key in same)
                told_late = total < last[1] and _skewed(last, time, total)
                if told_late and last[0] - restarts[-1] >= YOUNG_SECONDS:
                    older.add(time)
                    continue
                if told_late or total >= last[1]:
                    unclear.add(time)
                restarts = (*restarts, time)
            known |= {key: (time, value) for key, value in now.items()}
        self._began[process] = restarts[-1]
        return _Fates(restarts, older, unclear)

    def _differences(self, key: SeriesKey, series: Series, fates: _Fates, born_at_zero: BornAtZero) -> Iterable[Delta]:
        pod, target = series.labels.get("pod", ""), target_of(series)
        last = self._last.get(key)
        newest = series.points[-1][0]
        self._newest[pod] = max(self._newest.get(pod, newest), newest)
        for time, value in series.points:
            if last is not None and time <= last[0]:
                continue
            if not isfinite(value):
                illegible = self._illegible.setdefault(pod, {})
                since = illegible[key][0] if key in illegible and (not last or illegible[key][0] > last[0]) else time
                illegible[key] = (since, time)
                continue
            if time in fates.older:
                self.backwards += 1
                continue
            uncounted, reset = 0.0, last is not None and (value < last[1] or fates.began_between(last[0], time))
            if time in fates.unclear:
                amount = 0.0
            elif last is not None:
                amount = value if reset else value - last[1]
            elif born_at_zero(pod, target, time):
                amount = value
            else:
                amount, uncounted = 0.0, value
            before = last[0] if last is not None else None
            last = (time, value)
            yield Delta(time, series.labels, amount, before, uncounted, reset)
        if last is not None:
            self._last[key] = last


def _falls(series: Series, last: tuple[float, float] | None) -> bool:
    """Whether any new value is below the one before it."""
    known, before = last or (-inf, -inf)
    for time, value in series.points:
        if time > known:
            if value < before:
                return True
            before = value
    return False


def _skewed(last: tuple[float, float], time: float, value: float) -> bool:
    """Whether a lower value is an older one of the same process, told by a clock that is ahead."""
    return time - last[0] <= SKEW_SECONDS and value >= SKEW_PART * last[1]
