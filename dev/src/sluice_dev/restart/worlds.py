"""Random rollouts as a metrics store sees them: pods come and go, counters are reset, weights step, scrapes fail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

import numpy as np

from sluice.api.analysis import DEFAULT_CHECKS
from sluice.api.v1alpha1 import Check, LatencyCheck, PrometheusCheck, RateCheck, SlowerThanStable, VersusStable
from sluice.core.analysis.questions import UP, Subject
from sluice.core.metrics import LATENCY_BOUNDS, MetricPreset
from sluice_dev.restart.store import Clock, Store

START: Final = datetime(2026, 1, 5, 12, 0, 0, 700_000, tzinfo=UTC)
PAST: Final = 4000.0
"""Seconds of stable's answers before the rollout."""
CANDIDATE, STABLE = "8b21de07", "6f9c41d2"
ARMS: Final = {"candidate": CANDIDATE, "stable": STABLE}
BOUNDS: Final = (0.025, 0.05, 0.1, 0.25, 0.5)


@dataclass(frozen=True, slots=True)
class Pod:
    """born, gone: seconds since the rollout's start. resets: when its container starts anew. delay: seconds that its
    scrapes take."""

    name: str
    arm: str
    born: float
    gone: float
    resets: tuple[float, ...] = ()
    delay: float = 0.0


@dataclass(slots=True)
class World:
    """A rollout, and the store that watched it. pods: when each was created. late: some samples come out of order."""

    subject: Subject
    clock: Clock
    store: Store
    pods: dict[str, datetime]
    seconds: float
    late: bool = False


@dataclass(frozen=True, slots=True)
class Traffic:
    """rates: of each arm, requests/s by stretch; steps: where stretches begin. failing, slow: share of errors, and
    median time to answer (s), by arm."""

    steps: Sequence[float]
    rates: dict[str, Sequence[float]]
    failing: dict[str, float]
    slow: dict[str, float]


def random_world(seed: int) -> World:
    """The world of this seed: some minutes of a rollout."""
    random = np.random.default_rng(seed)
    seconds = float(random.integers(150, 700))
    steps = [-PAST, 0.0, *sorted(random.uniform(0, seconds, random.integers(0, 4)))]
    whole = float(random.choice([5.0, 40.0, 300.0]))
    weights = [0.0, *(float(random.choice([0.0, 0.05, 0.2, 0.5])) for _ in steps[1:])]
    nights = [float(random.random() > 0.1) for _ in steps]
    traffic = Traffic(
        steps,
        {
            "candidate": [whole * w * n for w, n in zip(weights, nights, strict=True)],
            "stable": [whole * (1 - w) * n for w, n in zip(weights, nights, strict=True)],
        },
        {"candidate": float(random.choice([0.0, 0.01, 0.03, 0.3])), "stable": float(random.choice([0.0, 0.01]))},
        {"candidate": float(random.choice([0.06, 0.066, 0.12])), "stable": 0.06},
    )
    late = random.random() < 0.3
    pods = [_pod(random, "stable", k, -PAST, seconds, late) for k in range(random.integers(1, 4))]
    for arm, most in (("candidate", 4), ("stable", 3)):
        for number in range(random.integers(1 if arm == "candidate" else 0, most)):
            born = float(random.uniform(-5, 20)) if not number else float(random.uniform(0, seconds))
            pods.append(_pod(random, arm, 10 + number, born, seconds, late))
    clock = Clock(START)
    store = Store(clock)
    preset = MetricPreset(requests="requests_total", latency="request_seconds", bounds=BOUNDS)
    _fill(store, preset, pods, traffic, float(random.choice([2.0, 5.0, 15.0])), random)
    subject = Subject("prod", "flights", CANDIDATE, STABLE, START, _checks(random), preset)
    return World(subject, clock, store, _created(pods), seconds, late)


def long_world(seconds: float, interval: float) -> World:
    """A rollout with the default checks, one pod against three, at 200 requests/s and 10%."""
    random = np.random.default_rng(1)
    pods = [Pod(_name("candidate", 0), "candidate", 0.0, seconds)]
    pods += [Pod(_name("stable", k), "stable", -PAST, seconds) for k in range(3)]
    rates: dict[str, Sequence[float]] = {"candidate": (0.0, 20.0), "stable": (200.0, 180.0)}
    traffic = Traffic((-PAST, 0.0), rates, dict.fromkeys(ARMS, 0.01), dict.fromkeys(ARMS, 0.06))
    clock = Clock(START)
    store = Store(clock)
    preset = MetricPreset(requests="requests_total", latency="request_seconds", bounds=LATENCY_BOUNDS)
    _fill(store, preset, pods, traffic, interval, random)
    subject = Subject("prod", "flights", CANDIDATE, STABLE, START, DEFAULT_CHECKS, preset)
    return World(subject, clock, store, _created(pods), seconds)


def _checks(random: np.random.Generator) -> tuple[Check, ...]:
    kinds = random.integers(0, 4, 2)
    warm_up = timedelta(seconds=int(random.choice([0, 30])))
    errors = RateCheck(
        max=Decimal("0.05") if kinds[0] else None, versus_stable=VersusStable() if kinds[0] != 1 else None
    )
    latency = LatencyCheck(
        slo=timedelta(milliseconds=250) if kinds[1] else None,
        max_share_above=Decimal("0.05"),
        versus_stable=SlowerThanStable() if kinds[1] != 1 else None,
        warm_up=warm_up,
    )
    plain = PrometheusCheck(
        query="clicks{$(candidate)}", min=Decimal("0.1"), failure_limit=3, interval=timedelta(seconds=20)
    )
    every = (
        Check(name="errors", type="Rate", rate=errors),
        Check(name="latency", type="Latency", latency=latency),
        Check(name="clicks", type="Prometheus", prometheus=plain),
    )
    return every[: int(random.integers(1, 4))] if random.random() < 0.5 else every


def _pod(random: np.random.Generator, arm: str, number: int, born: float, seconds: float, late: bool) -> Pod:
    gone = seconds if random.random() < 0.7 else float(random.uniform(max(born, 0.0), seconds))
    resets = tuple(sorted(random.uniform(max(born, 0.0), gone, random.choice([0, 0, 1, 2])).tolist()))
    return Pod(_name(arm, number), arm, born, gone, resets, float(random.choice([0.0, 0.2, 1.5])) if late else 0.0)


def _name(arm: str, number: int) -> str:
    return f"flights-{ARMS[arm]}-6d5f9c7b8d-{number:05d}"


def _created(pods: Sequence[Pod]) -> dict[str, datetime]:
    return {pod.name: START + timedelta(seconds=pod.born) for pod in pods}


def _fill(
    store: Store,
    preset: MetricPreset,
    pods: Sequence[Pod],
    traffic: Traffic,
    interval: float,
    random: np.random.Generator,
) -> None:
    """Scrapes of all pods, each at its own offset; one in a hundred fails."""
    for pod in pods:
        times = np.round(np.arange(pod.born + random.uniform(0, interval), pod.gone, interval), 3)
        stretch = np.searchsorted(np.asarray(traffic.steps), times, side="right") - 1
        together = sum(other.arm == pod.arm for other in pods)
        rate = np.asarray(traffic.rates[pod.arm])[stretch] / together
        reached = 1 / (1 + (np.asarray(preset.bounds) / traffic.slow[pod.arm]) ** -3.0)  # a log-logistic latency
        parts = np.diff([0.0, *reached, 1.0])
        done = random.poisson(rate[:, None] * interval * parts)
        failed = random.binomial(done.sum(axis=1), traffic.failing[pod.arm])
        counts = np.column_stack([np.cumsum(done, axis=1), done.sum(axis=1) - failed, failed]).astype(float)
        totals = np.cumsum(counts, axis=0)
        for reset in pod.resets:
            at = int(np.searchsorted(times, reset))
            if 0 < at < len(times):
                totals[at:] -= totals[at - 1].copy()
        well = random.random(len(times)) > 0.01
        labels = {"namespace": "prod", "pod": pod.name, "job": "pods", "instance": f"{pod.name}:8080"}
        moments = [round(START.timestamp() + t, 3) for t in times.tolist()]
        store.put(UP, labels, moments, well.astype(float), pod.delay)
        seen = [moment for moment, ok in zip(moments, well, strict=True) if ok]
        for k, bound in enumerate((*map(str, preset.bounds), "+Inf")):
            store.put(f"{preset.latency}_bucket", {**labels, "le": bound}, seen, totals[well, k], pod.delay)
        for k, code in enumerate(("200", "500")):
            column = totals[:, len(preset.bounds) + 1 + k]
            there = well & (np.maximum.accumulate(column) > 0)  # a code that never occurred has no series yet
            own = [moment for moment, ok in zip(moments, there, strict=True) if ok]
            store.put(preset.counters, {**labels, "code": code}, own, column[there], pod.delay)
