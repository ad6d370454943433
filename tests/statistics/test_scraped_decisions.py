"""Rollouts that are judged from their pods' own counters, and the same with a bug that the figures must show."""

import numpy as np
import pytest

from sluice.core.analysis.judge import Judge
from sluice.core.analysis.questions import Subject
from sluice.core.analysis.sight import Target
from sluice_dev.decisions import reading
from sluice_dev.decisions.cells import ALONE
from sluice_dev.decisions.reading import judge_scraped
from sluice_dev.decisions.scraped import ScrapedTraffic

BIRTHS = ScrapedTraffic(20, 0.01, 50, interval=30, replaced=600, fresh=True, routes=20)


class BirthsIgnored(Judge):
    """Takes a series that appears on a pod of stable for an old one."""

    def _born_at_zero(self, pod: str, target: Target, time: float) -> bool:
        return self._is_candidates(pod)


def test_births_that_are_ignored_roll_back_half_of_the_equal_candidates() -> None:
    """Stable's failures are mostly the first ones of their series: 25 of 40 rollouts are false with the bug, none is
    without."""
    ignored = judge_scraped(BIRTHS, 40, 3, 1800, ALONE, BirthsIgnored)
    counted = judge_scraped(BIRTHS, 40, 3, 1800, ALONE)
    assert np.isfinite(ignored).mean() > 0.3
    assert not np.isfinite(counted).any()


class EachSeriesAlone(Judge):
    """Takes each counter of a pod by itself: what one tells of a restart the others need not."""

    def __init__(self, subject: Subject, joined: float) -> None:
        super().__init__(subject, joined)
        for counters in self._counters.values():
            counters.process_of = lambda series: tuple(sorted(series.labels.items()))


def test_restarts_fail_no_equal_candidate_as_all_counters_of_a_pod_begin_again_together() -> None:
    """Containers that exit each two minutes. With the bug 15% fail within two hours: a restart after a short life is
    seen in the failures, and not in the successes."""
    crashing = ScrapedTraffic(200, 0.01, interval=30, restart=120)
    alone = judge_scraped(crashing, 60, 1, 7200, ALONE, EachSeriesAlone)
    together = judge_scraped(crashing, 60, 1, 7200, ALONE)
    assert np.isfinite(alone).mean() > 0.05
    assert np.isfinite(together).sum() <= 1


def test_the_evidence_does_not_depend_on_how_samples_are_cut_into_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """One restarts, one is new: both read scrape by scrape, and 16 scrapes at once."""
    for traffic in (
        ScrapedTraffic(20, 0.02, restart=200),
        ScrapedTraffic(20, 0.02, replaced=300, routes=3, fresh=True),
    ):
        found: list[list[tuple[float, float, str]]] = []
        for scrapes in (1, 16):
            judges: list[Judge] = []

            def remembered(subject: Subject, joined: float, judges: list[Judge] = judges) -> Judge:
                judges.append(Judge(subject, joined))
                return judges[-1]

            monkeypatch.setattr(reading, "SCRAPES", scrapes)
            judge_scraped(traffic, 4, 1, 900, ALONE, remembered)
            found.append([(c.log_e, c.log_c, c.told()) for judge in judges for c in judge._counted])
        assert found[0] == found[1]
        assert all(log_e != 0 for log_e, _, _ in found[0])


def test_a_bad_candidate_is_found_although_pods_restart() -> None:
    bad = ScrapedTraffic(200, 0.01, restart=300, factor=5)
    assert np.isfinite(judge_scraped(bad, 20, 1, 1200, ALONE)).all()
