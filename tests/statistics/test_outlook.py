"""What a forecast promises: given a spec and its traffic, then what it finds, what that costs, and what is too thin."""

from math import isfinite
from typing import Any

import pytest

from sluice.api.v1alpha1 import Spec
from sluice.core.forecast.expected import Outlook
from sluice.core.forecast.outlook import NoErrorsCheck, errors_check, outlook, rule_of

STEPS = [
    {"name": "first", "weight": 1, "minDuration": "1m", "minSamples": 50},
    {"name": "tenth", "weight": 10, "minDuration": "5m", "minSamples": 500},
    {"name": "half", "weight": 50, "minDuration": "5m", "minSamples": 500},
]
VERSUS = {"name": "errors", "type": "Rate", "rate": {"versusStable": {}}}
MAXIMUM = {"name": "errors", "type": "Rate", "rate": {"max": "5%"}}
LATENCY = {"name": "latency", "type": "Latency", "latency": {"slo": "1s"}}


def spec(*checks: dict[str, Any], steps: list[dict[str, Any]] | None = None, replicas: int = 4) -> Spec:
    return Spec.model_validate(
        {
            "replicas": replicas,
            "model": {"uri": "https://models.example/b/manifest.json", "digest": f"sha256:{'b' * 64}"},
            "runtime": {"name": "sim", "version": "1"},
            "traffic": {"gateway": {"parentRefs": [{"name": "public"}]}},
            "strategy": {"type": "Canary", "canary": {"steps": steps or STEPS}},
            "analysis": {"checks": list(checks or (VERSUS,))},
        }
    )


def found(view: Outlook, name: str) -> float:
    return next(r.found for r in view.regressions if r.name.startswith(name))


SLOWER = {"name": "latency", "type": "Latency", "latency": {"versusStable": {}}}


@pytest.fixture(scope="module")
def busy() -> Outlook:
    """What most questions are asked about."""
    return outlook(spec(VERSUS, SLOWER), 200, 0.01, worlds=100)


def test_a_stage_lasts_until_both_of_its_gates_are_open(busy: Outlook) -> None:
    """1% of 200/s: 50 requests take 25 s, minDuration is longer. 10% and 50% likewise."""
    assert [(s.name, s.pods, s.rate, s.seconds, s.by) for s in busy.stages] == [
        ("first", 1, 2.0, 60.0, "minDuration"),
        ("tenth", 1, 20.0, 300.0, "minDuration"),
        ("half", 2, 100.0, 300.0, "minDuration"),
    ]
    assert busy.seconds == 660


def test_the_worse_it_is_the_more_often_and_the_sooner_it_is_found(busy: Outlook) -> None:
    shares = [r.found for r in busy.regressions]
    assert shares == sorted(shares)
    assert found(busy, "5x") >= 0.98
    assert found(busy, "half") == 1
    half, five = busy.regressions[-1], busy.regressions[-2]
    assert half.seconds < five.seconds
    assert half.stage == "first"
    assert half.bad <= 20


def test_an_equal_candidate_is_rarely_rolled_back(busy: Outlook) -> None:
    assert busy.false_rollback <= 0.015


def test_equal_questions_have_equal_answers() -> None:
    one, other = (outlook(spec(VERSUS, LATENCY, steps=STEPS[:1]), 50, 0.01, worlds=30) for _ in range(2))
    assert one == other


def test_slow_downs_are_found_and_the_slower_the_sooner(busy: Outlook) -> None:
    half, double, tail = busy.slowdowns
    assert [row.name for row in busy.slowdowns] == ["50% slower", "100% slower", "2% ten times slower"]
    assert min(half.found, double.found) >= 0.95
    assert double.seconds < half.seconds
    assert double.bad < half.bad
    assert (half.share, double.share, tail.share) == (1, 1, 0.02)
    assert double.stage == "first"


def test_an_objective_finds_what_exceeds_it_only() -> None:
    """60 ms, 5% above 137 ms: twice as slow, 33% exceed 150 ms; half as slow again, 15%; now, 3%."""
    objective = {"name": "latency", "type": "Latency", "latency": {"slo": "150ms", "maxShareAbove": "20%"}}
    view = outlook(spec(VERSUS, objective, steps=STEPS[:2]), 200, 0.01, worlds=40)
    half, double, tail = view.slowdowns
    assert double.found >= 0.9
    assert double.seconds < 120
    assert max(half.found, tail.found) <= 0.05
    assert any("knows only its slo and misses 50% slower" in words for words in view.advice)


def test_without_a_check_on_latency_that_is_said() -> None:
    view = outlook(spec(steps=STEPS[:1]), 200, 0.01, worlds=20)
    assert view.slowdowns == ()
    assert any("no check of type Latency has onFail: Rollback" in words for words in view.advice)


def test_advice_names_fields_and_values_that_help() -> None:
    """At 2 requests/s the last step is too short for five times the errors; with what is advised it is not."""
    thin = outlook(spec(steps=[{**STEPS[2], "minSamples": 100}]), 10, 0.01, worlds=60)
    [words] = [words for words in thin.advice if words.startswith("5x errors is found in")]
    longer = words.rpartition("spec.strategy.canary.steps[0].minDuration: ")[2]
    better = outlook(spec(steps=[{**STEPS[2], "minSamples": 100, "minDuration": longer}]), 10, 0.01, worlds=60)
    assert found(thin, "5x") < 0.9
    assert found(better, "5x") >= 0.9


def test_failures_that_come_in_bursts_are_worth_less() -> None:
    one, ten = (outlook(spec(steps=STEPS[:2]), 100, 0.005, worlds=60, burst=burst) for burst in (1, 5))
    assert found(ten, "3x") < found(one, "3x")


def test_a_maximum_alone_does_not_find_what_stays_below_it() -> None:
    """5 times 0.5% is 2.5%: below the maximum of 5%."""
    view = outlook(spec(MAXIMUM), 200, 0.005, worlds=60)
    assert found(view, "5x") <= 0.02
    assert found(view, "half") == 1
    assert any("add versusStable" in words for words in view.advice)
    assert found(outlook(spec(VERSUS), 200, 0.005, worlds=60), "5x") >= 0.95


def test_thin_traffic_is_said_and_so_is_what_to_change() -> None:
    view = outlook(spec(), 2, 0.01, worlds=30, polls=40)
    first = view.stages[0]
    assert (first.by, first.seconds) == ("minSamples", 2500)
    assert any("stage first gets 0.02 requests/s" in words and "lower minSamples" in words for words in view.advice)


def test_the_last_stage_waits_for_the_certificate() -> None:
    """25 requests/s of the candidate: 0.2 points over stable's 1% cannot be shown in five minutes."""
    slow, optional = (outlook(spec({**VERSUS, "required": r}, LATENCY), 50, 0.01, worlds=30) for r in (True, False))
    assert (optional.stages[-1].by, slow.stages[-1].by) == ("minDuration", "certificate")
    assert slow.stages[-1].seconds > optional.stages[-1].seconds + 30
    assert slow.regressions == optional.regressions


def test_the_slowest_certificate_counts() -> None:
    """About 5% of stable's requests exceed the bound that latency is certified at: that takes more requests."""
    versus = {"name": "slower", "type": "Latency", "onFail": "Pause", "latency": {"versusStable": {}}}
    alone, both, free = (
        outlook(spec(*checks), 20, 0.001, worlds=30, polls=100).stages[-1]
        for checks in ((VERSUS,), (VERSUS, versus), (VERSUS, {**versus, "required": False}))
    )
    assert (both.by, both.of) == ("certificate", "slower")
    assert both.seconds > alone.seconds
    assert free == alone


def test_a_certificate_that_does_not_come_is_said() -> None:
    never = outlook(spec(steps=[{**STEPS[0], "weight": 1, "minSamples": 10}]), 0.2, 0.05, worlds=30, polls=40)
    assert any("not Certified within 6 h" in words and "onDeadline (Hold)" in words for words in never.advice)


def test_no_traffic_at_all_is_no_rollout() -> None:
    view = outlook(spec(), 0, 0.01)
    assert not any(isfinite(stage.seconds) for stage in view.stages)
    assert view.regressions == ()
    assert "stage first is never left" in view.advice[0]


def test_few_pods_are_said_to_differ_by_themselves(busy: Outlook) -> None:
    assert any("2 pods against 4: up to 1.4 times" in words for words in busy.advice)


def test_a_first_step_that_is_too_bold_is_said() -> None:
    bold = [{"name": "all-in", "weight": 90, "minDuration": "1m", "minSamples": 100}]
    assert any("begin with less weight" in words for words in outlook(spec(steps=bold), 200, 0.01, worlds=30).advice)


def test_a_last_step_of_days_does_not_blur_the_first_ones() -> None:
    steps = [STEPS[0], STEPS[1], {**STEPS[2], "minDuration": "72h"}]
    short, long = (outlook(spec(steps=s), 200, 0.01, worlds=30, polls=60).regressions[-1] for s in (STEPS, steps))
    assert (long.seconds, long.bad) == (short.seconds, short.bad)


def test_the_limit_is_the_checks_share_of_alpha() -> None:
    one, two = spec(VERSUS), spec(VERSUS, LATENCY)
    assert rule_of(one, errors_check(one)).at == 100
    assert rule_of(two, errors_check(two)).at == pytest.approx(150)


@pytest.mark.parametrize("checks", [(LATENCY,), ({**VERSUS, "onFail": "Report"},)])
def test_without_a_check_on_errors_there_is_nothing_to_forecast(checks: tuple[dict[str, Any], ...]) -> None:
    with pytest.raises(NoErrorsCheck, match="no check of type Rate with onFail: Rollback"):
        outlook(spec(*checks), 200, 0.01)


def test_stable_without_errors_leaves_only_the_half() -> None:
    assert [r.name for r in outlook(spec(), 200, 0.0, worlds=30).regressions] == ["half failing"]
