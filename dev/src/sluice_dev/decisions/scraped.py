"""What do the counters of pods tell whose containers restart, and which are replaced by new ones?

A pod counts for itself: a container that restarts begins at 0, and what it counted since its last scrape is lost; a
series is there only once it has counted something. What is made of the samples is not decided here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil, inf
from typing import Any, Final

import numpy as np

from sluice.core.analysis.comparison import Arm
from sluice.core.analysis.overdispersion import BLOCK_SECONDS, HISTORY_SECONDS
from sluice.core.forecast.worlds import Floats

Flags = np.ndarray[Any, np.dtype[np.bool_]]
Numbers = np.ndarray[Any, np.dtype[np.int64]]

BEFORE: Final = 90.0
"""Seconds before the rollout's start from which stable is scraped; its history is older."""
READY: Final = (10.0, 40.0)
"""Seconds from a pod's start to its first request, at least and at most."""
DOWN: Final = 5.0
"""Seconds from a container's start until it listens: scrapes of it fail, and it gets no requests."""
ROLLING: Final = 20.0
"""Seconds between the replacements of two pods of one arm."""
SHORTEST: Final = 180.0
"""Least seconds between two replacements of an arm's pods."""
FRESH: Final = (-60.0, 0.0)
"""When stable's pods started that are new: seconds since the rollout's start, from and to."""
WORKED: Final = 1800.0
"""Seconds for which stable's pods had worked when its history begins."""


@dataclass(frozen=True, slots=True)
class ScrapedTraffic:
    """What a rollout looks like.

    rate: requests/s of both arms together. base: stable's share of losses. factor: the candidate's as a multiple of it.
    weight: percent for the candidate. pods, stable_pods: of each arm; the candidate's are new when the rollout starts.
    spread: standard deviation of the logarithm by which the shares of two pods of one revision differ. interval:
    seconds between two scrapes of a pod, each pod at its own offset.

    restart: mean seconds between two restarts of a pod's container, from the rollout's start on; inf: none. (Those in
    stable's history would make losses scatter, and hide what is asked here.) replaced: mean seconds between two
    replacements of all pods of an arm, one after the other; inf: none. fresh: stable's pods too are new, started in the
    minute before the rollout; others of its revision have made its history. routes: the requests go to so many, each
    with a series of its own for successes and for failures.
    """

    rate: float
    base: float
    weight: int = 10
    pods: int = 1
    stable_pods: int = 3
    spread: float = 0.2
    interval: float = 15.0
    restart: float = inf
    replaced: float = inf
    fresh: bool = False
    routes: int = 1
    factor: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Scrapes:
    """All scrapes of an arm's pods. A slot is the place of a pod, which the one that replaces it takes over.

    times: seconds since the rollout's start, (worlds, slots, scrapes). up: whether it succeeded, same shape. pod:
    which one of its slot it was, from 0 on, same shape. values: of the counters, (worlds, slots, scrapes, routes, 2):
    successes and failures; 0: there is no series yet. started: when a slot's pods started, (worlds, slots, pods); inf:
    there was no such pod.
    """

    times: Floats
    up: Flags
    pod: Numbers
    values: Floats
    started: Floats


class Slots:
    """The places of an arm's pods, and what runs in them. All arrays begin with (worlds, slots).

    rate: requests/s of each pod. share: of losses, before pods differ. done: successes and failures that there were,
    (.., routes, 2). lost: those of them that no scrape will ever tell, same shape. values: of the counters now, same
    shape. replaced: when new pods take over, seconds since the rollout's start, (.., pods), rising, inf at the end.
    """

    def __init__(
        self, random: np.random.Generator, traffic: ScrapedTraffic, serving: Floats, rate: float, length: float
    ) -> None:
        """serving: when the first pods get their first requests. length: seconds of the rollout."""
        self.rate, self.share = rate, traffic.base
        self._traffic, self._random = traffic, random
        self._at, self._serving = serving.copy(), serving.copy()
        self._factor = self._factors()
        shape = (*serving.shape, traffic.routes, 2)
        self.done, self.lost, self.values, self._told = (np.zeros(shape) for _ in range(4))
        self._pod, self._restarts = (np.zeros(serving.shape, dtype=np.int64) for _ in range(2))
        self._exits = self._moments(serving.shape, length, traffic.restart, DOWN)
        rolls = self._moments((len(serving), 1), length, traffic.replaced, SHORTEST)
        self.replaced: Floats = rolls + ROLLING * np.arange(serving.shape[1])[:, None]

    def scrape(self, first: Floats, until: float, interval: float) -> tuple[Floats, Flags, Numbers, Floats]:
        """(times, up, pod, values) of all scrapes from `first` until `until`, see Scrapes; later ones are at inf."""
        times: list[Floats] = []
        ups: list[Flags] = []
        pods: list[Numbers] = []
        values: list[Floats] = []
        due = first
        while due.min() <= until:
            due = self._work(due, interval)
            up = self._serving <= due
            now = up & (due <= until)
            self._told[now] = self.values[now]
            times.append(np.where(due <= until, due, inf))
            ups.append(up)
            pods.append(self._pod.copy())
            values.append(self.values.copy())
            self._at, due = due, due + interval
        return np.stack(times, axis=2), np.stack(ups, axis=2), np.stack(pods, axis=2), np.stack(values, axis=2)

    @property
    def untold(self) -> Floats:
        """What was counted since the last scrape, and is not lost yet: (.., routes, 2)."""
        return self.values - self._told

    def _work(self, due: Floats, interval: float) -> Floats:
        """Until the next scrape of each slot, and when that is: a pod that takes over has an offset of its own."""
        begin = self._at
        while True:
            exits = np.take_along_axis(self._exits, self._restarts[..., None], axis=2)[..., 0]
            replaced = np.take_along_axis(self.replaced, self._pod[..., None], axis=2)[..., 0]
            end = np.minimum(exits, replaced)
            self._count(np.maximum(np.minimum(end, due) - np.maximum(begin, self._serving), 0.0))
            ended = end <= due
            if not ended.any():
                return due
            self.lost[ended] += self.values[ended] - self._told[ended]
            self.values[ended], self._told[ended] = 0.0, 0.0
            anew = ended & (replaced <= exits)
            listens = np.where(anew, end, np.maximum(end + DOWN, self._serving))
            self._serving = np.where(ended, listens, self._serving)
            begin = np.where(ended, end, due)
            due = np.where(anew, end + self._random.uniform(0, interval, end.shape), due)
            self._factor = np.where(anew, self._factors(), self._factor)
            self._pod += anew
            self._restarts += ended & ~anew

    def _count(self, seconds: Floats) -> None:
        requests = self.rate * seconds / self._traffic.routes
        share = np.minimum(self.share * self._factor, 1.0)
        means = requests[..., None] * np.stack([1 - share, share], axis=-1)
        counted = self._random.poisson(np.broadcast_to(means[..., None, :], self.values.shape))
        self.values += counted
        self.done += counted

    def _factors(self) -> Floats:
        """By which each pod's share of losses differs from its revision's, for all of its life: with mean 1."""
        s = self._traffic.spread
        factors: Floats = np.exp(self._random.normal(-(s**2) / 2, s, self._at.shape))
        return factors

    def _moments(self, shape: tuple[int, ...], end: float, mean: float, least: float) -> Floats:
        """Moments since the rollout's start that are `mean` seconds apart, and never less than `least`: (.., moments),
        rising; those after `end` are at inf."""
        never = np.full((*shape, 1), inf)
        if mean == inf:
            return never
        expected = end / mean
        number = ceil(expected + 8 * expected**0.5 + 8)
        moments = np.cumsum(least + self._random.exponential(mean - least, (*shape, number)), axis=-1)
        return np.concatenate([np.where(moments <= end, moments, inf), never], axis=-1)


class ScrapedRollouts:
    """`worlds` rollouts of one kind, with an hour of stable before them.

    history: of stable's pods at the end of each block. candidate, stable: of the rollout. slots: of each arm, by name.
    """

    def __init__(self, traffic: ScrapedTraffic, worlds: int, seed: int, length: float) -> None:
        """length: seconds of the rollout."""
        self.traffic, self.worlds = traffic, worlds
        self._random = np.random.default_rng(seed)
        self._length = length
        oldest = -BEFORE - HISTORY_SECONDS
        of_candidate, of_stable = (worlds, traffic.pods), (worlds, traffic.stable_pods)
        weight = traffic.weight / 100

        worked = np.full(of_stable, oldest - WORKED)
        # of pods that are gone when the rollout starts only sums count
        stable = self._slots(worked, traffic.rate, replace(traffic, routes=1) if traffic.fresh else traffic)
        told = stable.scrape(np.full(of_stable, oldest), -BEFORE, BLOCK_SECONDS)
        self.history = Scrapes(*told, worked[..., None])
        started, first = worked, -BEFORE + self._offsets(of_stable)
        if traffic.fresh:
            started = self._random.uniform(*FRESH, of_stable)
            serving = started + self._random.uniform(*READY, of_stable)
            stable, first = self._slots(serving, traffic.rate, traffic), serving + self._offsets(of_stable)
        stable.rate *= 1 - weight
        self.stable = self._scrapes(stable, started, first)

        started = self._random.uniform(0, DOWN, of_candidate)
        second = started + DOWN + self._offsets(of_candidate) + traffic.interval
        candidate = self._slots(second + 1.0, traffic.rate * weight, traffic)  # weight once two scrapes have seen it
        candidate.share *= traffic.factor
        self.candidate = self._scrapes(candidate, started, second + traffic.interval)
        self.slots: Mapping[Arm, Slots] = {"candidate": candidate, "stable": stable}

    def _slots(self, serving: Floats, rate: float, traffic: ScrapedTraffic) -> Slots:
        return Slots(self._random, traffic, serving, rate / serving.shape[1], self._length)

    def _offsets(self, shape: tuple[int, ...]) -> Floats:
        return self._random.uniform(0, self.traffic.interval, shape)

    def _scrapes(self, slots: Slots, started: Floats, first: Floats) -> Scrapes:
        told = slots.scrape(first, self._length, self.traffic.interval)
        later = slots.replaced - self._random.uniform(*READY, slots.replaced.shape)
        return Scrapes(*told, np.concatenate([started[..., None], later], axis=-1))
