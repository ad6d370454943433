"""Which requests are a loss: answers by code, and the slow ones as count less bucket."""

import pytest

from sluice.core.analysis.counters import Delta
from sluice.core.analysis.exposure import (
    Exposure,
    bound_of,
    failed_requests,
    position_of,
    same_bound,
    shared_bounds,
    slow_requests,
)
from sluice.core.metrics import MetricPreset

PRESET = MetricPreset(requests="requests", latency="seconds")


def told(exposures: list[Exposure]) -> list[tuple[float, float, list[float]]]:
    """Times, requests and losses."""
    return [(one.time, one.requests, one.losses.tolist()) for one in exposures]


def answers(time: float, code: str, amount: float) -> Delta:
    return Delta(time, {"code": code}, amount)


def bucket(time: float, le: str, amount: float, pod: str = "a") -> Delta:
    return Delta(time, {"le": le, "pod": pod}, amount)


def test_only_codes_that_match_as_a_whole_are_failures() -> None:
    deltas = [answers(2, "200", 5), answers(2, "503", 2), answers(2, "404", 1), answers(4, "5000", 3)]
    assert told(failed_requests(PRESET, deltas)) == [(2, 8, [2]), (4, 3, [0])]


def test_another_runtime_names_its_failures_itself() -> None:
    preset = MetricPreset(requests="requests", latency="seconds", code_label="outcome", failure_pattern="fail|error")
    deltas = [Delta(2, {"outcome": "fail"}, 1), Delta(2, {"outcome": "ok"}, 3), Delta(2, {}, 1)]
    assert told(failed_requests(preset, deltas)) == [(2, 5, [1])]


def test_slow_is_the_count_less_the_bucket_of_each_pod() -> None:
    deltas = [bucket(2, "0.25", 7), bucket(2, "+Inf", 10), bucket(2, "0.25", 4, "b"), bucket(2, "+Inf", 4, "b")]
    assert told(slow_requests((0.25,), deltas)) == [(2, 14, [3])]


@pytest.mark.parametrize("le", ["0.25", "+Inf"])
def test_half_of_a_pair_counts_nothing_and_leaves_the_others(le: str) -> None:
    """The other pod was scraped whole; a missing bucket would make all requests of this one slow."""
    deltas = [bucket(2, le, 10), bucket(2, "0.25", 4, "b"), bucket(2, "+Inf", 5, "b")]
    assert told(slow_requests((0.25,), deltas)) == [(2, 5, [1])]


def test_other_buckets_do_not_matter() -> None:
    deltas = [bucket(2, "0.1", 1), bucket(2, "0.25", 2), bucket(2, "+Inf", 3)]
    assert told(slow_requests((0.25,), deltas)) == [(2, 3, [1])]


def test_slow_is_told_for_each_bound() -> None:
    deltas = [bucket(2, "0.1", 1), bucket(2, "0.25", 4), bucket(2, "+Inf", 9)]
    assert told(slow_requests((0.1, 0.25), deltas)) == [(2, 9, [8, 5])]


def test_when_the_scrape_before_was_and_what_was_before_anybody_looked() -> None:
    """Two series of one pod: one known since 2, one that is new and had counted 50 before."""
    deltas = [
        Delta(4, {"code": "200"}, 5, before=2),
        Delta(4, {"code": "500"}, 0, before=None, uncounted=50),
    ]
    [one] = failed_requests(PRESET, deltas)
    assert (one.began, one.uncounted) == (2, 50)
    buckets = [Delta(4, {"le": le}, 5, before=3, uncounted=7) for le in ("0.25", "+Inf")]
    [one] = slow_requests((0.25,), buckets)
    assert (one.began, one.uncounted) == (3, 7)


def test_bounds_are_numbers() -> None:
    assert bound_of("many") is None
    assert same_bound(bound_of("2.5e-01") or 0, 0.25)
    assert not same_bound(0.25, 0.251)


def test_histograms_are_compared_at_the_bounds_that_both_have() -> None:
    assert shared_bounds((1, 0.1, 0.25), (0.25, 0.5, 1)) == (0.25, 1)
    assert position_of("2.5e-01", (0.1, 0.25)) == 1
    assert position_of("+Inf", (0.1, float("inf"))) == 1
    assert position_of("0.3", (0.1, 0.25)) is None
    assert position_of("much", (0.1, 0.25)) is None
