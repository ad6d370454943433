"""How is evidence said to people?"""

from collections.abc import Sequence
from math import exp, log
from typing import Final

from sluice.api.quantities import format_duration, format_percent
from sluice.api.v1alpha1 import Check
from sluice.core.analysis.comparison import Counts

_HUGE: Final = log(1e6)


def evidence(log_e: float, limit: float) -> str:
    """`"0.4 of 200"`: the e-value and the value that decides."""
    if log_e >= _HUGE:
        shown = f"10^{log_e / log(10):.0f}"
    else:
        value = exp(log_e)
        shown = f"{value:.0f}" if value >= 10 else f"{value:.2g}"
    return f"{shown} of {limit:g}"


def counts(check: Check, total: Counts) -> str:
    """What was counted and what is allowed.

    `"31 of 10200 requests failed (0.30%), at most 5% allowed"`;
    `"31 of 10200 requests failed (0.30%), stable 12 of 30600 (0.04%), at most 1.1 times that + 0.05% allowed"`.
    """
    if check.latency is not None:
        said = _of(total.x1, total.n1, f"were slower than {format_duration(check.latency.slo)}")
        return f"{said}, at most {format_percent(check.latency.max_share_above)} allowed"
    if check.rate is None:
        raise ValueError(f"check {check.name} of type {check.type} counts no requests")
    said, allowed = _of(total.x1, total.n1, "failed"), []
    if (versus := check.rate.versus_stable) is not None:
        said += f", stable {_of(total.x0, total.n0)}"
        allowed.append(f"{versus.ratio:f} times that + {format_percent(versus.margin)}")
    if check.rate.max is not None:
        allowed.append(format_percent(check.rate.max))
    return f"{said}, at most {' and '.join(allowed)} allowed"


def _of(losses: float, requests: float, what: str = "") -> str:
    """`"31 of 10200 requests failed (0.30%)"`; without words `"12 of 30600 (0.04%)"`."""
    share = f" ({100 * losses / requests:.2f}%)" if requests else ""
    return f"{losses:.0f} of {requests:.0f}{f' requests {what}' if what else ''}{share}"


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
