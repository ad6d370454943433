"""Which requests are a loss: answers by code, and the slow ones as count less bucket."""

import pytest

from sluice.core.analysis.counted import Exposure, bound_of, failed_requests, same_bound, slow_requests
from sluice.core.analysis.counters import Delta
from sluice.core.metrics import MetricPreset

PRESET = MetricPreset(requests="requests", latency="seconds")


def answers(time: float, code: str, amount: float) -> Delta:
    return Delta(time, {"code": code}, amount)


def bucket(time: float, le: str, amount: float, pod: str = "a") -> Delta:
    return Delta(time, {"le": le, "pod": pod}, amount)


def test_only_codes_that_match_as_a_whole_are_failures() -> None:
    deltas = [answers(2, "200", 5), answers(2, "503", 2), answers(2, "404", 1), answers(4, "5000", 3)]
    assert failed_requests(PRESET, deltas) == [Exposure(2, 8, 2), Exposure(4, 3, 0)]


def test_another_runtime_names_its_failures_itself() -> None:
    preset = MetricPreset(requests="requests", latency="seconds", code_label="outcome", failure_pattern="fail|error")
    deltas = [Delta(2, {"outcome": "fail"}, 1), Delta(2, {"outcome": "ok"}, 3), Delta(2, {}, 1)]
    assert failed_requests(preset, deltas) == [Exposure(2, 5, 1)]


def test_slow_is_the_count_less_the_bucket_of_each_pod() -> None:
    deltas = [bucket(2, "0.25", 7), bucket(2, "+Inf", 10), bucket(2, "0.25", 4, "b"), bucket(2, "+Inf", 4, "b")]
    assert slow_requests(0.25, deltas) == [Exposure(2, 14, 3)]


@pytest.mark.parametrize("le", ["0.25", "+Inf"])
def test_half_of_a_pair_counts_nothing_and_leaves_the_others(le: str) -> None:
    """The other pod was scraped whole; a missing bucket would make all requests of this one slow."""
    deltas = [bucket(2, le, 10), bucket(2, "0.25", 4, "b"), bucket(2, "+Inf", 5, "b")]
    assert slow_requests(0.25, deltas) == [Exposure(2, 5, 1)]


def test_other_buckets_do_not_matter() -> None:
    assert slow_requests(0.25, [bucket(2, "0.1", 1), bucket(2, "0.25", 2), bucket(2, "+Inf", 3)]) == [Exposure(2, 3, 1)]


def test_bounds_are_numbers() -> None:
    assert bound_of("many") is None
    assert same_bound(bound_of("2.5e-01") or 0, 0.25)
    assert not same_bound(0.25, 0.251)
