"""One chance of a false rollback, shared by checks and slices."""

from decimal import Decimal
from math import log

import numpy as np
import pytest

from sluice.api.v1alpha1 import DEFAULT_CHECKS, Check, PrometheusCheck
from sluice.core.analysis.sharing import combined, discoveries, limit, limits_of, weights_of, with_slices


def test_the_worked_example_of_the_module() -> None:
    weights = weights_of(("errors", "latency"))
    assert weights == pytest.approx((2 / 3, 1 / 3))
    assert [limit(0.01, w) for w in weights] == pytest.approx([150, 300])
    assert combined([log(80), log(180)], weights) == pytest.approx(log(2 / 3 * 80 + 1 / 3 * 180))


def test_checks_of_one_group_share_its_part() -> None:
    assert weights_of(("errors", "errors", "latency")) == pytest.approx((1 / 3, 1 / 3, 1 / 3))


def test_one_check_alone_has_all_of_it() -> None:
    assert weights_of(("rest",)) == (1.0,)
    assert combined([log(7)], (1.0,)) == pytest.approx(log(7))


def test_each_check_on_requests_has_a_limit_of_its_own() -> None:
    plain = Check(name="clicks", type="Prometheus", prometheus=PrometheusCheck(query="x", max=Decimal(1)))
    assert limits_of((*DEFAULT_CHECKS, plain), 0.01) == pytest.approx({"errors": 150, "latency": 300})
    assert limits_of((plain,), 0.01) == {}


@pytest.mark.parametrize("kinds", [(1, 0), (1, 1), (3, 1), (0, 2), (2, 5)])
def test_the_parts_of_all_checks_sum_to_alpha(kinds: tuple[int, int]) -> None:
    errors, latency = DEFAULT_CHECKS
    checks = [
        one.model_copy(update={"name": f"{one.name}{number}"})
        for one, count in zip((errors, latency), kinds, strict=True)
        for number in range(count)
    ]
    limits = limits_of(checks, 0.02)
    assert len(limits) == sum(kinds)
    assert sum(1 / at for at in limits.values()) == pytest.approx(0.02)


def test_no_check_is_no_evidence() -> None:
    assert combined([], ()) == 0


def test_a_group_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(KeyError):
        weights_of(("errors", "wishes"))


def test_a_check_at_its_own_limit_is_enough() -> None:
    weights = weights_of(("errors", "latency", "rest"))
    for at, weight in enumerate(weights):
        log_e = [-20.0, -20.0, -20.0]
        log_e[at] = log(limit(0.01, weight))
        assert combined(log_e, weights) >= log(100) - 1e-9


def test_half_of_a_check_is_for_its_slices() -> None:
    assert with_slices(log(10), [log(30), log(50)]) == pytest.approx(log(0.5 * 10 + 0.5 * 40))
    assert with_slices(log(10), []) == log(10)


def test_slices_of_many_rollouts_are_one_computation() -> None:
    aggregate, slices = np.array([0.0, 2.0]), np.array([[1.0, 3.0, -2.0], [0.5, 700.0, 800.0]])
    each = [float(with_slices(a, row)) for a, row in zip(aggregate, slices, strict=True)]
    assert with_slices(aggregate, slices).tolist() == each


def test_one_bad_slice_in_twenty_is_listed() -> None:
    quiet = [log(0.5)] * 20
    quiet[13] = log(20 / 0.01)
    assert discoveries(quiet, 0.01) == (13,)
    quiet[13] = log(20 / 0.01) - 0.01
    assert discoveries(quiet, 0.01) == ()


def test_two_bad_slices_need_half_each() -> None:
    log_e = [log(0.5)] * 20
    log_e[3] = log_e[17] = log(20 / 0.02)
    assert discoveries(log_e, 0.01) == (3, 17)


def test_few_false_discoveries_among_good_slices() -> None:
    """e-values of slices in order: log-normal with mean 1."""
    random = np.random.default_rng(2)
    runs = [discoveries(list(random.normal(-2, 2, 20)), 0.05) for _ in range(500)]
    assert sum(map(bool, runs)) <= 0.05 * 500
