"""The simulated decisions: worlds that mean what they say, batches that are kept, bounds that are computed right."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import ndtr

from sluice.core.forecast.latencies import LatencyTraffic, SlownessRule, _Worlds, judge_latency
from sluice.core.forecast.worlds import Leg, Rollouts, daily, ramp
from sluice.core.metrics import LATENCY_BOUNDS
from sluice_dev.bench.figures import Target
from sluice_dev.decisions.__main__ import pooled, target_of
from sluice_dev.decisions.campaign import Played, Store, campaign, play
from sluice_dev.decisions.cells import CELLS, FALSE_ALARMS, Cell, rollout
from sluice_dev.decisions.example import paths
from sluice_dev.decisions.picture import draw
from sluice_dev.decisions.slices import SlicedTraffic, judge_slices

BAD = Cell("bad", rollout(200, 0.01, failing=0.5), 60, "bad", 60)
SAME = Cell("same", rollout(50, 0.01), 300, "false", 0.0135, 100)


def test_there_are_26_cells_for_false_alarms_and_no_name_twice() -> None:
    assert len(FALSE_ALARMS) == 26
    assert len({cell.name for cell in CELLS}) == len(CELLS)


def test_worlds_have_the_shares_and_the_rates_that_they_are_asked_for() -> None:
    traffic = rollout(200, 0.02, (10, 50), step_seconds=50, factor=3, spread=0.0)
    polls = list(Rollouts(traffic, 200, 1).polls(100))
    first, last = polls[0], polls[-1]
    assert np.mean(first.n1) == pytest.approx(100, rel=0.05)
    assert np.mean(first.n0) == pytest.approx(900, rel=0.05)
    assert np.mean(last.n1) == pytest.approx(500, rel=0.05)
    assert sum(p.x1.sum() for p in polls) / sum(p.n1.sum() for p in polls) == pytest.approx(0.06, rel=0.05)
    assert sum(p.x0.sum() for p in polls) / sum(p.n0.sum() for p in polls) == pytest.approx(0.02, rel=0.05)


def test_losses_in_threes_have_three_times_the_variance() -> None:
    requests, losses = Rollouts(rollout(200, 0.01, burst=3, spread=0.0), 100, 1).history()
    assert np.var(losses) / np.mean(losses) == pytest.approx(3, rel=0.1)
    assert losses.sum() / requests.sum() == pytest.approx(0.01, rel=0.05)


@pytest.mark.parametrize(("course", "at", "factor"), [(daily, 21_600, 1.5), (ramp, 7200, 3), (ramp, 0, 1)])
def test_courses_of_the_base(course: object, at: float, factor: float) -> None:
    assert course(at) == pytest.approx(factor)  # type: ignore[operator]


def test_slow_worlds_have_the_tails_and_the_pods_that_they_are_asked_for() -> None:
    """A lognormal around 60 ms; 16% are slower than one sigma above it; half of the candidate's take twice as long."""
    worlds = _Worlds(LatencyTraffic(200, 0.06, 0.5, (Leg(10, 60),), slowdown=2.0, share=0.5, spread=0.0), 50, 1)
    bound = LATENCY_BOUNDS.index(0.1)
    usual = float(1 - ndtr((np.log(0.1) - np.log(0.06)) / 0.5))
    twice = float(1 - ndtr((np.log(0.1) - np.log(0.12)) / 0.5))
    requests, slow = worlds.counts(1000, worlds.slow(0.0, candidate=True))
    assert requests.mean() == pytest.approx(1000, rel=0.02)
    assert slow[:, bound].mean() / 1000 == pytest.approx((usual + twice) / 2, rel=0.02)
    assert np.all(np.diff(slow, axis=1) <= 0)
    assert worlds.noise(bound).mean() == pytest.approx(1.2, abs=0.2)


def test_a_slow_candidate_is_found_and_one_as_fast_is_certified() -> None:
    legs = (Leg(50, 600),)
    slow = judge_latency(LatencyTraffic(200, 0.06, 0.5, legs, slowdown=1.5), 20, 1, 120, SlownessRule(300))
    same = judge_latency(LatencyTraffic(200, 0.06, 0.5, legs), 20, 1, 600, SlownessRule(300), certify=True)
    assert np.all(slow.failed_at <= 60)
    assert np.all(np.isnan(same.failed_at))
    assert np.median(same.certified_at) <= 400


def test_a_batch_is_the_same_each_time_and_another_one_is_another() -> None:
    assert play([BAD], 0, 50) == play([BAD], 0, 50)
    assert play([BAD], 0, 50) != play([BAD], 1, 50)


def test_two_questions_about_the_same_worlds_are_asked_once(tmp_path: Path) -> None:
    often = replace(BAD, name="bad: how often", question="found", length=20)
    soon = replace(often, name="bad: how soon", question="soon")
    for (_, one), question in zip(campaign([often, soon], 500, Store(tmp_path)), ("found", "soon"), strict=True):
        assert one == play([replace(often, question=question)], 0)[0]
    assert len(list(tmp_path.glob("*.json"))) == 2


def test_cells_of_one_name_must_be_about_the_same_worlds() -> None:
    often = replace(BAD, name="bad: how often", question="found")
    with pytest.raises(ValueError, match="bad: how soon is not about the same worlds as bad: how often"):
        play([often, replace(often, name="bad: how soon", question="soon", length=30)], 0, 5)


def test_a_bad_candidate_is_found_and_an_equal_one_is_not() -> None:
    [bad], [same] = play([BAD], 0, 100), play([SAME], 0, 100)
    assert (bad.hits, same.hits) == (100, 0)
    assert target_of(BAD, bad).met
    assert target_of(SAME, same).met


def test_a_bad_slice_is_found_sooner_by_its_slice() -> None:
    bad = SlicedTraffic(200, 0.005, 0.1, spread=0.0, pod_spread=0.0)
    by_slices = judge_slices(bad, 40, 1, 600, 150)
    together = judge_slices(replace(bad, told=False), 40, 1, 600, 150)
    equal = judge_slices(replace(bad, bad=None), 40, 1, 600, 150)
    assert np.median(by_slices) <= 120
    assert not np.median(np.nan_to_num(together, nan=np.inf)) <= 300
    assert np.isnan(equal).all()


def test_one_that_is_never_certified_counts_as_infinite() -> None:
    assert Played(3, 1, [5.0]).median == float("inf")
    assert not target_of(replace(BAD, question="certified"), Played(3, 1, [5.0])).met


def test_a_campaign_goes_on_where_it_was(tmp_path: Path) -> None:
    store = Store(tmp_path)
    [(_, first)] = campaign([replace(BAD, length=20)], 500, store)
    assert len(list(tmp_path.glob("*.json"))) == 1
    store.put(replace(BAD, length=20), 0, Played(500, 7, [1.0]))
    [(_, again)] = campaign([replace(BAD, length=20)], 500, store)
    assert first.hits == 500
    assert again.hits == 7


def test_the_pooled_bound() -> None:
    """30 of 10,000: 0.3%, at most 0.41% with 95%."""
    bound = pooled([Played(5000, 10), Played(5000, 20)])
    assert bound.value == pytest.approx(0.0041, abs=0.0001)
    assert bound.met
    assert not pooled([Played(1000, 12)]).met


def test_the_example_shows_worse_candidates_rise_and_equal_ones_sink() -> None:
    times, equal, rate = paths(rollout(200, 0.01), 20, 1)
    _, worse, _ = paths(rollout(200, 0.01, factor=5), 20, 1)
    assert equal.shape == rate.shape == (len(times), 20)
    assert np.median(equal[-1]) < 1
    assert np.median(worse[-1]) > 150
    assert rate[-1].mean() == pytest.approx(0.01, rel=0.2)


def test_the_picture_is_drawn_also_of_what_was_never_found(tmp_path: Path) -> None:
    targets = [target_of(BAD, Played(10, 10, [5.0] * 10)), Target("found", 0.0, 0.9, least=True)]
    draw(targets, tmp_path / "decisions.png")
    assert (tmp_path / "decisions.png").read_bytes()[:4] == b"\x89PNG"
