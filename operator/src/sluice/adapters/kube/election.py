"""Who may act: the leader election's decisions, without I/O and without a clock of their own.

The algorithm is that of client-go's leaderelection: a record is trusted by how long *this process* has seen it
unchanged, never by the times written in it, so the machines' clocks need not agree. Times are seconds of a monotonic
clock that goes on while the process is stopped.

duration 15 > renew deadline 10 > retry 2: a leader stops acting 10 s after it *sent* its last successful renewal; its
successor waits for 15 s after it *saw* that renewal, which is later. The 5 s between are what a request of the old
leader may still be under way.
"""

from dataclasses import dataclass
from typing import Final

LEASE_DURATION: Final = 15.0
RENEW_DEADLINE: Final = 10.0
RETRY_PERIOD: Final = 2.0


@dataclass(frozen=True, slots=True)
class Record:
    """What the Lease object says.

    holder: "" when nobody holds it. transitions: how often the holder changed. version: resourceVersion.
    """

    holder: str
    duration: float
    transitions: int
    version: str


class Election:
    """One candidate's view of the lease.

    identity: this process's name; no other process may ever have the same.
    """

    def __init__(self, identity: str) -> None:
        self.identity = identity
        self.record: Record | None = None
        self._seen_at = 0.0
        self._renewed_at: float | None = None

    def held(self, now: float) -> bool:
        """True while this process may act."""
        return self._renewed_at is not None and now < self._renewed_at + RENEW_DEADLINE

    def observe(self, record: Record | None, now: float) -> None:
        """The lease was read. None: there is none yet."""
        if record != self.record:
            self._seen_at = now
        self.record = record
        if record is None or record.holder != self.identity:
            self._renewed_at = None

    def may_take(self, now: float) -> bool:
        """True when the lease is ours, free, or was not renewed for its whole duration."""
        record = self.record
        if record is None or record.holder in ("", self.identity):
            return True
        return now >= self._seen_at + max(record.duration, LEASE_DURATION)

    def wrote(self, record: Record, sent_at: float) -> None:
        """A write that makes this process the holder succeeded. sent_at: the moment *before* it was sent."""
        self.record = record
        self._seen_at = sent_at
        self._renewed_at = sent_at

    def transitions_if_taken(self) -> int:
        """The next record's count of changes of the holder."""
        if self.record is None:
            return 0
        return self.record.transitions + (self.record.holder != self.identity)
