"""May one more request be worked on, and has one been worked on for too long?"""

import asyncio
import time
from collections.abc import Hashable
from typing import Any, Final, Protocol

from sluice_model_server.errors import RequestError

_LATE_SECONDS: Final = 0.001
"""A timer of the event loop may fire this much early."""


class Request(Hashable, Protocol):
    """A request that is being answered: its task, or what stands for one."""

    def cancel(self) -> object:
        """Its time is over."""


class Admission:
    """Counts inference requests from their headers to their answer, and breaks off those that take too long.

    One timer for all of them, at the oldest one's end: a timer per request (asyncio.timeout) costs each of them more
    than its share of a batch.

    max_in_flight: requests at once. seconds: time of one, the upload of its body included.
    """

    def __init__(self, max_in_flight: int, seconds: float) -> None:
        self._max = max_in_flight
        self._seconds = seconds
        self._since: dict[Request, float] = {}  # in order of arrival: the first is the oldest
        self._broken_off: set[Request] = set()
        self._timer: asyncio.TimerHandle | None = None

    def enter(self, request: Request) -> None:
        """Raises RequestError(429) when there are too many."""
        if len(self._since) >= self._max:
            raise RequestError(
                429, f"{self._max} requests are being answered already (SLUICE_MODEL_MAX_IN_FLIGHT); try again"
            )
        self._since[request] = time.monotonic()
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._seconds, self._sweep, loop)

    def leave(self, request: Request) -> None:
        """This request is done with, whatever became of it."""
        self._since.pop(request, None)
        if self._broken_off:
            self._broken_off.discard(request)

    def broken_off(self, task: asyncio.Task[Any]) -> bool:
        """Whether the CancelledError that this task just got says that its time is over; then it may go on and answer.

        Else somebody else wants the task to end.
        """
        if task not in self._broken_off:
            return False
        self._broken_off.discard(task)
        return task.uncancel() == 0

    def too_late(self, *, whole: bool) -> RequestError:
        """What a broken-off request gets. whole: its body had arrived."""
        limit = f"{self._seconds:g} s (SLUICE_MODEL_REQUEST_SECONDS)"
        if whole:
            return RequestError(504, f"no answer within {limit}; try again")
        return RequestError(408, f"the body did not arrive within {limit}")

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now = time.monotonic()
        for request, since in tuple(self._since.items()):
            left = since + self._seconds - now
            if left > _LATE_SECONDS:
                self._timer = loop.call_later(left, self._sweep, loop)
                return
            del self._since[request]
            self._broken_off.add(request)
            request.cancel()
