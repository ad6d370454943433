"""The interval that people are told: it holds the true ratio at every moment at once, and narrows."""

import numpy as np
import pytest

from sluice.core.analysis.ratio import RATIOS, count_ratios, new_ratios, ratio_interval
from sluice.core.analysis.wording import between


def test_the_worked_example_of_the_module() -> None:
    least, most = ratio_interval(count_ratios(new_ratios(), 10_000, 30, 30_000, 90))
    assert least is not None
    assert most is not None
    assert 1 / 3 <= least < 1 < most <= 2.52


@pytest.mark.parametrize("ratio", [0.5, 1.0, 4.0])
def test_the_true_ratio_is_rarely_ever_left_out(ratio: float) -> None:
    """200 rollouts, looked at 120 times each; the nearest ratio of the grid stands for the true one."""
    random, worlds = np.random.default_rng(2), 200
    wealth, missed = new_ratios((worlds,)), np.zeros(worlds, dtype=bool)
    at = int(np.argmin(np.abs(np.log(RATIOS / ratio))))
    for _ in range(120):
        x1, x0 = random.poisson(100 * 0.02 * RATIOS[at], worlds), random.poisson(300 * 0.02, worlds)
        wealth = count_ratios(wealth, np.full(worlds, 100), x1, np.full(worlds, 300), x0)
        left_out = np.logaddexp.reduce(wealth, axis=-1)[..., at] >= np.log(40)
        missed |= left_out.any(axis=-1)
    assert missed.mean() <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / worlds)
    widths = [np.log(most / least) for least, most in map(ratio_interval, wealth) if least and most]
    assert len(widths) > worlds / 2
    assert np.median(widths) <= np.log(4)


def test_without_counts_nothing_is_known() -> None:
    assert ratio_interval(new_ratios()) == (None, None)
    assert ratio_interval(count_ratios(new_ratios(), 0, 0, 100, 9)) == (None, None)


def test_losses_of_one_arm_only_bound_one_side() -> None:
    least, most = ratio_interval(count_ratios(new_ratios(), 100, 30, 900, 0))
    assert least is not None
    assert most is None


@pytest.mark.parametrize(
    ("least", "most", "words"),
    [
        (0.63, 1.587, "0.63 to 1.6 times"),
        (2.5, None, "at least 2.5 times"),
        (None, 16, "at most 16 times"),
        (None, None, ""),
    ],
)
def test_words(least: float | None, most: float | None, words: str) -> None:
    assert between(least, most) == words
