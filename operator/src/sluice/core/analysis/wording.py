"""How is evidence said to people?"""

from collections.abc import Sequence
from math import exp, log
from typing import Final

from sluice.api.quantities import format_duration, format_percent
from sluice.api.v1alpha1 import Check
from sluice.core.analysis.eprocess import MaximumTest

_HUGE: Final = log(1e6)


def evidence(log_e: float, limit: float) -> str:
    """`"0.4 of 200"`: the e-value and the value at which the check fails."""
    if log_e >= _HUGE:
        shown = f"10^{log_e / log(10):.0f}"
    else:
        value = exp(log_e)
        shown = f"{value:.0f}" if value >= 10 else f"{value:.2g}"
    return f"{shown} of {limit:g}"


def counts(check: Check, test: MaximumTest) -> str:
    """`"31 of 10200 requests failed (0.30%), at most 5% allowed"`."""
    if check.latency is not None:
        what = f"were slower than {format_duration(check.latency.slo)}"
        allowed = format_percent(check.latency.max_share_above)
    elif check.rate is not None:
        what, allowed = "failed", format_percent(check.rate.max)
    else:
        raise ValueError(f"check {check.name} of type {check.type} counts no requests")
    share = f" ({100 * test.losses / test.requests:.2f}%)" if test.requests else ""
    return f"{test.losses:.0f} of {test.requests:.0f} requests {what}{share}, at most {allowed} allowed"


def missing_bound(slo: float, bounds: Sequence[float], histogram: str) -> str:
    """Says that an objective is no bucket bound, and which bounds lie next to it. slo, bounds: seconds."""
    if slo in bounds:
        return f'{histogram} has no bucket le="{slo:g}", though the runtime table says so: correct its metrics.bounds'
    below = max((b for b in bounds if b < slo), default=None)
    above = min((b for b in bounds if b > slo), default=None)
    near = " and ".join(f"{b:g}s" for b in (below, above) if b is not None)
    return (
        f'{histogram} has no bucket le="{slo:g}"{f"; the nearest are {near}" if near else ""}: set latency.slo to one'
    )
