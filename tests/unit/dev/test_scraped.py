"""What pods' counters tell that restart and are replaced: nothing is made up, and only what a restart takes is lost."""

from math import inf

import numpy as np
import pytest

from sluice.core.analysis.counters import Counters
from sluice.core.analysis.questions import UP
from sluice_dev.decisions.reading import Told
from sluice_dev.decisions.scraped import BEFORE, DOWN, ScrapedRollouts, ScrapedTraffic, Scrapes, Slots

LENGTH = 2400.0
WORLDS = 10


def counted(scrapes: Scrapes, world: int, interval: float) -> float:
    """All requests that the operator's own rules find in the samples, if every series began at 0."""
    _, answer = Told(scrapes, world, interval, "flights-8b21de07-6d5f9c7b8d").read(LENGTH)
    return sum(delta.amount for delta in Counters().absorb(answer, lambda pod, target, time: True))


def of_world(slots: Slots, world: int) -> tuple[float, float, float]:
    """(done, lost, untold) requests."""
    return tuple(float(counts[world].sum()) for counts in (slots.done, slots.lost, slots.untold))  # type: ignore[return-value]


@pytest.mark.parametrize("routes", [1, 5])
def test_pods_that_are_replaced_lose_what_they_counted_since_their_last_scrape(routes: int) -> None:
    rollouts = ScrapedRollouts(ScrapedTraffic(50, 0.05, replaced=300, routes=routes), WORLDS, 1, LENGTH)
    slots = rollouts.slots["candidate"]
    assert rollouts.candidate.pod.max() >= 3
    for world in range(WORLDS):
        done, lost, untold = of_world(slots, world)
        assert lost > 0
        assert counted(rollouts.candidate, world, 15.0) == done - lost - untold


def test_without_restarts_nothing_is_lost() -> None:
    rollouts = ScrapedRollouts(ScrapedTraffic(50, 0.05), WORLDS, 1, LENGTH)
    assert not any(slots.lost.any() for slots in rollouts.slots.values())
    done, _, untold = of_world(rollouts.slots["candidate"], 0)
    assert counted(rollouts.candidate, 0, 15.0) == done - untold


def test_a_restarted_counter_begins_again_and_a_little_is_lost() -> None:
    """A container that exits each 5 min loses half a scrape interval of it, 2.5%, and 5 s of requests."""
    rollouts = ScrapedRollouts(ScrapedTraffic(50, 0.05, restart=300), WORLDS, 1, LENGTH)
    slots, told = rollouts.slots["candidate"], 0.0
    falls = np.diff(rollouts.candidate.values.sum(axis=(-2, -1)), axis=-1) < 0
    assert falls.sum() >= WORLDS * 4
    for world in range(WORLDS):
        done, lost, untold = of_world(slots, world)
        found = counted(rollouts.candidate, world, 15.0)
        assert found <= done - lost - untold
        told += found
    assert slots.lost.sum() / slots.done.sum() == pytest.approx(0.025, abs=0.01)
    # a container that exits again before it was scraped twice looks like two clocks, and counts for less
    assert told / (slots.done - slots.lost - slots.untold).sum() > 0.995


def test_scrapes_of_a_container_that_starts_fail() -> None:
    rollouts = ScrapedRollouts(ScrapedTraffic(50, 0.05, restart=300), 50, 1, LENGTH)
    there = np.isfinite(rollouts.stable.times)
    assert 1 - rollouts.stable.up[there].mean() == pytest.approx(DOWN / 300, rel=0.3)


def test_a_series_is_there_only_once_it_has_counted() -> None:
    rollouts = ScrapedRollouts(ScrapedTraffic(20, 0.01, routes=4, fresh=True), 3, 1, LENGTH)
    ups, answer = Told(rollouts.stable, 0, 15.0, "flights-6f9c41d2-6d5f9c7b8d").read(600.0)
    assert {series.labels["__name__"] for series in ups} == {UP}
    assert all(value > 0 for series in answer for _, value in series.points)
    first = {series.labels["pod"]: series.points[0][0] for series in ups}
    births = [series.points[0][0] for series in answer if series.labels["code"] == "500"]
    assert births
    assert max(births) - min(births) > 30
    assert all(series.points[0][0] > first[series.labels["pod"]] for series in answer)


def test_an_answer_tells_what_came_since_the_one_before() -> None:
    rollouts = ScrapedRollouts(ScrapedTraffic(50, 0.05, replaced=300), 2, 1, LENGTH)
    whole, parts = (Told(rollouts.stable, 1, 15.0, "flights-6f9c41d2-6d5f9c7b8d") for _ in range(2))
    once = [sorted((tuple(s.labels.items()), p) for s in answer for p in s.points) for answer in whole.read(LENGTH)]
    cut: list[list[object]] = [[], []]
    for until in (*np.arange(-BEFORE, LENGTH, 35.0).tolist(), LENGTH):
        for known, answer in zip(cut, parts.read(until), strict=True):
            known += [(tuple(s.labels.items()), p) for s in answer for p in s.points]
    assert [sorted(known) for known in cut] == once  # type: ignore[type-var]


def test_new_pods_are_known_with_the_time_at_which_they_started() -> None:
    rollouts = ScrapedRollouts(ScrapedTraffic(50, 0.05, replaced=300, fresh=True), 2, 1, LENGTH)
    pods = Told(rollouts.stable, 0, 15.0, "flights-6f9c41d2-6d5f9c7b8d").pods()
    assert len(pods) == np.isfinite(rollouts.stable.started[0]).sum() > 6
    old = ScrapedRollouts(ScrapedTraffic(50, 0.05), 2, 1, LENGTH)
    assert np.all(old.stable.started[..., 0] < -BEFORE)
    assert np.all(old.candidate.started[..., 0] >= 0)


def test_the_shares_and_rates_are_those_that_were_asked_for() -> None:
    rollouts = ScrapedRollouts(ScrapedTraffic(100, 0.02, 20, spread=0.0, restart=inf), 50, 1, LENGTH)
    done = rollouts.slots["stable"].done.sum(axis=(0, 1, 2))
    assert done[1] / done.sum() == pytest.approx(0.02, rel=0.03)
    candidate = rollouts.slots["candidate"].done.sum() / 50
    assert candidate == pytest.approx(100 * 0.2 * (LENGTH - 30), rel=0.03)
    requests = np.diff(rollouts.history.values.sum(axis=(1, 3, 4)), axis=-1)
    assert requests.mean() == pytest.approx(100 * 120, rel=0.01)
    assert requests.shape == (50, 30)
