"""The plain query: measured at fixed moments, failed beyond its limit, and never passed for lack of an answer."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from sluice.api.status import Verdict
from sluice.api.v1alpha1 import Check, PrometheusCheck
from sluice.core.analysis.questions import Failure
from sluice.core.analysis.threshold import HISTORY, NotOneNumber, Threshold, single_value, write_query
from sluice.core.metrics import Series

ORIGIN = 1000.0
EXPOSED = 1000.0


def threshold(failure_limit: int = 0, low: str | None = "0.03", high: str | None = None, **more: Any) -> Threshold:
    limits = PrometheusCheck(
        query="q",
        min=None if low is None else Decimal(low),
        max=None if high is None else Decimal(high),
        interval=timedelta(seconds=10),
        failure_limit=failure_limit,
        **more,
    )
    return Threshold(Check(name="clicks", type="Prometheus", prometheus=limits), limits, "q", ORIGIN)


def value(number: float) -> tuple[Series, ...]:
    return (Series({}, ((0, number),)),)


def measured(check: Threshold, *values: tuple[Series, ...]) -> Threshold:
    for k, answer in enumerate(values):
        check.answered(ORIGIN + 10 * k, answer)
    return check


def verdict(check: Threshold, now: float = ORIGIN + 60, exposed_at: float | None = EXPOSED) -> str:
    return check.result(now, exposed_at).verdict.value


@pytest.mark.parametrize(
    ("failure_limit", "low", "high", "values", "expected"),
    [
        (0, "0.03", None, [0.03], "Undecided"),
        (0, "0.03", None, [0.029], "Fail"),
        (0, None, "5", [5.0], "Undecided"),
        (0, None, "5", [5.01], "Fail"),
        (0, "1", "5", [0.9], "Fail"),
        (0, None, "5", [float("inf")], "Fail"),
        (1, "0.03", None, [0.0, 0.04, 0.04], "Undecided"),
        (1, "0.03", None, [0.0, 0.04, 0.0], "Fail"),
        (1, "0.03", None, [0.0, 0.0, 0.04, 0.04], "Fail"),
        (0, "0.03", None, [0.04, float("nan")], "NoData"),
        (0, "0.03", None, [0.0, float("nan")], "Fail"),
    ],
)
def test_a_verdict_follows_from_the_values(
    failure_limit: int, low: str | None, high: str | None, values: list[float], expected: str
) -> None:
    assert verdict(measured(threshold(failure_limit, low, high), *(value(v) for v in values))) == expected


def test_no_series_is_no_data() -> None:
    assert verdict(measured(threshold(), ())) == "NoData"


def test_several_series_are_a_fault_of_the_query() -> None:
    result = measured(threshold(), value(1) + value(2)).result(ORIGIN + 5, EXPOSED)
    assert result.verdict is Verdict.QUERY_ERROR
    assert result.message == "the query yields 2 series, not one number: aggregate them, e.g. with sum(...)"


def test_a_range_is_a_fault_of_the_query() -> None:
    with pytest.raises(NotOneNumber):
        single_value((Series({}, ((0, 1), (1, 1))),))


def test_measurements_before_the_first_request_say_nothing_about_the_candidate() -> None:
    check = measured(threshold(), value(0), value(0))
    assert verdict(check, exposed_at=None) == "Undecided"
    assert verdict(check, exposed_at=ORIGIN + 11) == "NoData"
    assert verdict(check, exposed_at=ORIGIN + 9) == "Fail"


def test_no_stage_is_left_before_the_candidate_has_been_measured() -> None:
    result = measured(threshold(), value(1)).result(ORIGIN + 5, ORIGIN + 4)
    assert result.verdict is Verdict.NO_DATA
    assert result.message == ("measurements of the candidate count from its first request on, one each 10s: none yet")


def test_measurements_within_the_initial_delay_do_not_count() -> None:
    check = measured(threshold(initial_delay=timedelta(seconds=15)), value(0), value(0), value(1))
    result = check.result(ORIGIN + 21, ORIGIN + 8)
    assert result.verdict is Verdict.NO_DATA
    assert result.message == (
        "measurements of the candidate count from 15s after its first request on, one each 10s: none yet"
    )
    assert verdict(check, ORIGIN + 21, exposed_at=ORIGIN) == "Undecided"
    assert verdict(check, ORIGIN + 21, exposed_at=ORIGIN - 5) == "Fail"


def test_a_bad_query_is_known_at_weight_0() -> None:
    check = threshold()
    assert verdict(check, exposed_at=None) == "NoData"
    check.failed(ORIGIN, Failure(Verdict.QUERY_ERROR, "parse error at char 7"))
    result = check.result(ORIGIN + 1, None)
    assert (result.verdict, result.message) == (Verdict.QUERY_ERROR, "parse error at char 7")


def test_a_refused_moment_is_not_asked_again_but_the_next_one_is() -> None:
    check = threshold()
    (first,) = check.due(ORIGIN + 2)
    check.failed(first.at, Failure(Verdict.QUERY_ERROR, "parse error"))
    assert check.due(ORIGIN + 9) == ()
    assert [m.at for m in check.due(ORIGIN + 11)] == [ORIGIN + 10]


def test_an_outage_leaves_the_moment_to_be_asked_again_and_counts_once_data_is_stale() -> None:
    check = measured(threshold(), value(1))
    (second,) = check.due(ORIGIN + 11)
    check.failed(second.at, Failure(Verdict.PROVIDER_ERROR, "timeout"))
    assert check.due(ORIGIN + 12) == (second,)
    assert verdict(check, ORIGIN + 12) == "Undecided"
    assert verdict(check, ORIGIN + 21) == "ProviderError"
    check.answered(second.at, value(1))
    assert verdict(check, ORIGIN + 21) == "Undecided"


def test_moments_are_fixed_and_settled_and_the_newest_are_kept() -> None:
    assert threshold().due(ORIGIN + 0.9) == ()
    assert [m.at for m in threshold().due(ORIGIN + 21)] == [ORIGIN, ORIGIN + 10, ORIGIN + 20]
    late = [m.at for m in threshold().due(ORIGIN + 86_401)]
    assert len(late) == HISTORY
    assert late[-1] == ORIGIN + 86_400


def test_a_restart_measures_as_many_moments_as_the_failure_limit_needs() -> None:
    assert len(threshold(failure_limit=99).due(ORIGIN + 86_401)) == 200


def test_old_measurements_cease_to_count_but_a_fail_stays() -> None:
    spread = measured(threshold(failure_limit=1), value(0), *[value(1)] * HISTORY, value(0))
    assert verdict(spread, ORIGIN + 520) == "Undecided"
    close = measured(threshold(failure_limit=1), value(0), value(0))
    assert verdict(close, ORIGIN + 11) == "Fail"
    for k in range(2, 2 * HISTORY):
        close.answered(ORIGIN + 10 * k, value(1))
    assert verdict(close, ORIGIN + 1000) == "Fail"


def test_a_value_in_the_band_is_inconclusive_only_while_it_is_the_newest() -> None:
    check = measured(threshold(low="0.03", high="0.5", hold_below="0.05", hold_above="0.4"), value(0.04))
    assert (check.result(ORIGIN, EXPOSED).holds, verdict(check)) == (True, "Undecided")
    for k, (number, holds) in enumerate(((0.05, False), (0.41, True), (0.4, False), (0.03, True)), start=1):
        check.answered(ORIGIN + 10 * k, value(number))
        assert check.result(ORIGIN + 10 * k, EXPOSED).holds is holds, number
    check.answered(ORIGIN + 50, value(0.029))
    assert (check.result(ORIGIN + 50, EXPOSED).holds, verdict(check)) == (False, "Fail")


def test_some_measurements_in_a_row_may_yield_nothing_once_one_did() -> None:
    nan, refused = value(float("nan")), Failure(Verdict.QUERY_ERROR, "parse error")
    check = measured(threshold(consecutive_error_limit=2), nan)
    assert verdict(check) == "NoData"
    check.answered(ORIGIN + 10, value(0.04))
    check.answered(ORIGIN + 20, nan)
    check.failed(ORIGIN + 30, refused)
    result = check.result(ORIGIN + 31, EXPOSED)
    assert (result.verdict, result.message) == (
        Verdict.UNDECIDED,
        "0.04, at least 0.03 allowed (2 since without a value)",
    )
    check.failed(ORIGIN + 40, refused)
    assert check.result(ORIGIN + 41, EXPOSED).message == "parse error"
    check.answered(ORIGIN + 50, value(0.04))
    assert verdict(check) == "Undecided"


def test_the_newest_measurements_are_told() -> None:
    check = measured(threshold(hold_below="0.05", failure_limit=9), *[value(1.0)] * 12)
    for at, answer in ((120, value(0.01)), (130, value(0.04)), (140, ())):
        check.answered(ORIGIN + at, answer)
    told = check.result(ORIGIN + 141, EXPOSED).measurements
    assert len(told) == 10
    assert [(m.at.timestamp() - ORIGIN, m.value, m.outcome.value) for m in told[-4:]] == [
        (110, "1", "Passed"),
        (120, "0.01", "Failed"),
        (130, "0.04", "Inconclusive"),
        (140, "", "NoValue"),
    ]


def test_evidence_and_message_are_in_words() -> None:
    result = measured(threshold(failure_limit=2, high="0.5"), value(0.01)).result(ORIGIN, EXPOSED)
    assert result.evidence == "1 of 3 failed measurements"
    assert result.message == "0.01, 0.03 to 0.5 allowed"


def test_placeholders_are_matchers_of_the_two_revisions(world: Any) -> None:
    template = "sum(rate(a{$(candidate)}[1m])) / sum(rate(a{$(stable)}[1m])) # $(namespace)/$(name)"
    assert write_query(template, world.subject()) == (
        'sum(rate(a{namespace="prod",pod=~"flights-8b21de07-[a-z0-9]+-[a-z0-9]{5}"}[1m])) / '
        'sum(rate(a{namespace="prod",pod=~"flights-6f9c41d2-[a-z0-9]+-[a-z0-9]{5}"}[1m])) # prod/flights'
    )
    assert write_query("a{$(stable)}", world.subject(stable=None)) == 'a{namespace="prod",pod="",pod!=""}'


async def test_a_plain_check_fails_a_rollout_by_its_own_query(world: Any) -> None:
    world.store.value = lambda promql, at: value(0.01)
    world.poller.track("flights", world.subject(world.clicks))
    for second in range(2, 60, 2):
        world.store.scrape(second, ok=20 * (second - 10) if second > 10 else 0)
    await world.run(15)
    assert world.verdicts() == ["NoData"]  # it has traffic and was not measured yet
    await world.run(35)
    assert world.verdicts() == ["Fail"]
