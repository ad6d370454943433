"""Two arms whose scrapes come at different times: one evidence, however the answers are cut."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite, log
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.core.analysis.comparison import KEPT, PATIENCE, WITH_TRAFFIC, Arm, Comparison, Counts, Step, settle_together
from sluice.core.analysis.eprocess import log_evidence, nothing_bet, open_epoch
from sluice.core.analysis.rate_bets import RateBets, RateState
from sluice.core.analysis.rates import tolerated_ratio, two_sample_bet
from sluice.core.analysis.slowdown_bets import SlowdownBets

SCRAPE = tuple[float, Arm, str, int, int]
ARMS: tuple[tuple[str, Arm, float, float], ...] = (
    ("c", "candidate", 0.1, 0.3),
    ("s1", "stable", 0.3, 0.9),
    ("s2", "stable", 0.3, 1.2),
    ("s3", "stable", 0.3, 1.7),
)
"""Pod, arm, share of the requests, offset of its scrapes."""


def scrapes(seconds: int, bad: float, base: float, interval: int = 2, rate: float = 200, seed: int = 1) -> list[SCRAPE]:
    """One candidate pod at 10% and three stable ones, each scraped at an offset of its own."""
    random = np.random.default_rng(seed)
    found: list[SCRAPE] = []
    for pod, arm, share, offset in ARMS:
        for k in range(seconds // interval):
            n = int(random.poisson(rate * share * interval))
            x = int(random.binomial(n, bad if arm == "candidate" else base))
            found.append((k * interval + offset * interval / 2, arm, pod, n, x))
    return sorted(found)


def put(test: Comparison[Any], scrape: SCRAPE) -> None:
    """Counts of one scrape, with one way to lose."""
    time, arm, pod, requests, losses = scrape
    test.add(time, arm, pod, requests, np.array([losses]))


def begun(**settings: float) -> Comparison[RateState]:
    """A comparison of shares, from time 0 on."""
    test: Comparison[RateState] = Comparison(origin=0)
    test.begin(RateBets(phi=1.0, **settings))
    return test


def evidence(found: list[SCRAPE], step: float = 1.0, **settings: float) -> Comparison[RateState]:
    """Read in pieces of `step` seconds."""
    test = begun(**settings)
    end = max(time for time, *_ in found) + 2
    read, until = 0, 0.0
    while until < end:
        until += step
        while read < len(found) and found[read][0] <= until:
            put(test, found[read])
            read += 1
        test.settle(until)
    return test


def test_one_poll_is_the_bet_of_its_counts() -> None:
    test = begun()
    test.add(0.3, "candidate", "c", 20, np.array([10]))
    for pod in ("s1", "s2", "s3"):
        test.add(0.5, "stable", pod, 60, np.array([1]))
    test.settle(1)
    wealth = two_sample_bet(open_epoch(nothing_bet(), 1), 20, 10, 180, 3, tolerated_ratio(1, 3), 0.0005)
    assert test.log_e == pytest.approx(float(log_evidence(wealth, 1)))


def test_nothing_is_concluded_before_the_window_has_ended() -> None:
    test = begun()
    test.add(0.3, "candidate", "c", 20, np.array([20]))
    test.add(0.5, "stable", "s", 180, np.array([0]))
    test.settle(0.99)
    assert test.log_e == 0
    test.settle(1.0)
    assert test.log_e > log(100)


@pytest.mark.parametrize("interval", [1, 2, 5, 15, 30])
def test_half_of_the_answers_failing_is_found_at_any_scrape_interval(interval: int) -> None:
    assert evidence(scrapes(120, 0.5, 0.001, interval)).peak >= log(150)


@pytest.mark.no_cover
@pytest.mark.parametrize("interval", [1, 15])
def test_as_good_as_stable_is_no_evidence(interval: int) -> None:
    peaks = [evidence(scrapes(600, 0.01, 0.01, interval, seed=seed)).peak for seed in range(8)]
    assert max(peaks) < log(100)


@pytest.mark.parametrize("step", [1.0, 7.0, 300.0])
def test_however_the_history_is_cut_the_evidence_is_the_same(step: float) -> None:
    found = scrapes(240, 0.03, 0.01)
    whole = evidence(found, promotion_margin=0.01)
    cut = evidence(found, step, promotion_margin=0.01)
    assert (cut.log_e, cut.peak, cut.log_c) == (whole.log_e, whole.peak, whole.log_c)
    assert (cut.total.n1, cut.total.x1, cut.total.n0) == (whole.total.n1, whole.total.x1, whole.total.n0)


def test_a_late_sample_counts_where_it_belongs() -> None:
    found = scrapes(60, 0.2, 0.01)
    late = next(s for s in found if s[0] > 50 and s[1] == "candidate")
    test = begun()
    for scrape in found:
        if scrape != late:
            put(test, scrape)
    test.settle(70)
    put(test, late)
    test.settle(70)
    assert test.log_e == evidence(found).log_e


def test_a_busy_hour_of_stable_is_not_compared_with_the_first_second_of_the_candidate() -> None:
    """Stable failed a lot in the past; the candidate fails as much as stable does now."""
    test = begun()
    for second in range(1000):
        test.add(second + 0.5, "stable", "s", 200, np.array([0]))
    test.settle(1000)
    test.add(1000 + PATIENCE + 0.5, "candidate", "c", 20, np.array([4]))
    test.add(1000 + PATIENCE + 0.6, "stable", "s", 180, np.array([36]))
    test.settle(1002 + PATIENCE)
    assert test.log_e < log(3)


def test_only_what_was_compared_is_told() -> None:
    """Stable goes on serving while the candidate waits: words about that would change for ever."""
    test = begun()
    test.add(0.5, "candidate", "c", 20, np.array([1]))
    test.add(0.6, "stable", "s", 180, np.array([2]))
    for second in range(1, 50):
        test.add(second + 0.6, "stable", "s", 180, np.array([2]))
    test.settle(60)
    assert (test.compared.n1, test.compared.n0) == (20, 180)
    assert test.total.n0 == 50 * 180


def test_what_is_closed_takes_no_memory() -> None:
    test = evidence(scrapes(3600, 0.01, 0.01))
    assert len(test._windows) <= KEPT + 1


def test_a_healthy_candidate_is_certified_and_one_at_the_margin_is_not() -> None:
    assert evidence(scrapes(1800, 0.01, 0.01, rate=400), promotion_margin=0.01).peak_c >= log(20)
    assert evidence(scrapes(1800, 0.0225, 0.01, rate=400), promotion_margin=0.01).peak_c < log(20)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(0, 400), st.sampled_from(["candidate", "stable"]), st.sampled_from("ab"),
            st.integers(0, 10**9), st.integers(0, 10**9),
        ),
        max_size=30,
    )
)  # fmt: skip
def test_any_counts_in_any_order_give_a_number(found: list[SCRAPE]) -> None:
    test = begun(promotion_margin=0.002)
    for scrape in found:
        put(test, scrape)
        test.settle(scrape[0])
    test.settle(1000)
    assert all(map(isfinite, (test.log_e, test.log_c, test.peak, test.peak_c)))


def test_before_the_overdispersion_is_known_nothing_is_computed() -> None:
    test: Comparison[RateState] = Comparison(origin=0)
    for scrape in scrapes(60, 0.5, 0.001):
        put(test, scrape)
        test.settle(scrape[0])
    assert (test.log_e, test.peak) == (0, 0)
    assert not test.begun
    test.begin(RateBets(phi=1.0))
    test.settle(62)
    assert test.peak == evidence(scrapes(60, 0.5, 0.001)).peak


def test_what_is_bet_is_fixed_once() -> None:
    with pytest.raises(ValueError, match="fixed once"):
        begun().begin(RateBets(phi=2.0))


@dataclass(frozen=True)
class Page:
    """What was written down so far."""

    lines: tuple[str, ...] = ()
    log_e: float = 0.0
    log_c: float = 0.0


class Diary:
    """Bets nothing and writes down what it is given."""

    group = "diary"

    def nothing(self) -> Page:
        return Page()

    def remember(self, state: Page, counts: Counts, index: int) -> Page:
        return Page((*state.lines, f"{index}: remembers {counts.n0:.0f}"))

    def compare(self, steps: Sequence[Step[Page]]) -> list[Page]:
        return [Page((*s.state.lines, f"{s.index}: compares {s.counts.n1:.0f} with {s.counts.n0:.0f}")) for s in steps]


def test_what_is_compared_with_nothing_is_remembered_when_its_time_has_come() -> None:
    """Before the origin at once, after it when the candidate did not come in time."""
    test: Comparison[Page] = Comparison(origin=100)
    test.begin(Diary())
    test.add(40.5, "candidate", "c", 5, np.array([0]))  # no request of this rollout
    test.add(50.5, "stable", "s", 10, np.array([0]))
    test.add(100.5, "stable", "s", 20, np.array([0]))
    test.add(101.5, "stable", "s", 30, np.array([0]))
    test.add(100 + PATIENCE + 0.5, "candidate", "c", 1, np.array([0]))
    test.settle(300)
    assert test.state is not None
    assert test.state.lines == ("-50: remembers 10", "0: remembers 20", f"{PATIENCE}: compares 1 with 30")
    assert (test.total.n1, test.total.n0) == (1, 50)


RATES: tuple[tuple[Arm, int], ...] = (("stable", 180), ("candidate", 20))


def fed(test: Comparison[Any], seed: int, ways: int) -> Comparison[Any]:
    """Ten minutes of history of stable, one of both arms, each with its own numbers."""
    random = np.random.default_rng(seed)
    for second in range(-600, 60, 2 + seed % 3):
        for arm, rate in RATES if second > 0 else RATES[:1]:
            slow = np.sort(random.binomial(rate, np.linspace(0.4, 0.01 * (1 + seed % 4), ways)))[::-1]
            test.add(second + 0.1 * (seed % 7), arm, arm, float(rate), slow.astype(float))
    return test


@pytest.mark.parametrize(
    ("ways", "bets"),
    [
        (1, lambda seed: RateBets(phi=1 + seed / 10, ratio=1.1 + seed / 10, pod_spread=0.0, promotion_margin=0.01)),
        (3, lambda seed: SlowdownBets((0.1, 0.2, 0.4), phi=1 + seed / 10, proof=1 if seed % 2 else None)),
    ],
)
def test_company_changes_no_result(ways: int, bets: Callable[[int], Any]) -> None:
    """Eight rollouts with their own settings and scrapes, settled together and each by itself."""
    together, alone = ([fed(Comparison(0, ways), seed, ways) for seed in range(8)] for _ in range(2))
    for seed in range(8):
        together[seed].begin(bets(seed))
        alone[seed].begin(bets(seed))
        alone[seed].settle(50 + seed)
    settle_together([(test, 50 + seed) for seed, test in enumerate(together)])
    for one, other in zip(together, alone, strict=True):
        assert one.log_e != 0
        assert (one.log_e, one.log_c, one.peak, one.peak_c) == (other.log_e, other.log_c, other.peak, other.peak_c)


def test_pods_of_windows_that_were_closed_still_count_as_having_traffic() -> None:
    """A second pod of the candidate answered 40 s ago: two are compared, so less is tolerated."""
    both, one = begun(pod_spread=0.2), begun(pod_spread=0.2)
    for second in range(60):
        for test, pod in ((both, "c2"), (one, "c")):
            test.add(second + 0.1, "candidate", pod if second < 20 else "c", 20, np.array([1]))
            test.add(second + 0.2, "stable", "s", 180, np.array([1]))
            test.settle(second + 1)
    assert both._pods(len(both._windows) - 1) == {"candidate": 2, "stable": 1}
    assert one._pods(len(one._windows) - 1) == {"candidate": 1, "stable": 1}
    assert both.log_e > one.log_e
    for second in range(60, 240):
        both.add(second + 0.1, "candidate", "c", 20, np.array([1]))
        both.add(second + 0.2, "stable", "s", 180, np.array([1]))
        both.settle(second + 1)
    assert {arm: list(pods) for arm, pods in both._traffic.items()} == {"candidate": ["c"], "stable": ["s"]}
    assert len(both._traffic["stable"]["s"]) <= WITH_TRAFFIC + 2 * KEPT + 1
