"""How did the load generator itself do? A late generator is a slow machine, not a slow server."""

from __future__ import annotations

from dataclasses import dataclass

EFFORT_SUFFIX = ".effort.json"
"""Of the file next to the outcomes."""


@dataclass(frozen=True, slots=True)
class Effort:
    """seconds: how long it ran. cpu_seconds: user and system time. lag: seconds behind the schedule at the start of a
    request."""

    requests: int
    seconds: float
    cpu_seconds: float
    max_lag: float
    p99_lag: float
