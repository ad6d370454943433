"""The real clock."""

import time
from datetime import UTC, datetime


class SystemClock:
    """`ports.Clock` of this machine."""

    def now(self) -> datetime:
        """Wall clock, UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds since boot. CLOCK_BOOTTIME also counts the time in which the machine or the process slept."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)
