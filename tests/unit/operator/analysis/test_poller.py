"""Who is asked what and when: one query per metric for all, history in pieces, a loop that does not die."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sluice.api.v1alpha1 import Check, LatencyCheck
from sluice.core.analysis.judge import Judge
from sluice.core.metrics import Series
from sluice.ports import ProviderError, QueryError
from sluice.runtime.poller import PIECE, Poller


def metrics_asked(world: Any) -> list[str]:
    return [promql.partition("{")[0] for promql, _ in world.store.asked]


def test_what_is_not_watched_is_not_known(world: Any) -> None:
    assert not world.observe("nobody").caught_up
    world.poller.untrack("nobody")


async def test_forty_rollouts_are_one_query_per_metric_and_each_gets_its_own_samples(world: Any) -> None:
    for number in range(40):
        name = f"model-{number}"
        pod = f"{name}-8b21de07-6d5f9c7b8d-abcde"
        world.poller.track(name, world.subject(name=name, namespace=f"team-{number % 3}"))
        for second in (2, 4):
            world.store.scrape(second, ok=second * (number + 1), pod=pod, namespace=f"team-{number % 3}")
    world.clock.advance(5)
    await world.poller.poll_once()
    assert metrics_asked(world) == ["up", "http_requests_total", "http_request_duration_seconds_bucket"]
    for number in range(40):
        world.pods = {f"model-{number}-8b21de07-6d5f9c7b8d-abcde": world.start}
        assert world.observe(f"model-{number}").requests == 4 * (number + 1)


async def test_a_steady_poll_reads_a_short_window_and_an_outage_a_longer_one(world: Any) -> None:
    world.poller.track("flights", world.subject(world.errors))
    await world.run(3)
    assert world.store.asked[-1][0].endswith("[11s]")
    world.store.error = lambda promql: ProviderError("down")
    await world.run(63)
    world.store.error = lambda promql: None
    await world.run(64)
    assert world.store.asked[-1][0].endswith("[71s]")


async def test_a_long_history_is_read_in_pieces_and_no_moment_is_left_out(world: Any) -> None:
    for second in range(10, 3 * 3600, 30):
        world.store.scrape(second, ok=second)
    world.clock.advance(3 * 3600)
    world.poller.track("flights", world.subject(world.errors))
    await world.poller.poll_once()
    assert world.observe().caught_up
    assert world.observe().requests == 3 * 3600 - 20
    windows = [int(promql.rpartition("[")[2].removesuffix("s]")) for promql, _ in world.store.asked]
    assert max(windows) <= PIECE + 10


async def test_a_long_history_of_one_rollout_does_not_keep_the_others_waiting(world: Any) -> None:
    """Reading takes time here: 0.1 s a query. The poll stops after its budget and goes on with the next one."""
    world.clock.advance(24 * 3600)
    world.poller.track("old", world.subject(world.errors))
    world.poller.track("new", world.subject(world.errors, name="prices", started_at=world.clock.now()))
    world.store.error = lambda promql: world.clock.advance(0.1)
    await world.poller.poll_once()
    assert world.observe("new").caught_up
    assert not world.observe("old").caught_up
    assert len(world.store.asked) < 12
    for _ in range(200):
        await world.poller.poll_once()
    assert world.observe("old").caught_up


async def test_a_piece_that_fails_is_asked_again_in_the_next_poll(world: Any) -> None:
    for second in range(10, 3600, 30):
        world.store.scrape(second, ok=second)
    world.clock.advance(3600)
    world.poller.track("flights", world.subject(world.errors))
    world.store.error = lambda promql: ProviderError("busy") if len(world.store.asked) == 7 else None
    await world.poller.poll_once()
    assert not world.observe().caught_up
    await world.poller.poll_once()
    assert world.observe().caught_up
    assert world.observe().requests == 3600 - 20


async def test_a_rollout_is_woken_by_new_samples_and_only_by_them(world: Any) -> None:
    world.poller.track("flights", world.subject(world.errors))
    world.store.scrape(2, ok=1)
    await world.run(3)
    world.woken.clear()
    await world.run(5)
    assert world.woken == []
    world.store.scrape(6, ok=2)
    await world.run(7)
    assert set(world.woken) == {"flights"}


async def test_a_rollout_is_woken_once_when_sight_is_lost(world: Any) -> None:
    world.poller.track("flights", world.subject(world.errors))
    await world.run(3)
    world.woken.clear()
    world.store.error = lambda promql: ProviderError("down")
    await world.run(10)
    assert set(world.woken) == {"flights"}
    assert len(world.woken) <= 2


async def test_without_up_the_other_metrics_are_not_asked(world: Any) -> None:
    """A store that hangs costs one timeout a poll, not one per metric."""
    world.store.error = lambda promql: ProviderError("down")
    world.poller.track("flights", world.subject())
    await world.run(1)
    assert metrics_asked(world) == ["up"]
    world.clock.advance(30)
    assert world.verdicts() == ["ProviderError", "ProviderError"]


async def test_the_same_subject_keeps_its_evidence_and_another_one_starts_anew(world: Any) -> None:
    world.poller.track("flights", world.subject(world.errors))
    world.store.scrape(2, ok=5)
    await world.run(3)
    world.poller.track("flights", world.subject(world.errors))
    assert world.observe().requests == 5
    world.poller.track("flights", world.subject(world.errors, candidate="00000000"))
    assert not world.observe().caught_up
    world.poller.untrack("flights")
    assert not world.observe().caught_up


async def test_a_fault_in_one_judge_blinds_only_its_own_rollout(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    read = Judge.read

    def fragile(judge: Judge, metric: str, answer: Any, until: float) -> bool:
        if judge.subject.name == "prices":
            raise ArithmeticError("planted")
        return read(judge, metric, answer, until)

    monkeypatch.setattr(Judge, "read", fragile)
    world.poller.track("flights", world.subject(world.errors))
    world.poller.track("prices", world.subject(world.errors, name="prices"))
    for second in (2, 4):
        world.store.scrape(second, ok=second)
    await world.run(5)
    assert world.verdicts() == ["Undecided"]
    assert world.verdicts("prices") == ["ProviderError"]
    assert "planted" in world.observe("prices").problem
    assert world.poller.failures > 0


async def test_an_unknown_fault_of_the_store_is_an_outage(world: Any) -> None:
    world.store.error = lambda promql: ZeroDivisionError("planted")
    world.poller.track("flights", world.subject(world.errors))
    await world.run(20)
    assert world.verdicts() == ["ProviderError"]


async def test_a_refused_plain_query_is_known_before_any_traffic_and_delays_nobody(world: Any) -> None:
    world.store.error = lambda promql: QueryError("parse error") if "clicks{" in promql else None
    world.poller.track("flights", world.subject(world.errors, world.clicks))
    for second in (2, 4):
        world.store.put("up", second, 1)
    await world.run(5)
    assert world.verdicts() == ["Undecided", "QueryError"]
    assert world.observe().caught_up


class RealClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


class LiveStore:
    """One pod; a new scrape becomes queryable when the test says so. Plain queries hang."""

    def __init__(self) -> None:
        self.scrapes: list[float] = []

    async def query(self, promql: str, at: datetime | None = None) -> tuple[Series, ...]:
        if promql.startswith("slow"):
            await asyncio.sleep(60)
        labels = {"namespace": "prod", "pod": "flights-8b21de07-6d5f9c7b8d-abcde", "job": "pods", "instance": "a:80"}
        return (Series(labels, tuple((t, 1.0) for t in self.scrapes)),) if promql.startswith("up") else ()


async def test_from_a_queryable_sample_to_the_wake_up_it_takes_at_most_a_second_and_a_bit(world: Any) -> None:
    """On the real clock, with a plain query that hangs beside it. 1.0 s measured; the rest is for a busy machine."""
    store, woken = LiveStore(), asyncio.Event()
    poller = Poller(store, RealClock(), lambda key, urgent: woken.set())
    slow = world.clicks.model_copy(
        update={"prometheus": world.clicks.prometheus.model_copy(update={"query": "slow{$(candidate)}"})}
    )
    poller.track("flights", world.subject(world.errors, slow, started_at=datetime.now(UTC)))
    task = asyncio.create_task(poller.run())
    try:
        waits = []
        for _ in range(3):
            woken.clear()
            appeared = time.monotonic()
            store.scrapes.append(time.time())
            async with asyncio.timeout(5):
                await woken.wait()
            waits.append(time.monotonic() - appeared)
        assert max(waits) <= 1.5
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_the_loop_survives_a_poll_that_breaks(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    store, woken = LiveStore(), asyncio.Event()
    poller = Poller(store, RealClock(), lambda key, urgent: woken.set())
    broken, questions = iter([True]), Judge.questions

    def fragile(judge: Judge) -> Any:
        if next(broken, False):
            raise RuntimeError("planted")
        return questions(judge)

    monkeypatch.setattr(Judge, "questions", fragile)
    poller.track("flights", world.subject(world.errors, started_at=datetime.now(UTC)))
    store.scrapes.append(time.time())
    task = asyncio.create_task(poller.run())
    try:
        async with asyncio.timeout(10):
            while not poller.observation("flights", {}, datetime.now(UTC)).caught_up:
                woken.clear()
                await woken.wait()
        assert poller.failures == 1
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_two_objectives_of_different_rollouts_share_the_query_of_the_histogram(world: Any) -> None:
    other = Check(name="latency", type="Latency", latency=LatencyCheck(slo=timedelta(milliseconds=500)))
    world.poller.track("flights", world.subject(world.latency))
    world.poller.track("prices", world.subject(other, name="prices"))
    await world.run(1)
    assert [q for q, _ in world.store.asked if 'le=~"0[.]250*|0[.]50*|[+]Inf"' in q]
    assert metrics_asked(world).count("http_request_duration_seconds_bucket") == 1
