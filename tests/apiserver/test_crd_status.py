"""Status and scale are subresources: people and autoscalers write the spec, the operator writes status."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from sluice.api.status import (
    CHECKPOINT_LIMIT,
    CandidateStatus,
    CheckStatus,
    ConditionStatus,
    HandledVerbs,
    HistoryStatus,
    MeasurementOutcome,
    MeasurementStatus,
    RejectedStatus,
    RetiringStatus,
    StableStatus,
    StageStatus,
    Status,
    TrafficStatus,
    Verdict,
)
from sluice.api.v1alpha1 import ModelSource, SecretRef
from sluice_dev.cluster import CommandFailed

pytestmark = pytest.mark.apiserver

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
MODEL = ModelSource(
    uri="https://models.example/m/1/manifest.json", digest="sha256:" + "0" * 64, secret_ref=SecretRef(name="models")
)

FULL = Status(
    observed_generation=1,
    replicas=4,
    selector="sluice.dev/name=m,sluice.dev/revision=6f9c41d2",
    summary="25% to 8b21de07, step 2 of 3",
    stable=StableStatus(
        revision="6f9c41d2", slot=0, model=MODEL, moved_to="https://elsewhere.example/m/1/manifest.json"
    ),
    candidate=CandidateStatus(
        weight=25,
        revision="8b21de07",
        slot=1,
        model=MODEL,
        started_at=NOW,
        exposed_at=NOW,
        exits_under_weight=1,
        last_exit_at=NOW,
        retreated="Blind",
        checks="c0ffee00",
        checkpoint="1." + "A" * (CHECKPOINT_LIMIT - 2),
        stage=StageStatus(
            index=1,
            name="quarter",
            entered_at=NOW,
            live_since=NOW,
            live_for=timedelta(minutes=2, milliseconds=1.5),
            set_at=NOW,
        ),
    ),
    retiring=(RetiringStatus(revision="0badcafe", since=NOW),),
    traffic=(TrafficStatus(revision="6f9c41d2", weight=75), TrafficStatus(revision="8b21de07", weight=25)),
    checks=(
        CheckStatus(
            name="errors",
            verdict=Verdict.UNDECIDED,
            evidence="0.4 of 100",
            certificate="3.1 of 20",
            message="31 of 10200 failed",
            measurements=(MeasurementStatus(at=NOW, value="0.03", outcome=MeasurementOutcome.INCONCLUSIVE),),
        ),
    ),
    rejected=(RejectedStatus(revision="deadbeef", reason="CheckFailed", message="errors: 9%", at=NOW),),
    history=(
        HistoryStatus(
            revision="deadbeef",
            outcome="RolledBack",
            reason="CheckFailed",
            message="errors: 9%",
            started_at=NOW,
            ended_at=NOW,
        ),
    ),
    last_handled=HandledVerbs(abort="deadbeef/1", retry="deadbeef/2"),
    conditions=(
        ConditionStatus(
            type="Available",
            status="True",
            reason="Serving",
            message="4 of 4 pods are ready",
            observed_generation=1,
            last_transition_time=NOW,
        ),
    ),
)


def dump(status: Status) -> dict[str, Any]:
    return status.model_dump(by_alias=True, exclude_none=True, mode="json")


def unset(value: Any, path: str = "status") -> list[str]:
    """Fields that hold nothing."""
    if isinstance(value, BaseModel):
        return [gap for name in type(value).model_fields for gap in unset(getattr(value, name), f"{path}.{name}")]
    if isinstance(value, tuple):
        return [gap for item in value for gap in unset(item, f"{path}[]")] or ([] if value else [path])
    return [path] if value in (None, "") else []


def write_status(models, namespace: str, status: Status) -> dict[str, Any]:
    """As the operator writes it: to the status subresource, unknown fields refused."""
    body = {
        "apiVersion": f"{models.group}/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": "m"},
        "status": dump(status),
    }
    stored: dict[str, Any] = json.loads(
        models.cluster.kubectl(
            *("apply", "--server-side", "--subresource=status", "--field-manager=sluice", "--validate=strict"),
            *("-n", namespace, "-o", "json", "-f", "-"),
            input=json.dumps(body),
        )
    )
    return stored


def test_every_field_of_status_survives_the_api_server(models, least, namespace: str) -> None:
    assert unset(FULL) == [], "a new field of status needs a value in FULL"
    models.apply(namespace, least)
    write_status(models, namespace, FULL)
    stored = models.get(namespace)["status"]
    assert stored == dump(FULL)
    assert Status.model_validate(stored) == FULL


def test_the_status_of_a_new_object_survives_the_api_server(models, least, namespace: str) -> None:
    models.apply(namespace, least)
    write_status(models, namespace, Status())
    assert Status.model_validate(models.get(namespace)["status"]) == Status()


def test_writing_the_spec_does_not_touch_status(models, least, namespace: str) -> None:
    assert "status" not in models.apply(namespace, least, status=dump(FULL)), "only the operator speaks for itself"
    write_status(models, namespace, FULL)
    changed = models.apply(namespace, {**least, "replicas": 2})
    assert changed["metadata"]["generation"] == 2
    assert changed["status"] == dump(FULL)


def test_writing_status_does_not_touch_the_spec(models, least, namespace: str) -> None:
    before = models.apply(namespace, least)
    body = {"spec": {"paused": True, "replicas": 9}, "status": {"summary": "said"}}
    models.cluster.kubectl(
        *("patch", f"{models.resource}/m", "-n", namespace, "--subresource=status", "--type=merge"),
        *("-p", json.dumps(body)),
    )
    after = models.get(namespace)
    assert after["status"] == {"summary": "said"}
    assert after["spec"] == before["spec"]
    assert after["metadata"]["generation"] == before["metadata"]["generation"]


def test_status_that_the_schema_does_not_know_is_refused(models, least, namespace: str) -> None:
    models.apply(namespace, least)
    wrong = FULL.model_copy(update={"traffic": (TrafficStatus.model_construct(revision="xyz", weight=101),)})
    with pytest.raises(CommandFailed) as refused:
        write_status(models, namespace, wrong)
    assert "status.traffic[0].weight" in refused.value.output
    assert "status.traffic[0].revision" in refused.value.output


def columns(models, namespace: str) -> dict[str, str]:
    """What `kubectl get` prints of the one object in the namespace, by column."""
    head, row = models.cluster.kubectl("get", models.resource, "-n", namespace).splitlines()
    starts = [found.start() for found in re.finditer(r"\S+", head)]
    ends = [*starts[1:], max(len(head), len(row))]
    return {head[a:b].strip(): row[a:b].strip() for a, b in zip(starts, ends, strict=True)}


def test_kubectl_get_tells_the_story_of_a_rollout(models, least, namespace: str) -> None:
    models.apply(namespace, least)
    new = columns(models, namespace)
    assert list(new) == ["NAME", "STABLE", "CANDIDATE", "WEIGHT", "STATUS", "AGE"]
    assert (new["NAME"], new["STABLE"], new["WEIGHT"]) == ("m", "", "")

    write_status(models, namespace, FULL)
    rolling = columns(models, namespace)
    assert rolling["STABLE"] == "6f9c41d2"
    assert rolling["CANDIDATE"] == "8b21de07"
    assert rolling["WEIGHT"] == "25"
    assert rolling["STATUS"] == "25% to 8b21de07, step 2 of 3"
    assert re.fullmatch(r"\d+[smh]", rolling["AGE"])

    done = FULL.model_copy(update={"candidate": None, "traffic": (TrafficStatus(revision="8b21de07", weight=100),)})
    write_status(models, namespace, done)
    promoted = columns(models, namespace)
    assert (promoted["CANDIDATE"], promoted["WEIGHT"]) == ("", "")


def scale(models, namespace: str) -> dict[str, Any]:
    path = f"/apis/{models.group}/v1alpha1/namespaces/{namespace}/modeldeployments/m/scale"
    answer: dict[str, Any] = json.loads(models.cluster.kubectl("get", "--raw", path))
    return answer


def test_autoscalers_scale_the_spec_and_see_stables_pods(models, least, namespace: str) -> None:
    models.apply(namespace, {**least, "replicas": 3})
    write_status(models, namespace, FULL)
    models.cluster.kubectl("scale", f"{models.resource}/m", "--replicas=5", "-n", namespace)
    assert models.get(namespace)["spec"]["replicas"] == 5
    answer = scale(models, namespace)
    assert answer["spec"] == {"replicas": 5}
    assert answer["status"] == {"replicas": 4, "selector": FULL.selector}


def test_scaling_to_zero_is_refused(models, least, namespace: str) -> None:
    models.apply(namespace, {**least, "replicas": 3})
    with pytest.raises(CommandFailed, match=r"spec\.replicas.*greater than or equal to 1"):
        models.cluster.kubectl("scale", f"{models.resource}/m", "--replicas=0", "-n", namespace)


def test_an_autoscaler_needs_a_first_value(models, least, namespace: str) -> None:
    """Kubernetes cannot read /scale of an object without spec.replicas; the field's description says so."""
    models.apply(namespace, least)
    with pytest.raises(CommandFailed, match=r"spec\.replicas.*does not exist"):
        scale(models, namespace)
    models.cluster.kubectl("scale", f"{models.resource}/m", "--replicas=2", "-n", namespace)
    assert scale(models, namespace)["spec"] == {"replicas": 2}
