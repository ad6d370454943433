"""How many false rollbacks are chance, and what may be said after so many rollouts."""

from math import comb

import pytest

from sluice_dev.bench.healthy import ALPHA, NOT_ENDED, ROLLOUTS, Rollout, most_false, summary, upper_bound


def more_than(k: int, n: int, p: float) -> float:
    """P(X > k) of a binomial X, summed up."""
    return 1 - sum(comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k + 1))


@pytest.mark.parametrize("rollouts", [1, 20, ROLLOUTS, 500])
def test_more_than_is_allowed_comes_in_at_most_a_twentieth_of_all_campaigns(rollouts: int) -> None:
    allowed = most_false(rollouts)
    assert more_than(allowed, rollouts, ALPHA) <= 0.05
    assert allowed == 0 or more_than(allowed - 1, rollouts, ALPHA) > 0.05


def test_three_of_104() -> None:
    assert most_false(104) == 3


@pytest.mark.parametrize(("false", "rollouts"), [(0, 104), (1, 104), (3, 104), (7, 20)])
def test_at_the_upper_bound_so_few_come_in_a_twentieth_of_all_campaigns(false: int, rollouts: int) -> None:
    assert 1 - more_than(false, rollouts, upper_bound(false, rollouts)) == pytest.approx(0.05, abs=0.002)


def test_without_a_single_good_end_nothing_is_known() -> None:
    assert upper_bound(0, 0) == upper_bound(4, 4) == 1.0


def rollout(outcome: str) -> Rollout:
    return Rollout("bench-healthy-1", outcome, "", 90.0, "")


def test_a_campaign_holds_if_all_were_played_and_few_were_taken_back() -> None:
    good = [rollout("Promoted")] * (ROLLOUTS - 3) + [rollout("RolledBack")] * 3
    assert summary(good).met
    assert summary(good).details["false rollbacks, 95% upper bound"] == upper_bound(3, ROLLOUTS)
    assert not summary(good[1:]).met  # not all of them
    assert not summary([rollout("Promoted")] * (ROLLOUTS - 4) + [rollout("RolledBack")] * 4).met
    assert not summary([*good[1:], rollout(NOT_ENDED)]).met
    assert not summary([]).met
