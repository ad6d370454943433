"""The certificate: given to candidates that are as good as stable, rarely to those at the margin."""

from math import log

import numpy as np
import pytest

from sluice.core.analysis.certificate import (
    CERTIFIED_AT,
    TOLERATED_RATIO,
    UNKNOWN_MARGIN,
    certifiable_margin,
    promotion_margin,
)
from sluice.core.analysis.eprocess import PROMOTION_GRID, Floats
from sluice.core.analysis.rates import two_sample_bet


def minutes_until_certified(rate: float, base: float, share: float, margin: float, worlds: int = 400) -> Floats:
    """Steps of 1, 5, 25 and 50% of two minutes each, then 50%; polls of 5 s. NaN: not within an hour."""
    random = np.random.default_rng(11)
    wealth = np.full((worlds, len(PROMOTION_GRID)), -log(len(PROMOTION_GRID)))
    found = np.full(worlds, np.nan)
    for second in range(0, 3600, 5):
        weight = (0.01, 0.05, 0.25, 0.5)[min(second // 120, 3)]
        n1 = random.poisson(5 * rate * weight, worlds)
        n0 = random.poisson(5 * rate * (1 - weight), worlds)
        x1, x0 = random.binomial(n1, share), random.binomial(n0, base)
        wealth = two_sample_bet(wealth, n1, x1, n0, x0, TOLERATED_RATIO, margin, grid=PROMOTION_GRID)
        log_e = np.logaddexp.reduce(wealth, axis=-1)
        found = np.where(np.isnan(found) & (log_e >= log(CERTIFIED_AT)), (second + 5) / 60, found)
    return found


def test_the_worked_example_of_the_module() -> None:
    assert certifiable_margin(100, 100, 0.01, 1) == 0.002


@pytest.mark.parametrize(
    ("rate", "base", "margin"), [(200, 0.01, 0.002), (20, 0.01, 0.003), (5, 0.01, 0.01), (0.05, 0.01, None)]
)
def test_thin_traffic_asks_for_a_wider_margin(rate: float, base: float, margin: float | None) -> None:
    assert certifiable_margin(rate / 2, rate / 2, base, 1) == margin


def test_noise_asks_for_a_wider_margin() -> None:
    assert certifiable_margin(10, 10, 0.01, 3) > certifiable_margin(10, 10, 0.01, 1)  # type: ignore[operator]


@pytest.mark.parametrize("rates", [(0, 10), (10, 0)])
def test_an_arm_without_traffic_certifies_nothing(rates: tuple[float, float]) -> None:
    assert certifiable_margin(*rates, 0.01, 1) is None


@pytest.mark.parametrize(("rate", "within"), [(200, 10), (20, 30), (5, 30)])
def test_a_healthy_candidate_is_certified(rate: float, within: float) -> None:
    margin = certifiable_margin(rate / 2, rate / 2, 0.01, 1)
    assert margin is not None
    found = minutes_until_certified(rate, 0.01, 0.01, margin)
    assert np.median(np.nan_to_num(found, nan=np.inf)) <= within


@pytest.mark.parametrize("rate", [200, 20])
def test_one_at_the_margin_is_rarely_certified(rate: float) -> None:
    margin = certifiable_margin(rate / 2, rate / 2, 0.01, 1)
    assert margin is not None
    found = minutes_until_certified(rate, 0.01, TOLERATED_RATIO * 0.01 + margin, margin, worlds=1000)
    assert np.mean(np.isfinite(found)) <= 0.05


def test_the_margin_of_a_rollout_comes_from_stable() -> None:
    hour = np.full((2, 30), 12_000)  # 200 requests/s
    assert promotion_margin(hour, hour * 0.01, 3600, 0.5, 1.0) == 0.002
    assert promotion_margin(hour / 20, hour / 2000, 3600, 0.5, 1.0) > 0.002
    assert promotion_margin(hour / 10**6, hour * 0, 3600, 0.5, 1.0) == 0.05
    assert promotion_margin((), (), 0, 0.5, 3.0) == UNKNOWN_MARGIN
