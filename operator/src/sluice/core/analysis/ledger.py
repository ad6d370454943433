"""How many requests did the candidate answer since its stage began?"""

from dataclasses import dataclass, field
from typing import Final

SETTLED: Final = 60.0
"""Seconds after which entries are added up: a stage that begins anew begins now, not a minute ago."""
LONGEST: Final = 1000
"""Entries that are kept before older ones are added up."""


@dataclass(slots=True)
class Ledger:
    """Requests by the time of the scrape that told of them (seconds since the epoch).

    first: time of the first request of all; None: there was none. total: requests of the whole rollout.
    """

    first: float | None = None
    total: float = 0.0
    _since: float = float("-inf")
    _count: float = 0.0
    _entries: list[tuple[float, float]] = field(default_factory=list)
    """The newest, in no order of time; older ones are one entry, at the time of the newest of them."""

    def add(self, time: float, requests: float) -> None:
        """Books what one scrape told; a scrape without requests leaves no trace."""
        if requests <= 0:
            return
        self.total += requests
        self.first = time if self.first is None else min(self.first, time)
        if time > self._since:
            self._entries.append((time, requests))
            self._count += requests
            if len(self._entries) > LONGEST:
                self._settle()

    def _settle(self) -> None:
        newest = max(time for time, _ in self._entries)
        old = [entry for entry in self._entries if entry[0] <= newest - SETTLED]
        if old:
            recent = [entry for entry in self._entries if entry[0] > newest - SETTLED]
            self._entries = [(max(time for time, _ in old), sum(requests for _, requests in old)), *recent]

    def since(self, time: float) -> int:
        """Requests told by scrapes after `time`. Asked with rising times only: what is older is forgotten."""
        if time > self._since:
            self._since = time
            self._entries = [entry for entry in self._entries if entry[0] > time]
            self._count = sum(requests for _, requests in self._entries)
        return int(self._count)
