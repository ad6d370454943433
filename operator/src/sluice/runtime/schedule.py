"""Which key is worked on next, and when: the queue's decisions, without a clock or a loop of their own.

A key is in at most one of these states: waiting (for a moment in time), ready (in a lane), running. A key that becomes
due while it runs runs once more afterwards: never twice at the same time.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

Key = tuple[str, str]
"""(namespace, name) of a ModelDeployment."""

BACKOFF_FIRST: Final = 0.1
"""Seconds until a failed pass is tried again; doubled with each failure in a row."""

BACKOFF_MOST: Final = 30.0
"""Seconds; reached with the ninth failure in a row (0.1 * 2**9 = 51)."""

JITTER: Final = 0.2
"""Delays are spread by up to this share in both directions, so that many rollouts do not act in the same instant."""


@dataclass(slots=True)
class _Failures:
    count: int
    not_before: float


class Schedule:
    """The state of the queue. Times are seconds of one monotonic clock, given by the caller.

    random: uniform numbers in [0, 1), for the jitter.
    """

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self._urgent: OrderedDict[Key, float] = OrderedDict()
        self._normal: OrderedDict[Key, float] = OrderedDict()
        self._running: dict[Key, float] = {}
        self._again: dict[Key, bool] = {}
        self._due: dict[Key, float] = {}
        self._failures: dict[Key, _Failures] = {}

    def add(self, key: Key, now: float, urgent: bool = False) -> None:
        """Work on this key now; urgent: before all keys that are not.

        After a failure the key waits at least BACKOFF_FIRST, so a failing pass whose own writes wake it cannot spin;
        urgent ones do not wait.
        """
        if key in self._running:
            self._again[key] = urgent or self._again.get(key, False)
            return
        failures = self._failures.get(key)
        if failures and not urgent and now < failures.not_before:
            self._wait_until(key, failures.not_before)
            return
        if urgent:
            self._urgent.setdefault(key, self._normal.pop(key, now))
        elif key not in self._urgent:
            self._normal.setdefault(key, now)
        self._due.pop(key, None)

    def add_at(self, key: Key, moment: float) -> None:
        """Work on this key at this moment, or earlier if something else asks for it."""
        self._wait_until(key, moment)

    def take(self, now: float, urgent_only: bool = False) -> Key | None:
        """The next key to work on, now marked as running; None if nothing is ready."""
        for due in [key for key, moment in self._due.items() if moment <= now and key not in self._running]:
            del self._due[due]
            if due not in self._urgent:
                self._normal.setdefault(due, now)
        lane = self._urgent or (None if urgent_only else self._normal)
        if not lane:
            return None
        key, _ = lane.popitem(last=False)
        # This pass decides anew when the next one is needed.
        self._due.pop(key, None)
        self._running[key] = now
        return key

    def done(self, key: Key, now: float, again_after: float | None) -> None:
        """A pass ended well. again_after: seconds until the next one, None when only an event brings it."""
        self._failures.pop(key, None)
        self._finish(key, now)
        if again_after is not None:
            self._wait_until(key, now + self._jittered(again_after))

    def failed(self, key: Key, now: float) -> float:
        """A pass raised: it is tried again after a delay that grows. Returns that delay in seconds."""
        count = self._failures[key].count if key in self._failures else 0
        delay = self._jittered(min(BACKOFF_MOST, BACKOFF_FIRST * 2.0 ** min(count, 20)))
        self._failures[key] = _Failures(count + 1, now + BACKOFF_FIRST)
        self._finish(key, now)
        self._wait_until(key, now + delay)
        return delay

    def next_due(self) -> float | None:
        """When the next waiting key becomes ready; None if none waits."""
        return min((moment for key, moment in self._due.items() if key not in self._running), default=None)

    def ready(self) -> int:
        """Keys that only wait for a worker."""
        return len(self._urgent) + len(self._normal)

    def waiting_since(self) -> float | None:
        """Since when the oldest ready key has waited for a worker, or the oldest running pass has run."""
        moments = [*self._urgent.values(), *self._normal.values(), *self._running.values()]
        return min(moments, default=None)

    def _finish(self, key: Key, now: float) -> None:
        del self._running[key]
        again = self._again.pop(key, None)
        if again is not None:
            self.add(key, now, urgent=again)

    def _wait_until(self, key: Key, moment: float) -> None:
        if key in self._urgent or key in self._normal:
            return
        self._due[key] = min(moment, self._due.get(key, moment))

    def _jittered(self, seconds: float) -> float:
        return seconds * (1 - JITTER + 2 * JITTER * self._random())
