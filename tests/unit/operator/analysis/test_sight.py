"""When is a pod seen, and how fresh is what is known about it?"""

import pytest

from sluice.core.analysis.sight import DEFAULT_INTERVAL, Sight
from sluice.core.metrics import Series

NOTHING_CHOSEN: dict[str, tuple[str, str]] = {}


def up(*points: tuple[float, float], pod: str = "p", job: str = "pods") -> Series:
    return Series({"__name__": "up", "pod": pod, "job": job, "instance": f"{pod}:80"}, points)


def sight_of(*answer: Series) -> Sight:
    sight = Sight(known_since=0)
    sight.absorb(answer)
    return sight


@pytest.mark.parametrize(
    ("points", "now", "seen"),
    [
        ([], 100, False),
        ([(98, 1)], 100, False),
        ([(96, 1), (98, 1)], 100, True),
        ([(96, 0), (98, 1)], 100, False),
        ([(96, 1), (98, 0)], 100, False),
        ([(94, 1), (96, 0), (98, 1)], 99, True),
        ([(96, 1), (98, 1)], 101.9, True),
        ([(96, 1), (98, 1)], 105, False),
        ([(0, 1), (30, 1), (60, 1)], 119, True),
        ([(0, 1), (30, 1), (60, 1)], 121, False),
    ],
)
def test_a_pod_is_seen_after_two_fresh_successful_scrapes(
    points: list[tuple[float, float]], now: float, seen: bool
) -> None:
    """Fresh is three scrape intervals (2 s: 6 s; 30 s: 90 s)."""
    assert sight_of(up(*points)).seen("p", now, NOTHING_CHOSEN) is seen


def test_the_interval_is_learnt_and_one_late_scrape_does_not_change_it() -> None:
    assert sight_of().interval() == DEFAULT_INTERVAL
    assert sight_of(up((0, 1), (2, 1), (4, 0), (9, 1), (11, 1))).interval() == 2


def test_freshness_is_never_less_than_five_seconds() -> None:
    assert sight_of(up((0, 1), (1, 1), (2, 1))).fresh_for() == 5


def test_only_new_samples_are_news() -> None:
    sight = sight_of(up((0, 1), (2, 1)))
    assert not sight.absorb([up((0, 1), (2, 1))])
    assert sight.absorb([up((2, 1), (4, 1))])


def test_a_failed_scrape_is_known_but_shows_nothing() -> None:
    sight = sight_of(up((0, 1), (2, 1), (4, 0)))
    assert sight.newest("p", NOTHING_CHOSEN) == 2


def test_a_second_target_of_the_pod_does_not_stand_in_for_the_one_that_counts_requests() -> None:
    """A side-car may be scraped well while the model server is not."""
    sight = sight_of(up((0, 1), (2, 1), (4, 0)), up((0, 1), (2, 1), (4, 1), job="sidecar"))
    assert sight.newest("p", NOTHING_CHOSEN) == 4
    assert sight.newest("p", {"p": ("pods", "p:80")}) == 2


def test_a_series_that_is_new_on_a_target_scraped_before_began_at_zero() -> None:
    sight = sight_of(up((10, 1), (12, 1)))
    target = ("pods", "p:80")
    assert sight.scraped_before("p", target, 12)
    assert not sight.scraped_before("p", target, 10)
    assert not sight.scraped_before("other", target, 12)


def test_a_failed_scrape_or_one_before_the_history_that_was_read_does_not_prove_that_a_series_was_absent() -> None:
    sight = Sight(known_since=11)
    sight.absorb([up((10, 1), (12, 0))])
    assert not sight.scraped_before("p", ("pods", "p:80"), 14)
