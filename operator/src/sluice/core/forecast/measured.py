"""What is usual of a stable that runs? Its traffic, errors, noise and latencies, from an hour of its own counters."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import exp, inf
from typing import Final

import numpy as np
from scipy.special import ndtri

from sluice.core.analysis.exposure import failed_requests, slow_requests
from sluice.core.analysis.history import history_query, past_of
from sluice.core.analysis.overdispersion import overdispersion
from sluice.core.analysis.questions import UP, pod_matchers
from sluice.core.analysis.sight import Sight
from sluice.core.forecast.slowdowns import Latencies
from sluice.core.metrics import MetricPreset, Series

INSIDE: Final = (0.001, 0.999)
"""Shares of slow requests from which a distribution can be told; beyond them a few requests decide."""
SCRAPES_SECONDS: Final = 120
"""How long a look at `up` tells how often pods are scraped."""


@dataclass(frozen=True, slots=True)
class Usual:
    """Of stable. rate: requests/s. share: that fail. phi: see overdispersion. latencies: None where its histogram does
    not tell. scrape: seconds between two scrapes of a pod. pods: that were counted. seconds: of history."""

    rate: float
    share: float
    phi: float
    latencies: Latencies | None
    scrape: float
    pods: int
    seconds: float

    @property
    def burst(self) -> int:
        """Size of the groups in which simulated failures come, so that they scatter as these do."""
        return max(1, round(self.phi))


def queries(preset: MetricPreset, namespace: str, deployment: str) -> tuple[str, str | None, str]:
    """PromQL for an hour of requests, for one of the histogram (None: the server has none), and for the scrapes."""
    bounds = (*(preset.le_of(bound) for bound in preset.bounds), inf)
    return (
        history_query(preset.counters, namespace, deployment),
        history_query(f"{preset.latency}_bucket", namespace, deployment, bounds) if preset.latency else None,
        f"{UP}{{{pod_matchers(namespace, deployment)}}}[{SCRAPES_SECONDS}s]",
    )


def usual_of(
    preset: MetricPreset, requests: Sequence[Series], buckets: Sequence[Series], scrapes: Sequence[Series]
) -> Usual | None:
    """What the answers to `queries` tell; None if there was no request."""
    counted = [series for series in requests if not preset.excludes(series.labels)]
    past = past_of(partial(failed_requests, preset), 1, counted)
    total = float(past.requests.sum())
    if not total:
        return None
    sight = Sight(known_since=0.0)
    sight.absorb(scrapes)
    return Usual(
        rate=total / past.seconds,
        share=float(past.losses.sum()) / total,
        phi=overdispersion(past.requests, past.losses[..., 0]),
        latencies=_latencies(preset, [series for series in buckets if not preset.excludes(series.labels)]),
        scrape=sight.interval(),
        pods=int(past.requests.shape[0]),
        seconds=past.seconds,
    )


def _latencies(preset: MetricPreset, buckets: Sequence[Series]) -> Latencies | None:
    """The lognormal distribution that is nearest to the histogram: ln(bound) = ln(median) + sigma z, by least squares
    over its bounds, with z the normal quantile of the share below; None where fewer than two bounds tell."""
    les = tuple(preset.le_of(bound) for bound in preset.bounds)
    slower = past_of(partial(slow_requests, les), len(les), buckets).shares()
    if slower is None:
        return None
    told = (slower > INSIDE[0]) & (slower < INSIDE[1])
    z = -ndtri(slower[told])
    if len(z) < 2 or np.ptp(z) <= 0:
        return None
    sigma, middle = np.polyfit(z, np.log(np.asarray(preset.bounds)[told]), 1)
    return Latencies(exp(float(middle)), float(sigma)) if sigma > 0 else None
