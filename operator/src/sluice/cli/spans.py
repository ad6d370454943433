"""How is a length of time said?"""

from datetime import datetime, timedelta
from math import isfinite
from typing import Final

from sluice.api.quantities import format_duration

_UNITS: Final = (("d", 86_400), ("h", 3_600), ("m", 60))
_AT_LEAST: Final = 2
"""`119s`, then `2m`: as kubectl does, a unit is used from two of it on."""


def age(length: timedelta) -> str:
    """As kubectl says ages: `45s`, `12m`, `5h`, `3d`. A clock that is behind the cluster's gives `0s`."""
    seconds = max(0, int(length.total_seconds()))
    for unit, size in _UNITS:
        if seconds >= _AT_LEAST * size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def ago(then: datetime, now: datetime) -> str:
    """`12m ago`."""
    return f"{age(now - then)} ago"


def whole(length: timedelta) -> str:
    """In whole seconds, as a spec would say it: `2m10s`."""
    return format_duration(timedelta(seconds=max(0, int(length.total_seconds()))))


def rough(seconds: float) -> str:
    """90 -> `"90 s"`, 600 -> `"10 min"`, 7200 -> `"2.0 h"`, inf -> `"never"`."""
    if not isfinite(seconds):
        return "never"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
