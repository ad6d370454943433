"""Time in a simulated world: it jumps from one event to the next, and nothing ever waits for it.

The world has an agenda of its own (kubelets, gateways, deliveries, people); every process of the operator has a real
asyncio event loop whose clock is the world's. A process that is frozen is one whose loop nobody steps.
"""

import asyncio
import heapq
from asyncio import events
from collections.abc import Callable
from datetime import UTC, datetime
from math import inf
from typing import Any, Final

EPOCH: Final = 1_800_000_000.25
"""Wall-clock seconds at the world's beginning; the fraction keeps whole seconds from being special by accident."""


class Agenda:
    """What happens when. Things due at the same moment happen in the order in which they were planned."""

    def __init__(self) -> None:
        self.now = 0.0
        self._planned: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def at(self, moment: float, what: Callable[[], None]) -> None:
        """Plan something; a moment that is past means now."""
        self._count += 1
        heapq.heappush(self._planned, (max(moment, self.now), self._count, what))

    def after(self, delay: float, what: Callable[[], None]) -> None:
        """Plan something in `delay` seconds."""
        self.at(self.now + delay, what)

    def due(self) -> float:
        """When the next thing happens."""
        return self._planned[0][0] if self._planned else inf

    def do_next(self) -> None:
        """Let it happen."""
        moment, _, what = heapq.heappop(self._planned)
        self.now = max(self.now, moment)
        what()


class WorldClock:
    """`ports.Clock` of the world."""

    def __init__(self, agenda: Agenda) -> None:
        self._agenda = agenda

    def now(self) -> datetime:
        """Wall clock."""
        return datetime.fromtimestamp(EPOCH + self._agenda.now, UTC)

    def monotonic(self) -> float:
        """Seconds since the world began."""
        return self._agenda.now


class _NoInput:
    """A selector without anything to select from: simulated processes talk through the world alone."""

    def select(self, timeout: float | None) -> list[Any]:
        """Nothing is ever readable."""
        return []

    def close(self) -> None:
        """Nothing to close."""


class Loop(asyncio.BaseEventLoop):
    """The event loop of one simulated process."""

    def __init__(self, agenda: Agenda) -> None:
        super().__init__()
        self._agenda = agenda
        self._selector = _NoInput()
        self._clock_resolution = 1e-9
        self.set_exception_handler(lambda *_: None)  # a killed process leaves unfinished tasks behind
        self.faults: list[BaseException] = []

    def time(self) -> float:
        """The world's time."""
        return self._agenda.now

    def due(self) -> float | None:
        """When it next has something to do."""
        if self._ready:  # type: ignore[attr-defined]
            return self._agenda.now
        return self._scheduled[0]._when if self._scheduled else None  # type: ignore[attr-defined]

    def step(self) -> None:
        """One round: everything that is due now.

        As run_forever() makes it, without its preparations, which took as long as the round itself, and without the
        question how long to wait for input.
        """
        scheduled, ready = self._scheduled, self._ready  # type: ignore[attr-defined]
        now = self._agenda.now + self._clock_resolution
        while scheduled and (scheduled[0]._cancelled or scheduled[0]._when < now):
            timer = heapq.heappop(scheduled)
            timer._scheduled = False
            if timer._cancelled:
                self._timer_cancelled_count -= 1  # type: ignore[attr-defined]
            else:
                ready.append(timer)
        events._set_running_loop(self)
        try:
            for _ in range(len(ready)):
                handle = ready.popleft()
                if not handle._cancelled:
                    handle._run()
        finally:
            events._set_running_loop(None)

    def _process_events(self, events: list[Any]) -> None:
        """No events without a selector."""

    def _write_to_self(self) -> None:
        """No other thread ever wakes it."""
