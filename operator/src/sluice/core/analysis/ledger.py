"""How many requests did the candidate answer since its stage began?"""

from dataclasses import dataclass, field


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

    def add(self, time: float, requests: float) -> None:
        """Books what one scrape told; a scrape without requests leaves no trace."""
        if requests <= 0:
            return
        self.total += requests
        self.first = time if self.first is None else min(self.first, time)
        if time > self._since:
            self._entries.append((time, requests))
            self._count += requests

    def since(self, time: float) -> int:
        """Requests told by scrapes after `time`. Asked with rising times only: what is older is forgotten."""
        if time > self._since:
            self._since = time
            self._entries = [entry for entry in self._entries if entry[0] > time]
            self._count = sum(requests for _, requests in self._entries)
        return int(self._count)
