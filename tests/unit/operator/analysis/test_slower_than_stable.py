"""A check that compares latencies with stable's, from the histograms in the store to the verdict."""

import re
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from scipy.special import ndtr

from sluice.api.v1alpha1 import Check, LatencyCheck, SlowerThanStable
from sluice.core.analysis.judge import Judge
from sluice.core.metrics import LATENCY_BOUNDS, MetricPreset, Series

VERSUS = Check(name="latency", type="Latency", latency=LatencyCheck(versus_stable=SlowerThanStable()))
HISTOGRAM = "http_request_duration_seconds_bucket"
MEDIAN, SIGMA = 0.06, 0.5
IN_SECONDS = MetricPreset(requests="http_requests_total", latency=HISTOGRAM.removesuffix("_bucket"))
IN_MILLISECONDS = MetricPreset(requests="http_requests_total", latency="latency_ms", latency_unit="ms")


class Server:
    """A pod whose answers are lognormal, 60 ms in the middle times its slow-down."""

    def __init__(
        self, world: Any, pod: str, rate: float, slowdown: float, seed: int, preset: MetricPreset = IN_SECONDS
    ) -> None:
        self.world, self.pod, self.rate, self.preset = world, pod, rate, preset
        reached = 1 - ndtr((np.log(LATENCY_BOUNDS) - np.log(MEDIAN * slowdown)) / SIGMA)
        self.parts = -np.diff(np.concatenate([[1.0], reached, [0.0]]))
        self.random = np.random.default_rng(seed)
        self.buckets = np.zeros(len(self.parts))

    def work(self, seconds: float) -> None:
        self.buckets += self.random.poisson(self.rate * seconds * self.parts)

    def scrape(self, at: float) -> None:
        """Of all its metrics."""
        put, every = self.world.store.put, float(self.buckets.sum())
        put("up", at, 1, self.pod)
        put("http_requests_total", at, every, self.pod, code="200")
        for bound, count in zip((*LATENCY_BOUNDS, np.inf), np.cumsum(self.buckets), strict=True):
            le = "+Inf" if np.isinf(bound) else str(self.preset.le_of(float(bound)))
            put(f"{self.preset.latency}_bucket", at, float(count), self.pod, le=le)


def both(
    world: Any,
    until: float,
    slowdown: float,
    history: float = 520,
    rates: tuple[float, float] = (20, 60),
    preset: MetricPreset = IN_SECONDS,
) -> None:
    """Scrapes of the candidate and of three pods of stable, each 2 s, for `history` before each 10 s. rates: requests/s
    of the candidate and of each pod of stable."""
    stable = [Server(world, f"{world.stable_pod[:-1]}{k}", rates[1], 1.0, 1 + k) for k in range(3)]
    candidate = Server(world, world.pod, rates[0], slowdown, 10, preset)
    for second in (*np.arange(-history, 0, 10), *np.arange(0, until, 2)):
        for k, server in enumerate(stable):
            server.work(2 if second >= 0 else 10)
            server.scrape(second + 0.4 * k)
        if second > 0:
            candidate.work(2)
            candidate.scrape(second + 1.3)


def an_hour(world: Any) -> None:
    """What the store tells of the hour before: a p95 between the bounds 0.1 and 0.15 s."""
    server = Server(world, world.stable_pod, 180, 1.0, 5)
    shape = np.cumsum(server.parts)
    random = np.random.default_rng(7)

    def told(promql: str, at: float) -> tuple[Series, ...]:
        assert promql.startswith(HISTOGRAM)
        assert "le=~" in promql
        found = []
        for pod in ("a", "b"):
            counted = np.cumsum(random.poisson(10_000, 31))
            labels = {"pod": pod, "job": "pods", "instance": pod}
            for bound, part in zip((*LATENCY_BOUNDS, np.inf), shape, strict=True):
                points = tuple((at - 3600 + 120 * k, float(round(n * part))) for k, n in enumerate(counted))
                found.append(Series(labels | {"le": "+Inf" if np.isinf(bound) else str(bound)}, points))
        return tuple(found)

    world.store.value = told


async def test_a_candidate_that_takes_half_as_long_again_fails_soon_after_it_is_warm(world: Any) -> None:
    an_hour(world)
    both(world, 90, slowdown=1.5)
    world.poller.track("flights", world.subject(VERSUS))
    await world.run(32)
    assert world.verdicts() == ["Undecided"]
    await world.run(62)
    [latency] = world.observe().checks
    assert latency.verdict == "Fail"
    assert " requests were slower than 100ms (41.5" in latency.message
    assert latency.message.endswith("(15.59%): 2.7 times as often, at most 1.05 times as slow allowed")
    assert world.hurried


async def test_one_that_is_as_fast_is_certified(world: Any) -> None:
    an_hour(world)
    both(world, 100, slowdown=1.0, rates=(300, 100))
    world.poller.track("flights", world.subject(VERSUS))
    await world.run(35)
    assert world.verdicts() == ["Undecided"]
    await world.run(95)
    assert world.verdicts() == ["Certified"]
    assert "were slower than 150ms" in world.observe().checks[0].message


async def test_a_candidate_whose_histogram_is_in_milliseconds_is_compared_at_the_same_bounds(world: Any) -> None:
    """Stable's is in seconds. Each is asked for in its own unit, and what is told is in seconds."""
    an_hour(world)
    both(world, 90, slowdown=1.5, preset=IN_MILLISECONDS)
    subject = world.subject(VERSUS, preset=IN_MILLISECONDS, stable_preset=IN_SECONDS)
    asked = {question.metric: question.bounds for question in Judge(subject, joined=0).questions()}
    assert asked["latency_ms_bucket"] == (*(1000 * bound for bound in LATENCY_BOUNDS), np.inf)
    assert asked[HISTOGRAM] == (*LATENCY_BOUNDS, np.inf)
    world.poller.track("flights", subject)
    await world.run(62)
    [latency] = world.observe().checks
    assert latency.verdict == "Fail"
    assert " requests were slower than 100ms (41.5" in latency.message


async def test_an_objective_of_a_histogram_in_milliseconds_is_a_time(world: Any) -> None:
    check = Check(name="latency", type="Latency", latency=LatencyCheck(slo="250ms", max_share_above=Decimal("0.05")))
    both(world, 90, slowdown=4, preset=IN_MILLISECONDS)
    world.poller.track("flights", world.subject(check, preset=IN_MILLISECONDS))
    await world.run(80)
    [latency] = world.observe().checks
    assert latency.verdict == "Fail"
    assert " requests were slower than 250ms (4" in latency.message
    odd = check.model_copy(update={"latency": LatencyCheck(slo="300ms")})
    [unknown] = Judge(world.subject(odd, preset=IN_MILLISECONDS), joined=0).observe(world.start, {}, world.start).checks
    assert unknown.message == (
        'latency_ms has no bucket le="300"; the nearest are 0.25s and 0.35s: set latency.slo to one'
    )


@pytest.mark.no_cover
async def test_a_restarted_operator_comes_to_the_same_numbers(world: Any) -> None:
    an_hour(world)
    both(world, 130, slowdown=1.1)
    world.poller.track("flights", world.subject(VERSUS))
    await world.run(120)
    restarted = world.new_poller()
    restarted.track("flights", world.subject(VERSUS))
    an_hour(world)
    while not world.observe(poller=restarted).caught_up:
        await restarted.poll_once()
    assert world.observe(poller=restarted) == world.observe()


async def test_a_stable_that_is_young_must_be_known_first(world: Any) -> None:
    """Its first request was 210 s before the rollout; a candidate that is three times as slow cannot be told yet."""
    world.store.value = lambda promql, at: ()
    both(world, 160, slowdown=3.0, history=210)
    world.poller.track("flights", world.subject(VERSUS))
    await world.run(60)
    [latency] = world.observe().checks
    assert latency.verdict == "Undecided"
    assert re.fullmatch(r"stable has answered for 2[0-9]{2}s of the 300s that a comparison needs", latency.message)
    await world.run(155)
    assert world.verdicts() == ["Fail"]


async def test_all_of_stables_past_is_asked_for_in_one_poll(world: Any) -> None:
    """Errors and latency have metrics of their own; a second poll would keep the first weight waiting."""
    world.store.value = lambda promql, at: ()
    world.poller.track("flights", world.subject(world.versus, VERSUS))
    await world.poller.poll_once()
    asked = [promql.partition("{")[0] for promql, _ in world.store.asked if ":120s]" in promql]
    assert asked == ["http_requests_total", HISTOGRAM]
    assert any(promql.startswith("up{") for promql, _ in world.store.asked)


async def test_an_objective_and_a_comparison_share_the_stake(world: Any) -> None:
    check = VERSUS.model_copy(
        update={"latency": LatencyCheck(slo="250ms", max_share_above=Decimal("0.05"), versus_stable=SlowerThanStable())}
    )
    an_hour(world)
    both(world, 90, slowdown=1.5)
    world.poller.track("flights", world.subject(check))
    await world.run(80)
    [latency] = world.observe().checks
    assert latency.verdict == "Fail"
    assert " requests were slower than 250ms (" in latency.message
    assert "at most 5% allowed; " in latency.message


async def test_histograms_without_common_bounds_cannot_be_compared(world: Any) -> None:
    old = MetricPreset(requests="http_requests_total", latency="old_seconds", bounds=(0.03, 3.0))
    world.poller.track("flights", world.subject(VERSUS, stable_preset=old))
    await world.poller.poll_once()
    [latency] = world.observe().checks
    assert latency.verdict == "QueryError"
    assert latency.message == (
        "versusStable needs two bucket bounds that both revisions' histograms (http_request_duration_seconds and "
        "old_seconds) have, and the runtime table names none: state them in metrics.bounds"
    )


async def test_a_histogram_that_lacks_a_bound_of_the_table_is_said(world: Any) -> None:
    an_hour(world)
    for second in range(2, 60, 2):
        world.store.scrape(second, ok=20 * second)
        world.store.scrape(second + 0.5, ok=180 * second, pod=world.stable_pod)
    world.poller.track("flights", world.subject(VERSUS))
    await world.run(50)
    [latency] = world.observe().checks
    assert latency.verdict == "QueryError"
    assert latency.message == (
        'http_request_duration_seconds has no bucket le="0.001", though the runtime table says so: '
        "correct its metrics.bounds"
    )
