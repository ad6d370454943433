"""The loop around the schedule: nothing here waits for time to pass."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from sluice.ports import Unavailable
from sluice.runtime.queue import URGENT_WORKERS, WorkQueue
from sluice.runtime.schedule import BACKOFF_FIRST, Key

A, B, C, D = (("shop", name) for name in "abcd")


class Gate:
    """A worker whose passes stand still until they are let go."""

    def __init__(self) -> None:
        self.running: list[Key] = []
        self.began: asyncio.Queue[Key] = asyncio.Queue()
        self._open: dict[Key, asyncio.Event] = {}

    async def __call__(self, key: Key) -> timedelta | None:
        self.running.append(key)
        self._open[key] = asyncio.Event()
        self.began.put_nowait(key)
        await self._open[key].wait()
        self.running.remove(key)
        return None

    def let_go(self, key: Key) -> None:
        self._open[key].set()

    async def next(self) -> Key:
        return await asyncio.wait_for(self.began.get(), 5)


@asynccontextmanager
async def running(queue: WorkQueue, worker: Callable[[Key], Awaitable[timedelta | None]]) -> AsyncIterator[None]:
    task = asyncio.create_task(queue.run(worker))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def idle(rounds: int = 20) -> None:
    """Let everything that can run, run."""
    for _ in range(rounds):
        await asyncio.sleep(0)


async def test_as_many_passes_at_once_as_there_are_workers(clock: Any) -> None:
    queue, gate = WorkQueue(clock, workers=2), Gate()
    async with running(queue, gate):
        for key in (A, B, C):
            queue.add(key)
        assert {await gate.next(), await gate.next()} == {A, B}
        await idle()
        assert gate.running == [A, B]
        assert queue.depth() == 1
        gate.let_go(A)
        assert await gate.next() == C


async def test_never_two_passes_over_one_key(clock: Any) -> None:
    queue, gate = WorkQueue(clock, workers=4), Gate()
    async with running(queue, gate):
        queue.add(A)
        await gate.next()
        queue.add(A)
        await idle()
        assert gate.running == [A]
        gate.let_go(A)
        assert await gate.next() == A


async def test_a_rollback_does_not_wait_for_slow_passes_of_others(clock: Any) -> None:
    queue, gate = WorkQueue(clock, workers=1), Gate()
    async with running(queue, gate):
        queue.add(A)
        await gate.next()
        queue.add(B)
        queue.add(C, urgent=True)
        assert await gate.next() == C
        await idle()
        assert gate.running == [A, C]


async def test_urgent_keys_are_capped_too(clock: Any) -> None:
    queue, gate = WorkQueue(clock, workers=1), Gate()
    keys = [("shop", str(number)) for number in range(10)]
    async with running(queue, gate):
        for key in keys:
            queue.add(key, urgent=True)
        for _ in range(1 + URGENT_WORKERS):
            await gate.next()
        await idle()
        assert len(gate.running) == 1 + URGENT_WORKERS


async def test_a_pass_that_fails_is_told_and_tried_again(clock: Any) -> None:
    seen: list[BaseException | None] = []
    calls: asyncio.Queue[int] = asyncio.Queue()

    class Watcher:
        def pass_ended(self, seconds: float, error: BaseException | None) -> None:
            assert seconds == 0
            seen.append(error)

    async def worker(key: Key) -> timedelta | None:
        calls.put_nowait(len(seen))
        if not seen:
            raise Unavailable("the API server does not answer")
        return None

    queue = WorkQueue(clock, workers=1, watcher=Watcher(), jitter=lambda: 0.5)
    async with running(queue, worker):
        queue.add(A)
        await asyncio.wait_for(calls.get(), 5)
        await idle()
        assert isinstance(seen[0], Unavailable)
        assert queue.depth() == 0
        clock.seconds += BACKOFF_FIRST
        queue.add(A)
        await asyncio.wait_for(calls.get(), 5)
        await idle()
        assert seen[1] is None


async def test_a_pass_says_when_it_wants_to_run_again(clock: Any) -> None:
    gate: asyncio.Queue[Key] = asyncio.Queue()

    async def worker(key: Key) -> timedelta | None:
        gate.put_nowait(key)
        return timedelta(seconds=30)

    queue = WorkQueue(clock, workers=1, jitter=lambda: 0.5)
    async with running(queue, worker):
        queue.add(A)
        await asyncio.wait_for(gate.get(), 5)
        await idle()
        assert gate.empty()
        clock.seconds += 30
        queue.add(B)  # anything that makes the loop look again
        assert {await asyncio.wait_for(gate.get(), 5) for _ in range(2)} == {A, B}


async def test_a_delay_wakes_the_loop_by_itself(clock: Any) -> None:
    gate = Gate()
    queue = WorkQueue(clock, workers=1)
    async with running(queue, gate):
        await idle()
        queue.add_after(A, timedelta(0))
        assert await gate.next() == A


async def test_the_age_of_the_oldest_pass_is_known(clock: Any) -> None:
    queue, gate = WorkQueue(clock, workers=1), Gate()
    async with running(queue, gate):
        assert queue.stalled_for() == 0
        queue.add(A)
        await gate.next()
        clock.seconds += 90
        assert queue.stalled_for() == 90
        gate.let_go(A)
        await idle()
        assert queue.stalled_for() == 0


async def test_stopping_cancels_the_passes_under_way(clock: Any) -> None:
    cancelled = asyncio.Event()
    began = asyncio.Event()

    async def worker(key: Key) -> timedelta | None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        return None

    queue = WorkQueue(clock, workers=1)
    async with running(queue, worker):
        queue.add(A)
        await asyncio.wait_for(began.wait(), 5)
    assert cancelled.is_set()


@pytest.mark.parametrize("error", [KeyError("x"), RuntimeError("y")])
async def test_a_defect_in_one_pass_ends_no_other(clock: Any, error: Exception) -> None:
    done: asyncio.Queue[Key] = asyncio.Queue()

    async def worker(key: Key) -> timedelta | None:
        if key == A:
            raise error
        done.put_nowait(key)
        return None

    queue = WorkQueue(clock, workers=1)
    async with running(queue, worker):
        queue.add(A)
        queue.add(B)
        assert await asyncio.wait_for(done.get(), 5) == B
