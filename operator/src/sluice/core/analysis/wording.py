"""How is evidence said to people?"""

from collections.abc import Sequence
from datetime import timedelta
from math import exp, log
from typing import Any, Final

from sluice.api.quantities import format_duration, format_percent
from sluice.api.v1alpha1 import LatencyCheck, RateCheck, SlowerThanStable
from sluice.core.analysis.comparison import Comparison
from sluice.core.analysis.rate_bets import RateState
from sluice.core.analysis.ratio import ratio_interval
from sluice.core.analysis.slowdown_bets import SlownessState, telling_bound
from sluice.core.analysis.warmup import REQUESTS
from sluice.core.metrics import MetricPreset

_HUGE: Final = log(1e6)


def evidence(log_e: float, limit: float) -> str:
    """`"0.4 of 200"`: the e-value and the value that decides."""
    if log_e >= _HUGE:
        shown = f"10^{log_e / log(10):.0f}"
    else:
        value = exp(log_e)
        shown = f"{value:.0f}" if value >= 10 else f"{value:.2g}"
    return f"{shown} of {limit:g}"


def way(log_e: float, limit: float) -> float:
    """The part of the way to the value that decides, in the logarithm: 0 is no evidence, 1 is enough, more is more."""
    return max(log_e, 0.0) / log(limit)


def errors_told(rate: RateCheck, n1: float, x1: float, stable: Comparison[Any] | None = None) -> str:
    """What was counted and what is allowed. n1: the candidate's requests, x1: those that failed.

    `"31 of 10200 requests failed (0.30%), at most 5% allowed"`; compared with stable `"31 of 10200 requests failed
    (0.30%), stable 12 of 30600 (0.04%): 2.5 to 16 times as often, at most 1.1 times that + 0.05% allowed"`.
    """
    said, allowed = _of(x1, n1, "failed"), []
    if (versus := rate.versus_stable) is not None and stable is not None:
        said += f", stable {_of(float(stable.compared.x0[0]), stable.compared.n0)}"
        if isinstance(stable.state, RateState) and (words := between(*ratio_interval(stable.state.ratios))):
            said += f": {words} as often"
        allowed.append(f"{versus.ratio:f} times that + {format_percent(versus.margin)}")
    if rate.max is not None:
        allowed.append(format_percent(rate.max))
    return f"{said}, at most {' and '.join(allowed)} allowed"


def between(least: float | None, most: float | None) -> str:
    """`"0.63 to 1.6 times"`, `"at least 2.5 times"`, `"at most 1.6 times"`; nothing where nothing is known."""
    if least is not None and most is not None:
        return f"{least:.2g} to {most:.2g} times"
    if least is not None:
        return f"at least {least:.2g} times"
    return f"at most {most:.2g} times" if most is not None else ""


def objective_told(latency: LatencyCheck, slo: float, n1: float, x1: float) -> str:
    """`"31 of 10200 requests were slower than 250ms (0.30%), at most 5% allowed"`. slo: seconds."""
    said = _of(x1, n1, f"were slower than {_seconds(slo)}")
    return f"{said}, at most {format_percent(latency.max_share_above)} allowed"


def slowdown_told(versus: SlowerThanStable, bounds: Sequence[float], comparison: Comparison[Any]) -> str:
    """The bound that says most: `"310 of 10200 requests were slower than 250ms (3.04%), stable 412 of 30600 (1.35%):
    2.3 times as often, at most 1.05 times as slow allowed"`. bounds: seconds, as many as the comparison's ways to lose.
    """
    c, at = comparison.compared, 0
    if isinstance(comparison.state, SlownessState):
        at = telling_bound(comparison.state, c)
    x1, x0 = float(c.x1[at]), float(c.x0[at])
    said = f"{_of(x1, c.n1, f'were slower than {_seconds(bounds[at])}')}, stable {_of(x0, c.n0)}"
    often = f": {x1 * c.n0 / (x0 * c.n1):.2g} times as often" if x0 and c.n1 else ""
    return f"{said}{often}, at most {versus.slowdown:f} times as slow allowed"


def still_cold(warm_up: float) -> str:
    """Why requests were counted and say nothing. warm_up: seconds."""
    return f"no request of a warm pod yet: each is left out for its first {REQUESTS} requests and {_seconds(warm_up)}"


def _seconds(seconds: float) -> str:
    return format_duration(timedelta(seconds=seconds))


def _of(losses: float, requests: float, what: str = "") -> str:
    """`"31 of 10200 requests failed (0.30%)"`; without words `"12 of 30600 (0.04%)"`."""
    share = f" ({100 * losses / requests:.2f}%)" if requests else ""
    return f"{losses:.0f} of {requests:.0f}{f' requests {what}' if what else ''}{share}"


NO_LATENCY: Final = (
    "the runtime table names no latency histogram of the candidate's runtime or of stable's: leave out checks of type "
    "Latency, or state metrics.latency and metrics.bounds"
)
"""Why latency cannot be judged."""


def missing_bound(slo: float, preset: MetricPreset) -> str:
    """Says that an objective (seconds) is no bucket bound, and which bounds lie next to it."""
    lacks = f'{preset.latency} has no bucket le="{preset.le_of(slo):g}"'
    if slo in preset.bounds:
        return f"{lacks}, though the runtime table says so: correct its metrics.bounds"
    below = max((b for b in preset.bounds if b < slo), default=None)
    above = min((b for b in preset.bounds if b > slo), default=None)
    near = " and ".join(f"{b:g}s" for b in (below, above) if b is not None)
    return f"{lacks}{f'; the nearest are {near}' if near else ''}: set latency.slo to one"


def strange_address(address: str) -> str:
    """Says that the gateway counts for something else than the pods that were rolled out."""
    return (
        f"the gateway counts requests to {address}, which is no pod of either revision: let it send them to pods, not "
        "to a Service (routingType Endpoint of the EnvoyProxy), or set rate.source to Server"
    )


def missing_code(preset: MetricPreset) -> str:
    """Says that a counter does not tell failures from good answers."""
    return (
        f"{preset.counters} has no label {preset.code_label}, so no failure could be seen: correct the runtime's "
        "metrics.requests or metrics.codeLabel"
    )


def unknown_bounds(candidate: MetricPreset, stable: MetricPreset) -> str:
    """Says that two histograms cannot be compared, and where to say what they have."""
    names = " and ".join(dict.fromkeys(f"{preset.latency}" for preset in (candidate, stable)))
    return (
        f"versusStable needs two bucket bounds that both revisions' histograms ({names}) have, and the runtime table "
        "names none: state them in metrics.bounds"
    )
