"""The last second of traffic as the client sees it, by version of the model that answered."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from sluice_dev.load import Outcome

WINDOW = 1.0
"""Seconds."""


@dataclass(slots=True)
class Second:
    """latencies: seconds, of all requests, also the failed ones."""

    answers: int = 0
    errors: int = 0
    latencies: list[float] = field(default_factory=list)

    def quantile(self, share: float) -> float:
        """share: 0..1. Seconds; 0 if there was no request."""
        ordered = sorted(self.latencies)
        return ordered[int(share * (len(ordered) - 1))] if ordered else 0.0


class Traffic:
    """Counts what it is given."""

    def __init__(self) -> None:
        self.requests = 0
        self.failures = 0
        self._recent: deque[Outcome] = deque()

    def take(self, news: Iterable[Outcome], now: float) -> None:
        """now: seconds since the epoch."""
        for outcome in news:
            self.requests += 1
            self.failures += outcome.failed
            self._recent.append(outcome)
        while self._recent and self._recent[0].end < now - WINDOW:
            self._recent.popleft()

    def recent(self) -> dict[str, Second]:
        """By version; an answer without one (an error) is under the empty name."""
        seconds: dict[str, Second] = {}
        for outcome in self._recent:
            second = seconds.setdefault(outcome.version, Second())
            second.answers += 1
            second.errors += outcome.failed
            second.latencies.append(outcome.latency)
        return seconds

    def words(self) -> str:
        """One line."""
        parts = [
            f"{name or 'errors'} {second.answers}/s, 99% {1000 * second.quantile(0.99):.0f} ms"
            for name, second in sorted(self.recent().items())
        ]
        return f"   traffic  {'; '.join(parts)}; {self.requests} requests, {self.failures} failed so far"
