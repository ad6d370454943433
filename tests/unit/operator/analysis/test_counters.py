"""The data rules for raw counters, one test each."""

import random as stdlib_random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.core.analysis.counters import BornAtZero, Counters, Delta
from sluice.core.metrics import Series


def series(*points: tuple[float, float], pod: str = "p", **labels: str) -> Series:
    return Series({"__name__": "m", "pod": pod, "job": "pods", "instance": f"{pod}:80"} | labels, points)


def born(*answers: bool) -> BornAtZero:
    """A rule that gives the same answer for every series."""
    return lambda pod, target, time: answers[0]


def amounts(counters: Counters, *answer: Series, at_zero: bool = False) -> list[tuple[float, float]]:
    return [(d.time, d.amount) for d in counters.absorb(answer, born(at_zero))]


def test_the_first_sample_of_an_old_series_is_a_baseline() -> None:
    assert amounts(Counters(), series((10, 500), (12, 503))) == [(10, 0), (12, 3)]


def test_a_series_that_began_at_zero_counts_in_full() -> None:
    assert amounts(Counters(), series((10, 50), (12, 53)), at_zero=True) == [(10, 50), (12, 3)]


def test_a_fall_is_a_reset_and_the_counter_began_again() -> None:
    assert amounts(Counters(), series((10, 500), (12, 4), (14, 6))) == [(10, 0), (12, 4), (14, 2)]


def test_two_prometheus_whose_clocks_differ_count_everything_once() -> None:
    """10 requests a second; one clock is 7 s ahead; each answers for 20 s, with what it has."""
    counters, counted = Counters(), 0.0
    for second in range(0, 600, 5):
        ahead = 7 if second // 20 % 2 else 0
        answer = series(*[(t + ahead, 1000.0 + 10 * t) for t in range(max(0, second - 12), second + 1, 2)])
        counted += sum(amount for _, amount in amounts(counters, answer))
    assert 5800 <= counted <= 5950
    assert counters.backwards


def test_a_restart_is_a_reset_also_right_after_the_last_scrape() -> None:
    assert amounts(Counters(), series((10, 500), (12, 249))) == [(10, 0), (12, 249)]
    assert amounts(Counters(), series((10, 500), (80, 499))) == [(10, 0), (80, 499)]


def by_code(deltas: list[Delta]) -> list[tuple[float, str, float]]:
    return [(delta.time, delta.labels["code"], delta.amount) for delta in deltas]


def pair(*scrapes: tuple[float, float, float], pod: str = "p") -> list[Series]:
    """Scrapes of a pod: (time, successes, failures)."""
    return [
        series(*((time, ok) for time, ok, _ in scrapes), pod=pod, code="200"),
        series(*((time, failed) for time, _, failed in scrapes), pod=pod, code="500"),
    ]


def test_another_clock_is_left_out_with_all_series_also_with_those_that_fell_far() -> None:
    """Few failures fall to less than half within seconds. By themselves they would be a restart, and counted again."""
    counters = Counters()
    counters.absorb(pair((0, 8000, 3)), born(False))
    assert by_code(counters.absorb(pair((5, 7960, 1)), born(False))) == []
    assert by_code(counters.absorb(pair((10, 8100, 4)), born(False))) == [(10, "200", 100), (10, "500", 1)]
    assert counters.backwards == 2


@pytest.mark.parametrize("second", [(30, 600, 3), (30, 900, 3), (30, 600, 9)])
def test_a_scrape_after_a_short_life_that_may_be_another_process_is_a_baseline(
    second: tuple[float, float, float],
) -> None:
    """The successes alone could be told late, the failures alone would be a restart, or the other way round: counting
    3 failures of no success was evidence for a rollback. So were 40 successes and 16 failures more than in the life
    before, which are no counts at all."""
    counters = Counters()
    counters.absorb(pair((0, 800, 8)), born(True))
    told = counters.absorb(pair(second, (60, 1500, 12)), born(True))
    _, ok, failed = second
    assert by_code(told) == [(30, "200", 0), (30, "500", 0), (60, "200", 1500 - ok), (60, "500", 12 - failed)]


def test_a_process_that_did_more_than_the_one_before_is_another_one_however_long_nobody_looked() -> None:
    counters = Counters()
    counters.absorb(pair((0, 500, 8)), born(True))
    assert by_code(counters.absorb(pair((90, 600, 3)), born(True))) == [(90, "200", 0), (90, "500", 0)]


def test_an_old_process_that_falls_below_half_began_again_also_right_after_its_last_scrape() -> None:
    counters = Counters()
    counters.absorb(pair((0, 60, 1), (200, 8000, 80)), born(True))
    assert by_code(counters.absorb(pair((230, 600, 3)), born(True))) == [(230, "200", 600), (230, "500", 3)]


def test_a_process_that_began_again_counts_all_that_it_tells() -> None:
    counters = Counters()
    counters.absorb(pair((0, 8000, 80)), born(False))
    assert by_code(counters.absorb(pair((30, 600, 3)), born(False))) == [(30, "200", 600), (30, "500", 3)]


def test_a_series_that_was_away_when_its_process_began_again_counts_in_full_also_in_a_later_answer() -> None:
    """One failure in the life before, one in this: the same number is another failure."""
    for cut in (True, False):
        counters = Counters()
        counters.absorb(pair((0, 8000, 1)), born(False))
        answers = [[series((30, 600), code="200")], pair((60, 1200, 1))]
        if not cut:
            answers = [[series((30, 600), (60, 1200), code="200"), series((60, 1), code="500")]]
        told = [entry for answer in answers for entry in by_code(counters.absorb(answer, born(False)))]
        assert told == [(30, "200", 600), (60, "200", 600), (60, "500", 1)]


def test_it_is_known_after_a_restart_of_the_operator_which_process_began_again() -> None:
    counters, another = Counters(), Counters()
    counters.absorb(pair((0, 8000, 1)), born(False))
    counters.absorb([series((30, 600), code="200")], born(False))
    another.restore(counters.save())
    assert by_code(another.absorb(pair((60, 1200, 1)), born(False))) == [(60, "200", 600), (60, "500", 1)]


def test_another_pod_goes_on_while_one_begins_again() -> None:
    counters = Counters()
    counters.absorb([*pair((0, 8000, 80)), *pair((0, 900, 9), pod="q")], born(False))
    told = counters.absorb([*pair((30, 600, 3)), *pair((30, 1500, 12), pod="q")], born(False))
    assert [delta.amount for delta in told if delta.labels["pod"] == "q"] == [600, 3]


def test_an_overlap_of_two_answers_counts_once() -> None:
    counters = Counters()
    amounts(counters, series((10, 5), (12, 7)))
    assert amounts(counters, series((10, 5), (12, 7), (14, 8))) == [(14, 1)]
    assert amounts(counters, series((12, 7), (14, 8))) == []


def test_a_series_that_vanishes_and_returns_is_not_counted_again() -> None:
    counters = Counters()
    amounts(counters, series((10, 500)))
    assert amounts(counters, at_zero=True) == []
    assert amounts(counters, series((99, 501)), at_zero=True) == [(99, 1)]


def test_a_pod_scraped_by_two_jobs_is_counted_once_and_by_the_same_one_for_good() -> None:
    counters = Counters()
    both = (series((10, 0), (12, 4)), series((11, 0), (13, 4), job="again"))
    assert amounts(counters, *both) == [(10, 0), (12, 4)]
    assert amounts(counters, series((15, 9), job="again")) == []


def test_the_two_series_of_one_target_both_count_and_come_in_the_order_of_time() -> None:
    counters = Counters()
    deltas = counters.absorb([series((10, 1), (12, 5), code="200"), series((12, 2), code="500")], born(True))
    assert [(d.time, d.labels["code"], d.amount) for d in deltas] == [(10, "200", 1), (12, "200", 4), (12, "500", 2)]


def test_values_that_are_no_numbers_are_left_out() -> None:
    assert amounts(Counters(), series((10, 1), (12, float("nan")), (14, float("inf")), (16, 3))) == [(10, 0), (16, 2)]


@given(st.lists(st.integers(0, 50), min_size=1, max_size=40), st.randoms())
def test_however_a_history_is_cut_the_total_is_the_same(steps: list[int], random: stdlib_random.Random) -> None:
    """Answers overlap at random, as those of two polls do."""
    total, points = 0, []
    for second, step in enumerate(steps):
        total += step
        points.append((float(second), float(total)))
    counters, cut, counted = Counters(), 0, 0.0
    while cut < len(points):
        end = random.randint(cut + 1, len(points))
        counted += sum(n for _, n in amounts(counters, series(*points[max(0, cut - 3) : end]), at_zero=True))
        cut = end
    assert counted == total


NAN, INF = float("nan"), float("inf")


def test_a_value_that_is_no_number_counts_nothing_and_what_it_hid_counts_when_it_is_one_again() -> None:
    counters = Counters()
    assert amounts(counters, series((10, 5), (12, NAN), (14, INF))) == [(10, 0)]
    assert counters.illegible_since("p") == 12
    assert amounts(counters, series((12, NAN), (14, INF), (16, 9))) == [(16, 4)]
    assert counters.illegible_since("p") is None


def test_one_series_without_numbers_blinds_its_pod_and_no_other_whatever_the_others_tell() -> None:
    counters = Counters()
    amounts(counters, series((10, 5), (12, 6)), series((10, 1), (12, -INF), code="500"), series((12, 3), pod="q"))
    assert counters.illegible_since("p") == 12
    assert counters.illegible_since("q") is None


def test_a_series_that_went_away_without_numbers_is_no_reason_to_be_blind() -> None:
    counters = Counters()
    amounts(counters, series((10, NAN), code="500"), series((10, 5)))
    amounts(counters, series((12, 6)))
    assert counters.illegible_since("p") is None


def test_time_without_numbers_begins_anew_after_a_number() -> None:
    counters = Counters()
    amounts(counters, series((10, NAN), (12, 6), (14, NAN), (16, NAN)))
    assert counters.illegible_since("p") == 14
    amounts(counters, series((12, 6), (14, NAN), (16, NAN), (18, NAN)))
    assert counters.illegible_since("p") == 14


def test_a_difference_says_whether_the_counter_began_again() -> None:
    told = Counters().absorb([series((10, 500), (12, 4), (14, 6))], born(False))
    assert [delta.reset for delta in told] == [False, True, False]
