"""Which pods does the metrics store see, how fresh, and how often does it look? From raw samples of `up` alone."""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice, pairwise, takewhile
from math import isnan, nan
from typing import Final

from sluice.core.analysis.saved import Saved
from sluice.core.metrics import Series

DEFAULT_INTERVAL: Final = 15.0
"""Scrape interval in seconds that is assumed until two samples of a target are known."""
FRESH_INTERVALS: Final = 3
FRESH_SECONDS: Final = 5.0
"""Data is fresh for three scrape intervals, and never for less than this."""
_KEPT: Final = 32
"""Newest samples kept per target: enough for a median, and for freshness."""

Target = tuple[str, str]
"""(job, instance): what one scrape is about. A pod may be several targets."""


def target_of(series: Series) -> Target:
    """The target that a series was scraped from."""
    return series.labels.get("job", ""), series.labels.get("instance", "")


@dataclass(slots=True)
class _Scrapes:
    """The newest scrapes of one target, oldest first, and two facts about the ones before."""

    first: float
    first_success: float | None = None
    newest_success: float | None = None
    samples: deque[tuple[float, bool]] = field(default_factory=lambda: deque(maxlen=_KEPT))


@dataclass(slots=True)
class Sight:
    """What `up` told about the pods of one revision.

    known_since: seconds since the epoch; scrapes before it do not prove that a series was absent, as the other
    metrics may not have been read that far back.
    """

    known_since: float
    _pods: dict[str, dict[Target, _Scrapes]] = field(default_factory=dict)
    _gaps: list[float] = field(default_factory=list)
    """Seconds between the kept samples of each target, sorted: their median is asked for each second."""

    def save(self) -> Saved:
        """All that it knows."""
        saved = Saved()
        known = [(pod, target, one) for pod, targets in self._pods.items() for target, one in targets.items()]
        saved.words["targets"] = tuple(word for pod, target, _ in known for word in (pod, *target))
        for name in ("first", "first_success", "newest_success"):  # not a number: there was none
            saved.note(name, [nan if (time := getattr(one, name)) is None else time for _, _, one in known])
        saved.note("kept", [len(one.samples) for _, _, one in known])
        saved.note("times", [time for _, _, one in known for time, _ in one.samples])
        saved.note("successes", [ok for _, _, one in known for _, ok in one.samples])
        return saved

    def restore(self, saved: Saved) -> None:
        """Goes on from what was saved."""
        n = saved.numbers
        words, samples = iter(saved.words["targets"]), zip(n["times"].tolist(), n["successes"] != 0, strict=True)
        facts = zip(*(n[name].tolist() for name in ("first", "first_success", "newest_success", "kept")), strict=True)
        for pod, job, instance, (first, earliest, newest, kept) in zip(words, words, words, facts, strict=True):
            one = _Scrapes(first, None if isnan(earliest) else earliest, None if isnan(newest) else newest)
            one.samples.extend((time, bool(ok)) for time, ok in islice(samples, int(kept)))
            self._pods.setdefault(pod, {})[job, instance] = one
            self._gaps += [later - earlier for (earlier, _), (later, _) in pairwise(one.samples)]
        self._gaps.sort()

    def absorb(self, answer: Iterable[Series]) -> bool:
        """Takes samples of `up`; True if any was new."""
        news = False
        for series in answer:
            targets = self._pods.setdefault(series.labels.get("pod", ""), {})
            for time, value in series.points:
                scrapes = targets.setdefault(target_of(series), _Scrapes(first=time))
                if scrapes.samples and time <= scrapes.samples[-1][0]:
                    continue
                news = True
                success = value == 1
                self._keep(scrapes.samples, time, success)
                if success:
                    scrapes.newest_success = time
                    if scrapes.first_success is None and time > self.known_since:
                        scrapes.first_success = time
        return news

    def _keep(self, samples: deque[tuple[float, bool]], time: float, success: bool) -> None:
        if len(samples) == samples.maxlen:
            del self._gaps[bisect_left(self._gaps, samples[1][0] - samples[0][0])]
        if samples:
            insort(self._gaps, time - samples[-1][0])
        samples.append((time, success))

    def interval(self) -> float:
        """Scrape interval in seconds: the median distance between the kept samples of a target."""
        half, odd = divmod(len(self._gaps), 2)
        if odd:
            return self._gaps[half]
        return (self._gaps[half - 1] + self._gaps[half]) / 2 if half else DEFAULT_INTERVAL

    def fresh_for(self) -> float:
        """Age in seconds up to which a sample is fresh."""
        return max(FRESH_INTERVALS * self.interval(), FRESH_SECONDS)

    def newest(self, pod: str, chosen: Mapping[str, Target]) -> float | None:
        """Time of the newest successful scrape of a pod; of its chosen target where there is one."""
        times = [s.newest_success for s in self._scrapes(pod, chosen) if s.newest_success is not None]
        return max(times) if times else None

    def newest_by_pod(self, prefix: str = "") -> Mapping[str, float]:
        """Time of the newest successful scrape of each pod whose name begins with this."""
        return {pod: t for pod in self._pods if pod.startswith(prefix) and (t := self.newest(pod, {})) is not None}

    def seen(self, pod: str, now: float, chosen: Mapping[str, Target]) -> bool:
        """Whether one target of the pod has at least two fresh successful scrapes."""
        oldest = now - self.fresh_for()
        for scrapes in self._scrapes(pod, chosen):
            fresh = takewhile(lambda sample: sample[0] >= oldest, reversed(scrapes.samples))
            if sum(success for _, success in fresh) >= 2:
                return True
        return False

    def sees_any(self, now: float) -> bool:
        """Whether any target at all has at least two fresh successful scrapes."""
        return any(self.seen(pod, now, {}) for pod in self._pods)

    def first_scrape(self, pod: str) -> float | None:
        """Time of the first scrape of a pod that was read, successful or not."""
        times = [scrapes.first for scrapes in self._pods.get(pod, {}).values()]
        return min(times) if times else None

    def scraped_before(self, pod: str, target: Target, time: float) -> bool:
        """Whether the target was scraped successfully before `time`, so that a series born at `time` began at 0."""
        scrapes = self._pods.get(pod, {}).get(target)
        return scrapes is not None and scrapes.first_success is not None and scrapes.first_success < time

    def _scrapes(self, pod: str, chosen: Mapping[str, Target]) -> list[_Scrapes]:
        targets = self._pods.get(pod, {})
        target = chosen.get(pod)
        return [targets[target]] if target in targets else list(targets.values())
