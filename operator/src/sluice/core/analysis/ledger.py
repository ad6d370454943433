"""How many requests did the candidate answer since its stage began?"""

from dataclasses import dataclass, field
from math import isnan, nan
from typing import Final

from sluice.core.analysis.saved import Saved

SETTLED: Final = 60.0
"""Seconds after which entries are added up: a stage that begins anew begins now, not a minute ago."""
LONGEST: Final = 1000
"""Entries that are kept before older ones are added up."""


@dataclass(slots=True)
class Ledger:
    """Requests by the earliest moment at which they may have been answered (seconds since the epoch).

    A scrape tells of all requests since the one before it. Where a stage began in between, some of them belong to the
    stage before, or to a time in which the revision was stable: they do not count for the stage.

    first: time of the first request of all; None: there was none. total: requests of the whole rollout.
    """

    first: float | None = None
    total: float = 0.0
    _since: float = float("-inf")
    _count: float = 0.0
    _entries: list[tuple[float, float]] = field(default_factory=list)
    """The newest, in no order of time; older ones are one entry, at the time of the newest of them."""

    def save(self) -> Saved:
        """All that it knows."""
        saved = Saved()
        saved.note("sums", [nan if self.first is None else self.first, self.total, self._since, self._count])
        saved.note("entries", self._entries)
        return saved

    def restore(self, saved: Saved) -> None:
        """Goes on from what was saved."""
        first, self.total, self._since, self._count = saved.numbers["sums"].tolist()
        self.first = None if isnan(first) else first
        self._entries = [(time, requests) for time, requests in saved.table("entries", 2)]

    def add(self, time: float, requests: float, before: float | None = None) -> None:
        """Books what one scrape told; a scrape without requests leaves no trace.

        time, before: of the scrape and of the one before it; None: what it tells of began in between.
        """
        if requests <= 0:
            return
        self.total += requests
        self.first = time if self.first is None else min(self.first, time)
        began = time if before is None else before
        if began >= self._since:
            self._entries.append((began, requests))
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
        """Requests that can only have come after `time`. Asked with rising times only: what is older is forgotten."""
        if time > self._since:
            self._since = time
            self._entries = [entry for entry in self._entries if entry[0] >= time]
            self._count = sum(requests for _, requests in self._entries)
        return int(self._count)
