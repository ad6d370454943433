"""What is usual of a running stable, from an hour of its counters: made with known traffic, found again."""

from math import exp, inf

import numpy as np
import pytest
from scipy.special import ndtr

from sluice.core.forecast.measured import Usual, queries, usual_of
from sluice.core.metrics import LATENCY_BOUNDS, MetricPreset, Series

PRESET = MetricPreset(requests="http_requests_total", latency="http_request_duration_seconds")
BLOCKS = 31
MEDIAN, SIGMA = 0.080, 0.6


def counter(pod: str, per_block: float, noise: np.random.Generator | None = None, **labels: str) -> Series:
    """A counter that each block of 120 s adds this much to, from a pod that is old."""
    steps = noise.poisson(per_block, BLOCKS) if noise else np.full(BLOCKS, per_block)
    values = 5000 + np.cumsum(steps)
    full = {"pod": pod, "namespace": "shop", "job": "pods", "instance": pod} | labels
    return Series(full, tuple((120.0 * k, float(v)) for k, v in enumerate(values)))


def requests(rate: float, share: float, *pods: str, seed: int = 1) -> tuple[Series, ...]:
    each, random = rate * 120 / len(pods), np.random.default_rng(seed)
    good = [counter(pod, each * (1 - share), random, code="200") for pod in pods]
    return (*good, *(counter(pod, each * share, random, code="500") for pod in pods)) if share else tuple(good)


def buckets(preset: MetricPreset, per_block: float = 6000.0) -> tuple[Series, ...]:
    below = ndtr((np.log(LATENCY_BOUNDS) - np.log(MEDIAN)) / SIGMA)
    le = [f"{preset.le_of(bound):g}" for bound in LATENCY_BOUNDS]
    told = [counter("a", per_block * share, le=text) for text, share in zip(le, below, strict=True)]
    return (*told, counter("a", per_block, le="+Inf"))


def scrapes(each: float) -> tuple[Series, ...]:
    labels = {"pod": "a", "job": "pods", "instance": "a"}
    return (Series(labels, tuple((3600 + each * k, 1.0) for k in range(20))),)


def found(requested: tuple[Series, ...], preset: MetricPreset = PRESET) -> Usual:
    usual = usual_of(preset, requested, buckets(preset), scrapes(2.0))
    assert usual is not None
    return usual


def test_traffic_and_errors() -> None:
    usual = found(requests(100.0, 0.02, "a", "b", "c"))
    assert usual.rate == pytest.approx(100, rel=0.02)
    assert usual.share == pytest.approx(0.02, rel=0.05)
    assert (usual.pods, usual.seconds, usual.scrape) == (3, 3600, 2.0)


def test_independent_failures_scatter_as_such() -> None:
    usual = found(requests(100.0, 0.02, "a", "b", "c"))
    assert 1.0 <= usual.phi < 1.6
    assert usual.burst == round(usual.phi)


@pytest.mark.parametrize("unit", ["s", "ms"])
def test_the_lognormal_is_found_again(unit: str) -> None:
    preset = PRESET.model_copy(update={"latency_unit": unit})
    latencies = found(requests(50.0, 0.0, "a"), preset).latencies
    assert latencies is not None
    assert latencies.median == pytest.approx(MEDIAN, rel=0.01)
    assert latencies.sigma == pytest.approx(SIGMA, rel=0.01)
    assert latencies.above(MEDIAN * exp(1.6449 * SIGMA)) == pytest.approx(0.05, abs=0.002)


def test_no_errors_are_an_unknown_noise() -> None:
    assert found(requests(50.0, 0.0, "a", "b")).phi == 3


def test_a_histogram_that_tells_nothing() -> None:
    """All within the lowest bound: nobody knows how long they took."""
    fast = tuple(counter("a", 100, le=f"{bound:g}") for bound in (*LATENCY_BOUNDS, inf))
    usual = usual_of(PRESET, requests(50.0, 0.0, "a"), fast, scrapes(5.0))
    assert usual is not None
    assert usual.latencies is None
    assert usual_of(PRESET, requests(50.0, 0.0, "a"), (), ()) is not None


def test_no_request_is_no_usual() -> None:
    assert usual_of(PRESET, (), (), ()) is None
    assert usual_of(PRESET, (counter("a", 0, code="200"),), (), ()) is None


def test_what_is_asked() -> None:
    requested, bucketed, scraped = queries(PRESET, "shop", "flights-6f9c41d2")
    pods = 'namespace="shop",pod=~"flights-6f9c41d2-[a-z0-9]+-[a-z0-9]{5}"'
    assert requested == f"http_requests_total{{{pods}}}[3720s:120s]"
    assert bucketed.startswith(f"http_request_duration_seconds_bucket{{{pods},le=~")
    assert scraped == f"up{{{pods}}}[120s]"
