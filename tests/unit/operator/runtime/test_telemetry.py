"""What /metrics shows."""

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from sluice.api.status import Status, Verdict
from sluice.api.v1alpha1 import OnFail
from sluice.core.analysis.verdicts import CheckResult
from sluice.ports import Conflict, ProviderError, Refused, Unavailable
from sluice.runtime.telemetry import Telemetry

STATUS = Status.model_validate(
    {
        "traffic": [{"revision": "6f9c41d2", "weight": 75}, {"revision": "8b21de07", "weight": 25}],
        "checks": [{"name": "errors", "verdict": "Undecided"}],
    }
)


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry("1.2.3")


def value(telemetry: Telemetry, metric: str, /, **labels: str) -> float | None:
    return telemetry.registry.get_sample_value(f"sluice_operator_{metric}", labels)


def test_weights_and_verdicts_are_those_of_the_last_pass(telemetry: Telemetry) -> None:
    telemetry.rollout(("shop", "m"), STATUS)
    about = {"namespace": "shop", "name": "m"}
    assert value(telemetry, "revision_weight", **about, revision="8b21de07") == 25
    assert value(telemetry, "check_verdict", **about, check="errors", verdict="Undecided") == 1
    telemetry.rollout(("shop", "m"), STATUS.model_copy(update={"traffic": STATUS.traffic[:1], "checks": ()}))
    assert value(telemetry, "revision_weight", **about, revision="8b21de07") is None
    assert value(telemetry, "check_verdict", **about, check="errors", verdict="Undecided") is None


def test_evidence_is_told_for_both_decisions(telemetry: Telemetry) -> None:
    checks = (
        CheckResult("errors", Verdict.UNDECIDED, OnFail.ROLLBACK, near_failing=0.25, near_certified=0.5),
        CheckResult("clicks", Verdict.UNDECIDED, OnFail.REPORT, near_failing=0.0),
    )
    telemetry.rollout(("shop", "m"), STATUS, checks)
    about = {"namespace": "shop", "name": "m"}
    assert value(telemetry, "check_evidence", **about, check="errors", decision="rollback") == 0.25
    assert value(telemetry, "check_evidence", **about, check="errors", decision="promotion") == 0.5
    assert value(telemetry, "check_evidence", **about, check="clicks", decision="promotion") is None
    telemetry.rollout(("shop", "m"), STATUS)
    assert value(telemetry, "check_evidence", **about, check="errors", decision="rollback") is None


def test_what_is_gone_is_shown_no_more_and_others_stay(telemetry: Telemetry) -> None:
    telemetry.rollout(("shop", "m"), STATUS)
    telemetry.rollout(("shop", "n"), STATUS)
    telemetry.forget(("shop", "m"))
    assert value(telemetry, "revision_weight", namespace="shop", name="m", revision="6f9c41d2") is None
    assert value(telemetry, "revision_weight", namespace="shop", name="n", revision="6f9c41d2") == 75


def test_a_standby_shows_no_weights(telemetry: Telemetry) -> None:
    telemetry.leads(True)
    telemetry.rollout(("shop", "m"), STATUS)
    telemetry.leads(False)
    assert value(telemetry, "leader") == 0
    assert value(telemetry, "revision_weight", namespace="shop", name="m", revision="6f9c41d2") is None


@pytest.mark.parametrize(
    ("error", "result"),
    [
        (None, "ok"),
        (Conflict("x"), "conflict"),
        (Refused("x"), "refused"),
        (Unavailable("x"), "unavailable"),
        (ProviderError("x"), "metrics"),
        (KeyError("x"), "error"),
    ],
)
def test_passes_are_counted_by_how_they_ended(telemetry: Telemetry, error: Exception | None, result: str) -> None:
    telemetry.pass_ended(0.02, error)
    assert value(telemetry, "reconcile_total", result=result) == 1
    assert value(telemetry, "reconcile_seconds_count") == 1


def test_what_is_read_when_asked_for_is_current(telemetry: Telemetry) -> None:
    depth, polls = [1.0], [5]
    telemetry.watch_queue(lambda: depth[0], lambda: 0.0)
    telemetry.watch_polls(lambda: polls[0], lambda: 2)
    telemetry.watch_cache(lambda: True, lambda: {"Pod": 3})
    depth[0], polls[0] = 4.0, 6
    assert value(telemetry, "queue_depth") == 4
    assert value(telemetry, "polls_total") == 6
    assert value(telemetry, "poll_failures_total") == 2
    assert value(telemetry, "cache_objects", kind="Pod") == 3


def test_every_metric_is_in_the_reference_and_the_other_way_round(telemetry: Telemetry) -> None:
    telemetry.watch_polls(lambda: 0, lambda: 0)
    page = (Path(__file__).parents[4] / "docs/reference/metrics.md").read_text(encoding="utf-8")
    families = text_string_to_metric_families(telemetry.render().decode())
    names = {
        family.name + {"counter": "_total", "info": "_info"}.get(family.type, "")
        for family in families
        if family.name.startswith("sluice_operator")
    }
    names = {name.replace("_info_info", "_info") for name in names}
    documented = {line.split("`")[1] for line in page.splitlines() if line.startswith("| `sluice_operator")}
    assert names == documented


def test_a_status_without_anything_shows_nothing(telemetry: Telemetry) -> None:
    telemetry.rollout(("shop", "m"), Status())
    assert "sluice_operator_revision_weight{" not in telemetry.render().decode()
