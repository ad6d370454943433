"""A check that compares with stable: both arms are read together, and stable's past decides how much noise is usual."""

from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import numpy as np
import pytest

from sluice.api.v1alpha1 import Check, RateCheck, VersusStable
from sluice.core.analysis.exposure import failed_requests
from sluice.core.analysis.history import past_of
from sluice.core.metrics import MetricPreset, Series
from sluice.ports import ProviderError, QueryError


def an_hour_of_stable(world: Any, losses: float = 36) -> None:
    """What the store tells of the hour before: 31 points, 1% losses."""

    def told(promql: str, at: float) -> tuple[Series, ...]:
        times = [at - 3600 + 120 * k for k in range(31)]
        labels = {"pod": world.stable_pod, "job": "pods", "instance": "s"}
        good = tuple((t, 3600.0 * k) for k, t in enumerate(times))
        bad = tuple((t, losses * k) for k, t in enumerate(times))
        return Series(labels | {"code": "200"}, good), Series(labels | {"code": "500"}, bad)

    world.store.value = told


def both(world: Any, until: int, failing: float, stable_failing: float = 0.01) -> None:
    """Scrapes each 2 s: 20 requests/s to the candidate, 180 to stable, which is older than the rollout."""
    random = np.random.default_rng(3)
    bad, stable_bad = 0, 500
    world.store.scrape(-10, ok=90_000, failed=500, pod=world.stable_pod)
    for second in range(2, until, 2):
        bad += int(random.binomial(40, failing))
        stable_bad += int(random.binomial(360, stable_failing))
        world.store.scrape(second, ok=20 * second - bad, failed=bad)
        world.store.scrape(second + 0.7, ok=90_000 + 180 * second, failed=stable_bad, pod=world.stable_pod)


async def test_a_candidate_that_fails_more_than_stable_fails(world: Any) -> None:
    an_hour_of_stable(world)
    both(world, 60, failing=0.5)
    world.poller.track("flights", world.subject(world.versus))
    await world.run(30)
    [errors] = world.observe().checks
    assert errors.verdict == "Fail"
    assert "requests failed" in errors.message
    assert ", stable " in errors.message
    assert errors.message.endswith("at most 1.1 times that + 0.05% allowed")


async def test_it_overtakes_everything_that_can_wait(world: Any) -> None:
    an_hour_of_stable(world)
    both(world, 60, failing=0.5)
    world.poller.track("flights", world.subject(world.versus))
    await world.run(1)
    assert world.hurried == []
    await world.run(30)
    assert world.hurried


async def test_an_hour_that_is_bad_for_both_is_no_evidence(world: Any) -> None:
    """30% failing in both arms: an upstream is down. A maximum would have rolled back."""
    an_hour_of_stable(world)
    both(world, 300, failing=0.3, stable_failing=0.3)
    world.poller.track("flights", world.subject(world.versus))
    await world.run(300)
    assert world.verdicts() == ["Undecided"]


async def test_half_of_the_stake_is_on_each_of_two_kinds_of_evidence(world: Any) -> None:
    both_kinds = Check(
        name="errors", type="Rate", rate=RateCheck(max=Decimal("0.5"), versus_stable=VersusStable(ratio=Decimal("1.5")))
    )
    an_hour_of_stable(world)
    both(world, 100, failing=0.01)
    world.poller.track("flights", world.subject(both_kinds))
    await world.run(50)
    [errors] = world.observe().checks
    assert errors.verdict == "Undecided"
    assert errors.message.endswith("at most 1.5 times that + 0.05% and 50% allowed")


async def test_nothing_is_decided_before_stables_past_is_known(world: Any) -> None:
    """Without it the same history would give other numbers after a restart."""
    an_hour_of_stable(world)
    both(world, 60, failing=0.5)
    world.store.error = lambda promql: ProviderError("busy") if ":120s]" in promql else None
    world.poller.track("flights", world.subject(world.versus))
    await world.run(30)
    assert world.verdicts() == ["ProviderError"]
    assert world.observe().problem == "busy"
    assert not world.observe().seen
    assert not world.observe().caught_up
    world.store.error = lambda promql: None
    await world.run(31)
    assert world.verdicts() == ["Fail"]


async def test_a_store_that_refuses_to_tell_the_past_leaves_the_noise_unknown(world: Any) -> None:
    an_hour_of_stable(world)
    both(world, 60, failing=0.5)
    world.store.error = lambda promql: QueryError("no subqueries") if ":120s]" in promql else None
    world.poller.track("flights", world.subject(world.versus))
    await world.run(40)
    assert world.observe().caught_up
    assert world.verdicts() == ["Fail"]


@pytest.mark.no_cover
async def test_a_restarted_operator_comes_to_the_same_numbers(world: Any) -> None:
    an_hour_of_stable(world)
    both(world, 600, failing=0.012)
    subject = world.subject(world.versus, world.latency)
    world.poller.track("flights", subject)
    await world.run(500)
    restarted = world.new_poller()
    restarted.track("flights", subject)
    await restarted.poll_once()
    assert world.observe(poller=restarted) == world.observe()


async def test_a_stable_that_nobody_sees_is_no_data(world: Any) -> None:
    an_hour_of_stable(world)
    for second in range(2, 30, 2):
        world.store.scrape(second, ok=second)
    world.poller.track("flights", world.subject(world.versus))
    await world.run(20)
    [errors] = world.observe().checks
    assert errors.verdict == "NoData"
    assert "stable (flights-6f9c41d2)" in errors.message


async def test_a_stable_that_counts_nothing_is_no_data(world: Any) -> None:
    """It is scraped, but its server keeps the numbers under another name: nothing is compared, and nothing passes."""
    an_hour_of_stable(world)
    for second in range(2, 40, 2):
        world.store.scrape(second, ok=10 * second, failed=10 * second)
        world.store.put("up", second, 1, world.stable_pod)
    world.poller.track("flights", world.subject(world.versus))
    await world.run(10)
    assert world.verdicts() == ["Undecided"]
    await world.run(30)
    [errors] = world.observe().checks
    assert (errors.verdict, errors.lacks_stable) == ("NoData", True)
    assert (
        errors.message
        == "stable (flights-6f9c41d2) has counted no request in http_requests_total: there is nothing to compare with"
    )


async def test_a_stable_of_another_runtime_is_read_where_it_keeps_its_numbers(world: Any) -> None:
    old = MetricPreset(requests="old_requests", code_label="status", failure_pattern="bad", latency="old_seconds")
    an_hour_of_stable(world)
    for second in range(2, 60, 2):
        world.store.scrape(second, ok=10 * second, failed=10 * second)
        world.store.put("up", second + 0.7, 1, world.stable_pod)
        world.store.put("old_requests", second + 0.7, 180 * second, world.stable_pod, status="good")
    world.poller.track("flights", world.subject(world.versus, stable_preset=old))
    await world.run(30)
    [errors] = world.observe().checks
    assert errors.verdict == "Fail"
    assert ", stable 0 of " in errors.message


@pytest.mark.parametrize("known", [True, False])
async def test_the_past_of_a_stable_that_comes_into_sight_late_does_not_count(world: Any, known: bool) -> None:
    """Prometheus was away when the rollout began. Stable served millions well; both arms fail 5% now."""
    an_hour_of_stable(world)
    random = np.random.default_rng(3)
    bad, stable_bad = 0, 8000
    for second in range(30, 200, 2):
        bad, stable_bad = bad + int(random.binomial(40, 0.05)), stable_bad + int(random.binomial(360, 0.05))
        world.store.scrape(second, ok=20 * second - bad, failed=bad)
        world.store.scrape(second + 0.7, ok=8_000_000 + 180 * second, failed=stable_bad, pod=world.stable_pod)
    world.stable_pods = {world.stable_pod: world.start - timedelta(days=3)} if known else {}
    world.poller.track("flights", world.subject(world.versus))
    world.observe()
    await world.run(190)
    assert world.verdicts() == ["Undecided"]


async def test_stable_is_not_counted_as_the_candidates_requests(world: Any) -> None:
    an_hour_of_stable(world)
    both(world, 20, failing=0.0)
    world.poller.track("flights", world.subject(world.versus))
    await world.run(19)
    assert world.observe().requests == 20 * 18
    assert world.observe().seen == {world.pod}


async def test_without_a_comparison_stable_is_not_even_asked_for(world: Any) -> None:
    world.poller.track("flights", world.subject(world.errors))
    await world.poller.poll_once()
    assert all("6f9c41d2" not in promql for promql, _ in world.store.asked)
    assert all(":120s]" not in promql for promql, _ in world.store.asked)


@pytest.mark.parametrize("resets", [False, True])
def test_the_past_is_counted_by_pod_and_block(world: Any, resets: bool) -> None:
    def series(pod: str, code: str, values: list[float]) -> Series:
        points = tuple((120.0 * k, value) for k, value in enumerate(values))
        return Series({"pod": pod, "code": code, "job": "j", "instance": pod}, points)

    after = 15.0 if resets else 115.0
    answer = [series("a", "200", [0, 100, after]), series("a", "500", [0, 2, 2]), series("b", "200", [50, 60, 80])]
    past = past_of(partial(failed_requests, world.preset), 1, answer)
    assert past.requests.tolist() == [[102, 15], [10, 20]]
    assert past.losses[..., 0].tolist() == [[2, 0], [0, 0]]
    assert past.seconds == 240
