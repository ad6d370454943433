"""What is simulated, as a table: a new case is one row. Rows for false alarms and for power use the same settings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from sluice.api.v1alpha1 import DEFAULT_CHECKS
from sluice.core.analysis.latency import tolerated_slowdown
from sluice.core.analysis.sharing import limits_of
from sluice.core.forecast.latencies import LatencyTraffic
from sluice.core.forecast.worlds import Leg, Traffic, daily, ramp
from sluice_dev.decisions.scraped import ScrapedTraffic
from sluice_dev.decisions.slices import SlicedTraffic


def rollout(
    rate: float,
    base: float,
    weights: tuple[int, ...] = (10,),
    step_seconds: float = 120.0,
    pods: tuple[int, int] = (1, 3),
    poll: float = 5.0,
    **more: Any,
) -> Traffic:
    """Traffic with these weights, each for step_seconds, and this many pods of the candidate and of stable."""
    legs = tuple(Leg(weight, step_seconds, pods[0], poll) for weight in weights)
    return Traffic(rate, base, legs, stable_pods=pods[1], **more)


RESTARTS: Final = ScrapedTraffic(200, 0.01, interval=30, restart=600)
"""Pods that are scraped each 30 s and restart each 10 min."""


def births(rate: float, weight: int) -> ScrapedTraffic:
    """Pods that count 20 routes each, are new, and new again each 10 min."""
    return ScrapedTraffic(rate, 0.01, weight, interval=30, replaced=600, fresh=True, routes=20)


HOURS: Final = 3600.0
ALONE: Final = 100.0
"""e-value at which a check that has all of alpha = 1% to itself fails."""
LIMITS: Final = limits_of(DEFAULT_CHECKS, 0.01)
"""The same for the checks of a ModelDeployment that names none: errors and latency beside each other."""
SHARED: Final = LIMITS["errors"]

Question = Literal["false", "found", "bad", "soon", "certified", "certified-worse"]
"""false: share of rollouts that fail. found: the same, wanted large. bad: median losses of the candidate until then.
soon: median seconds until then. certified: median minutes until it is certified. certified-worse: share that is
certified although at the margin."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One case. limit: what the figure is held against: a most, for `found` a least. at: e-value that decides."""

    name: str
    traffic: Traffic | LatencyTraffic | ScrapedTraffic | SlicedTraffic
    length: float
    question: Question
    limit: float
    at: float = SHARED


def _false(name: str, traffic: Traffic | ScrapedTraffic) -> Cell:
    return Cell(name, traffic, 6 * HOURS, "false", 0.0135, ALONE)


FALSE_ALARMS: Final[tuple[Cell, ...]] = (
    *(_false(f"base {base:.1%}, 200/s, 10%", rollout(200, base)) for base in (0.001, 0.01, 0.05)),
    *(_false(f"base {base:.1%}, 5/s, 10%", rollout(5, base)) for base in (0.001, 0.01, 0.05)),
    *(_false(f"base {base:.1%}, 500/s, 10%", rollout(500, base)) for base in (0.001, 0.01, 0.05)),
    *(_false(f"base 1.0%, 200/s, {weight}%", rollout(200, 0.01, (weight,))) for weight in (1, 5, 25, 50)),
    *(_false(f"base 1.0%, 200/s, polls of {poll:g} s", rollout(200, 0.01, poll=poll)) for poll in (1, 15, 60)),
    *(_false(f"base {base:.1%}, losses in threes", rollout(200, base, burst=3)) for base in (0.01, 0.05)),
    *(_false(f"base {base:.1%}, daily swing", rollout(200, base, course=daily)) for base in (0.01, 0.05)),
    *(_false(f"base {base:.1%}, threefold in an hour", rollout(200, base, course=ramp)) for base in (0.01, 0.05)),
    _false("base 1.0%, ramp of weights", rollout(200, 0.01, (1, 5, 25, 50), step_seconds=600)),
    _false("base 1.0%, ramp of weights and base", rollout(200, 0.01, (1, 5, 25, 50), step_seconds=600, course=ramp)),
    _false("base 1.0%, pods restart each 10 min", RESTARTS),
    _false("base 1.0%, cold pods each 20 min", ScrapedTraffic(200, 0.01, interval=30, replaced=1200)),
)
"""26 cells: pods of one revision 20% apart, one candidate pod against three, phi from an hour of history. The last two
are read from the pods' own counters."""


BIRTHS: Final = tuple(
    Cell(
        f"20-fold births, fresh pods, base 1.0%, {rate}/s, {weight}%",
        births(rate, weight),
        HOURS / 2,
        "false",
        0.006,
        ALONE,
    )
    for rate, weight in ((200, 10), (20, 50))
)
"""Each pod begins up to 40 series. At 20 requests/s one of failures is often born with the only one that it counts."""

POWER: Final[tuple[Cell, ...]] = (
    Cell("50% failing, polls of 5 s", rollout(200, 0.01, failing=0.5, spread=0.0), 600, "bad", 60),
    Cell("50% failing, polls of 2 s", rollout(200, 0.01, failing=0.5, spread=0.0, poll=2), 600, "bad", 40),
    Cell("50% failing, polls of 1 s", rollout(200, 0.01, failing=0.5, spread=0.0, poll=1), 600, "bad", 40),
    Cell("50% failing, noisy pods", rollout(200, 0.01, failing=0.5), 600, "bad", 120),
    Cell("base 1% x5", rollout(200, 0.01, factor=5, spread=0.0), 1800, "bad", 30),
    Cell("base 1% x5, noisy pods", rollout(200, 0.01, factor=5), 1800, "bad", 70),
    Cell("base 1% x3", rollout(200, 0.01, factor=3), 1800, "found", 0.95),
    Cell("base 1% x2, 1 against 3 pods", rollout(200, 0.01, factor=2), 1800, "found", 0.41),
    Cell("base 1% x2, 5 against 15 pods", rollout(200, 0.01, factor=2, pods=(5, 15)), 1800, "found", 0.98),
    Cell("base 1% x5, pods restart each 10 min", replace(RESTARTS, factor=5), 1800, "found", 0.99),
    Cell("base 1% x5, 20-fold births, fresh pods", replace(births(200, 10), factor=5), 1800, "found", 0.99),
    *(
        Cell(
            f"healthy, {rate}/s, steps of 1, 5, 25, 50%",
            rollout(rate, 0.01, (1, 5, 25, 50), spread=0.0),
            1 * HOURS,
            "certified",
            minutes,
        )
        for rate, minutes in ((200, 10), (20, 30), (5, 30))
    ),
    *(
        Cell(
            f"at the margin, {rate}/s, steps of 1, 5, 25, 50%",
            rollout(rate, 0.01, (1, 5, 25, 50), spread=0.0),
            1 * HOURS,
            "certified-worse",
            0.05,
        )
        for rate in (200, 20)
    ),
)
"""Each at the errors' own share of alpha beside other checks."""

MEDIUM: Final = (0.06, 0.5)
"""Median in seconds and sigma of a service's lognormal latency."""
WIDE: Final = (0.02, 0.8)
STEPS: Final = (1, 5, 25, 50)


def service(
    shape: tuple[float, float], pods: tuple[int, int] = (1, 3), weights: tuple[int, ...] = (10,), **more: Any
) -> LatencyTraffic:
    """200 requests/s, pods 5% apart, polls of 5 s."""
    legs = tuple(Leg(weight, 120.0, pods[0], 5.0) for weight in weights)
    return LatencyTraffic(200, *shape, legs, stable_pods=pods[1], **more)


def _slower(name: str, traffic: LatencyTraffic, seconds: float, least: float) -> tuple[Cell, Cell]:
    at = LIMITS["latency"]
    return (
        Cell(f"{name}: how often", traffic, 1800, "found", least, at),
        Cell(f"{name}: how soon", traffic, 1800, "soon", seconds, at),
    )


LATENCY_FALSE_ALARMS: Final = (
    *(
        Cell(f"latency, sigma {shape[1]:g}, {hours:g} h", service(shape), hours * HOURS, "false", 0.0135, ALONE)
        for shape in (MEDIUM, WIDE)
        for hours in (0.5, 6)
    ),
    Cell("latency, sigma 0.5, ramp of weights", service(MEDIUM, weights=(1, 5, 25, 50)), HOURS, "false", 0.0135, ALONE),
    Cell("latency, sigma 0.5, daily swing", service(MEDIUM, course=daily), HOURS, "false", 0.0135, ALONE),
)
"""Pods of one revision 5% apart."""

LATENCY_POWER: Final = (
    *_slower("twice as long, sigma 0.5", service(MEDIUM, slowdown=2), 5, 0.99),
    *_slower("+50%, sigma 0.5", service(MEDIUM, slowdown=1.5), 20, 0.99),
    *_slower("+50%, sigma 0.8", service(WIDE, slowdown=1.5), 20, 0.99),
    *_slower("+30%, sigma 0.5", service(MEDIUM, slowdown=1.3), 85, 0.9),
    *_slower("+30%, sigma 0.8", service(WIDE, slowdown=1.3), 85, 0.9),
    Cell("+20%, sigma 0.5", service(MEDIUM, slowdown=1.2), 1800, "found", 0.59, LIMITS["latency"]),
    *_slower("+20%, sigma 0.5, 2 against 6 pods", service(MEDIUM, (2, 6), slowdown=1.2), 60, 0.92),
    *_slower("+20%, sigma 0.5, 5 against 15 pods", service(MEDIUM, (5, 15), slowdown=1.2), 25, 0.99),
    *_slower("2% ten times as long, sigma 0.5", service(MEDIUM, slowdown=10, share=0.02), 35, 0.99),
    *_slower("2% ten times as long, sigma 0.8", service(WIDE, slowdown=10, share=0.02), 215, 0.9),
    *(
        Cell(
            f"as fast, sigma {shape[1]:g}, steps of 1, 5, 25, 50%",
            service(shape, weights=STEPS),
            HOURS,
            "certified",
            10,
        )
        for shape in (MEDIUM, WIDE)
    ),
    *(
        Cell(
            f"as slow as is tolerated, sigma {shape[1]:g}, steps of 1, 5, 25, 50%",
            service(shape, weights=STEPS, slowdown=tolerated_slowdown(1, 3), spread=0.0),
            HOURS / 2,
            "certified-worse",
            0.05,
        )
        for shape in (MEDIUM, WIDE)
    ),
)
"""At latency's share of alpha, with the default checks. All pods are warm."""

_BAD: Final = 0.1
_SLICE: Final = "one bad slice in 20"

SLICES: Final = (
    Cell(f"{_SLICE}, base 0.45%", SlicedTraffic(200, 0.0045, _BAD, spread=0.0, pod_spread=0.0), HOURS / 2, "soon", 100),
    Cell(
        f"{_SLICE}, base 0.45%, by all requests together",
        SlicedTraffic(200, 0.0045, _BAD, told=False, spread=0.0, pod_spread=0.0),
        HOURS / 2,
        "soon",
        600,
    ),
    Cell(f"{_SLICE}, base 1.0%, noisy pods: how often", SlicedTraffic(200, 0.01, _BAD), HOURS / 2, "found", 0.99),
    Cell(f"{_SLICE}, base 1.0%, noisy pods: how soon", SlicedTraffic(200, 0.01, _BAD), HOURS / 2, "soon", 240),
)
"""At the errors' own share of alpha. With a base of 0.45% all requests together take about 400 s.
At 1% a check that looks at no slices finds one in 15 rollouts."""

SLICE_FALSE_ALARMS: Final = (
    Cell("20 slices, base 0.45%", SlicedTraffic(200, 0.0045, spread=0.0, pod_spread=0.0), HOURS / 2, "false", 0.0135),
    Cell("20 slices, base 1.0%, noisy pods", SlicedTraffic(200, 0.01, poll=15), 6 * HOURS, "false", 0.0135),
)
"""The same with nothing wrong."""

CELLS: Final = (
    *FALSE_ALARMS,
    *BIRTHS,
    *POWER,
    *SLICE_FALSE_ALARMS,
    *SLICES,
    *LATENCY_FALSE_ALARMS,
    *LATENCY_POWER,
)
WHOLE: Final = (*FALSE_ALARMS, *BIRTHS, *SLICE_FALSE_ALARMS)
"""Those of which 10,000 rollouts are played: a histogram costs more than one share."""
