"""What is allowed, and yet no good idea."""

from typing import Any

import pytest

from sluice.api.v1alpha1 import Spec
from sluice.cli.lint.advice import Surroundings, advice
from sluice.cli.options import duration
from unit.operator.cli.rollouts import spec_of

Change = dict[str, Any]


def steps(*entries: Change) -> Change:
    return {"strategy": {"type": "Canary", "canary": {"steps": list(entries)}}}


def checks(*entries: Change) -> Change:
    return {"analysis": {"checks": [{"name": f"c{number}", **entry} for number, entry in enumerate(entries)]}}


def latency(slo: str) -> Change:
    return checks({"type": "Latency", "latency": {"slo": slo}})


def query(promql: str) -> Change:
    plain = {"type": "Prometheus", "prometheus": {"query": promql, "max": "1"}}
    return checks({"type": "Rate", "rate": {"max": "5%"}}, plain)


def template(**container: Any) -> Change:
    return {"template": {"spec": {"containers": [{"name": "model", **container}]}}}


GOOD = ({"weight": 1}, {"weight": 50})


def said(change: Change, rps: float | None = None, scrape_interval: str = "5s") -> list[str]:
    """`field: words` of every piece of advice; the spec's own two steps and checks give none."""
    spec = Spec.model_validate(spec_of(**{**checks({"type": "Rate", "rate": {"max": "5%"}}), **steps(*GOOD), **change}))
    return [f"{found.field}: {found.words}" for found in advice(spec, Surroundings(duration(scrape_interval), rps))]


CASES: list[tuple[str, Change, str, str]] = [
    ("first step", steps({"weight": 11}, {"weight": 50}), "steps[0].weight", "begin with at most 10"),
    ("all at once", steps({"weight": 100}), "steps[0].weight", "gives 100%"),
    ("last step", steps({"weight": 1}, {"weight": 24}), "steps[1].weight", "a jump from 24% to 100%"),
    ("short", steps({"weight": 1, "minDuration": "14s"}, GOOD[1]), "steps[0].minDuration", "use at least 15s"),
    ("no checks", {"analysis": {"checks": []}}, "analysis.checks", "no check has onFail Rollback"),
    (
        "only reported",
        checks({"type": "Rate", "rate": {"max": "5%"}, "onFail": "Report"}),
        "analysis.checks",
        "Rollback",
    ),
    ("slo", latency("300ms"), "analysis.checks[0].latency.slo", "use 250ms or 350ms"),
    ("high slo", latency("11s"), "analysis.checks[0].latency.slo", "use 10s,"),
    ("no candidate", query("up"), "analysis.checks[1].prometheus.query", "without $(candidate)"),
    ("another's metrics", query("up{$(candidate)} or up"), "checks[1].prometheus.query", "selector up reads other"),
    ("no PromQL", query("sum((up{$(candidate)}"), "checks[1].prometheus.query", "stalled with QueryError"),
    ("placeholder", query("up{$(canary)}"), "checks[1].prometheus.query", "$(canary) is no placeholder"),
    ("blind", {"analysis": {"blindDeadline": "Never"}}, "analysis.blindDeadline", "whatever it does"),
    ("http", {"model": {**spec_of()["model"], "uri": "http://m.example/manifest.json"}}, "model.uri", "use https"),
    ("a tag", template(image="models/server:1"), "template.spec.containers[0].image", "image@sha256:"),
]


@pytest.mark.parametrize(("change", "field", "words"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_one_piece_of_advice(change: Change, field: str, words: str) -> None:
    found = [one for one in said(change) if field in one and words in one]
    assert len(found) == 1, said(change)
    assert found[0].startswith("spec.")


@pytest.mark.parametrize(
    "change",
    [
        {},
        steps({"weight": 10, "minDuration": "15s"}, {"weight": 25}),
        latency("250ms"),
        {**latency("300ms"), "runtime": {"name": "mlserver", "version": "1"}},
        query("sum(rate(clicks_total{$(candidate)}[1m])) / sum(rate(clicks_total{$(stable)}[1m]))"),
        template(image="models/server@sha256:" + "0" * 64),
        template(resources={}),
        {"template": {"spec": {"containers": "nonsense that the API server lets through"}}},
    ],
    ids=str,
)
def test_nothing_to_say(change: Change) -> None:
    assert said(change) == []


def test_a_short_step_depends_on_the_scrape_interval() -> None:
    change = steps({"weight": 1, "minDuration": "10s"}, GOOD[1])
    assert [len(said(change, scrape_interval=interval)) for interval in ("2s", "4s")] == [0, 1]


def test_requests_that_take_days() -> None:
    """100,000 requests at 1% of 20 requests/s are 5.8 days."""
    change = steps({"weight": 1, "minSamples": 100_000}, GOOD[1])
    assert said(change) == []
    assert said(change, rps=2000.0) == []
    [words] = said(change, rps=20.0)
    assert "steps[0].minSamples: 100000 requests take 5.8 days at 1% of 20 requests/s" in words
    assert len([one for one in said(change, rps=0.0) if "never left" in one]) == 2
