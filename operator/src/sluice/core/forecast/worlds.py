"""Simulated rollouts: what both arms do in each poll. Arrays of shape (worlds,), one world per rollout."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from math import pi, sin
from typing import Any

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float64]]
Course = Callable[[float], float]
"""Seconds since the rollout's start -> factor on stable's share of losses."""


def steady(_: float) -> float:
    """The base does not change."""
    return 1.0


def daily(seconds: float) -> float:
    """A day of 24 h between half and one and a half of the base."""
    return 1 + 0.5 * sin(2 * pi * seconds / 86_400)


def ramp(seconds: float) -> float:
    """Threefold within the first hour."""
    return 1 + 2 * min(seconds / 3600, 1)


@dataclass(frozen=True, slots=True)
class Leg:
    """A stretch of a rollout: `seconds` with the candidate at `weight` percent, served by `pods` of it.

    poll: seconds between two looks.
    """

    weight: int
    seconds: float
    pods: int = 1
    poll: float = 5.0


def largest_weight(legs: Sequence[Leg]) -> float:
    """The largest share of the requests that the candidate gets, 0..1."""
    return max(leg.weight for leg in legs) / 100


def leg_at(legs: Sequence[Leg], seconds: float) -> int:
    """Number of the leg at this time since the start; the last one never ends."""
    for number, leg in enumerate(legs[:-1]):
        seconds -= leg.seconds
        if seconds < 0:
            return number
    return len(legs) - 1


@dataclass(frozen=True, slots=True)
class Traffic:
    """What a rollout looks like.

    rate: requests/s of both arms together. base: stable's share of losses. legs: in order; the last goes on for ever.
    factor: the candidate's share as a multiple of stable's. failing: the candidate's share itself, instead.
    stable_pods: pods of stable. spread: standard deviation of the logarithm by which the shares of two pods of one
    revision differ. burst: losses come in groups of so many.
    """

    rate: float
    base: float
    legs: tuple[Leg, ...]
    stable_pods: int = 3
    factor: float = 1.0
    failing: float | None = None
    spread: float = 0.2
    burst: int = 1
    course: Course = field(default=steady)

    @property
    def length(self) -> float:
        """Seconds of all legs together."""
        return sum(leg.seconds for leg in self.legs)

    @property
    def most(self) -> float:
        """The largest share of the requests that the candidate gets, 0..1."""
        return largest_weight(self.legs)

    def leg(self, seconds: float) -> int:
        """Number of the leg at this time since the start."""
        return leg_at(self.legs, seconds)


@dataclass(frozen=True, slots=True)
class Poll:
    """Counts of one poll, each (worlds,): requests and losses of the candidate (1) and of stable (0).

    begin, seconds: since the start, its beginning and its end. leg: number of the leg that it is in.
    """

    begin: float
    seconds: float
    leg: int
    n1: Floats
    x1: Floats
    n0: Floats
    x0: Floats


class Rollouts:
    """`worlds` rollouts of one kind. Each has its own pods, whose shares of losses differ a little for good.

    candidate, stable: the factor on each pod's share, (worlds, pods), with mean 1.
    """

    def __init__(self, traffic: Traffic, worlds: int, seed: int) -> None:
        self.traffic = traffic
        self.worlds = worlds
        self._random = np.random.default_rng(seed)
        self.candidate = self._factors(max(leg.pods for leg in traffic.legs))
        self.stable = self._factors(traffic.stable_pods)

    def _factors(self, pods: int) -> Floats:
        """(worlds, pods), each with mean 1."""
        s = self.traffic.spread
        return np.exp(self._random.normal(-(s**2) / 2, s, (self.worlds, pods)))

    def history(self, blocks: int = 30, seconds: float = 120.0) -> tuple[Floats, Floats]:
        """(requests, losses) of stable's pods in the hour before, each (worlds, pods, blocks)."""
        pods = self.traffic.stable_pods
        shape = (self.worlds, pods, blocks)
        requests = self._random.poisson(self.traffic.rate * seconds / pods, shape).astype(float)
        return requests, self._losses(requests, self.traffic.base * self.stable[..., None])

    def polls(self, length: float) -> Iterator[Poll]:
        """`length` seconds, poll by poll."""
        t, seconds = self.traffic, 0.0
        while seconds < length:
            number = t.leg(seconds)
            leg, base = t.legs[number], t.base * t.course(seconds)
            weight = leg.weight / 100
            share = t.failing if t.failing is not None else base * t.factor
            n1, x1 = self._arm(t.rate * weight * leg.poll, share, self.candidate[:, : leg.pods])
            n0, x0 = self._arm(t.rate * (1 - weight) * leg.poll, base, self.stable)
            yield Poll(seconds, seconds + leg.poll, number, n1, x1, n0, x0)
            seconds += leg.poll

    def _arm(self, mean: float, share: float, factors: Floats) -> tuple[Floats, Floats]:
        pods = factors.shape[-1]
        requests = self._random.poisson(mean / pods, factors.shape).astype(float)
        losses = self._losses(requests, share * factors)
        return requests.sum(axis=-1), losses.sum(axis=-1)

    def _losses(self, requests: Floats, share: Floats) -> Floats:
        burst = self.traffic.burst
        if burst == 1:
            return self._random.binomial(requests.astype(np.int64), np.minimum(share, 1.0)).astype(float)
        return np.minimum(requests, burst * self._random.poisson(requests * share / burst))
