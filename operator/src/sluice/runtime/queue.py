"""Runs one pass per key at a time, urgent ones first: the loop around `Schedule`."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final, Protocol

import structlog

from sluice.ports import Clock, PortError
from sluice.runtime.schedule import Key, Schedule

log = structlog.get_logger(__name__)

URGENT_WORKERS: Final = 2
"""Passes that may run beyond the cap when they are urgent: a rollback does not wait for slow passes of others."""

Worker = Callable[[Key], Awaitable[timedelta | None]]
"""One pass: returns after how long it wants to run again, None when only an event should bring it back."""


class Watcher(Protocol):
    """What is told about the queue's work (metrics)."""

    def pass_ended(self, seconds: float, error: BaseException | None) -> None:
        """A pass took this long; error: what it raised."""
        ...


class WorkQueue:
    """Keys to work on. `add` and `add_after` may be called at any time from the loop that runs `run`.

    workers: passes that run at the same time; URGENT_WORKERS more for urgent keys.
    """

    def __init__(
        self, clock: Clock, workers: int, watcher: Watcher | None = None, jitter: Callable[[], float] = random.random
    ) -> None:
        self._clock = clock
        self._workers = workers
        self._watcher = watcher
        self._schedule = Schedule(jitter)
        self._changed = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()

    def add(self, key: Key, urgent: bool = False) -> None:
        """Work on this key as soon as a worker is free; urgent: before everything that is not."""
        self._schedule.add(key, self._clock.monotonic(), urgent)
        self._changed.set()

    def add_after(self, key: Key, delay: timedelta) -> None:
        """Work on this key after this time at the latest. The start of a pass cancels it."""
        self._schedule.add_at(key, self._clock.monotonic() + delay.total_seconds())
        self._changed.set()

    def depth(self) -> int:
        """Keys that wait for a worker."""
        return self._schedule.ready()

    def stalled_for(self) -> float:
        """Seconds for which the oldest key has waited for a worker or has been worked on; 0 when idle."""
        since = self._schedule.waiting_since()
        return 0.0 if since is None else max(0.0, self._clock.monotonic() - since)

    async def run(self, worker: Worker) -> None:
        """Work until cancelled. A pass that raises is logged and tried again later; cancelling waits for none."""
        try:
            while True:
                self._changed.clear()
                while (key := self._take()) is not None:
                    task = asyncio.create_task(self._pass(worker, key), name=f"reconcile {key[0]}/{key[1]}")
                    self._running.add(task)
                    task.add_done_callback(self._ended)
                await self._until_something_changes()
        finally:
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    def _take(self) -> Key | None:
        free = self._workers - len(self._running)
        if free + URGENT_WORKERS <= 0:
            return None
        return self._schedule.take(self._clock.monotonic(), urgent_only=free <= 0)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._changed.set()

    async def _until_something_changes(self) -> None:
        due = self._schedule.next_due()
        # With all workers busy, what is due waits for one of them to end, which also is a change.
        blocked = len(self._running) >= self._workers
        delay = None if due is None or blocked else max(0.0, due - self._clock.monotonic())
        # what is due is a change as well: a timeout of the wait would be cancelled and made anew at each event
        timer = None if delay is None else asyncio.get_running_loop().call_later(delay, self._changed.set)
        try:
            await self._changed.wait()
        finally:
            if timer is not None:
                timer.cancel()

    async def _pass(self, worker: Worker, key: Key) -> None:
        began = self._clock.monotonic()
        error: Exception | None = None
        try:
            again = await worker(key)
        except Exception as raised:
            error = raised
            delay = self._schedule.failed(key, self._clock.monotonic())
            about = {"namespace": key[0], "name": key[1], "error": str(raised), "retry_in": round(delay, 2)}
            # What the outside did is said in its message; anything else is a defect of ours and needs the stack.
            if isinstance(raised, PortError):
                log.warning("reconcile failed", **about)
            else:
                log.exception("reconcile failed", **about)
        else:
            seconds = None if again is None else again.total_seconds()
            self._schedule.done(key, self._clock.monotonic(), seconds)
        if self._watcher:
            self._watcher.pass_ended(self._clock.monotonic() - began, error)
