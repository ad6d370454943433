"""What the demo reports, from what was measured; and what it calls a shortfall."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sluice_dev.bench.figures import Result, Target, spread
from sluice_dev.demo import picture
from sluice_dev.demo.acts import Act
from sluice_dev.demo.report import Evidence, report, shortfalls
from sluice_dev.load import Outcome
from sluice_dev.load.accesslog import GatewayRequest
from sluice_dev.scene.recorder import pod_changes
from sluice_dev.scene.timeline import Timeline, Told, Weights, weights_of

VERSIONS = {"aaaa0001": "v1", "aaaa0002": "v2", "aaaa0003": "v3", "aaaa0004": "v4", "aaaa0005": "v5"}


def outcome(due: float, code: int = 200, seconds: float = 0.01) -> Outcome:
    return Outcome(int(due * 10), due, due, due + seconds, code, "", "", keep_alive=True, request_id=f"r-{due}")


def request(start: float, revision: str, code: int = 200) -> GatewayRequest:
    return GatewayRequest(start, 0.01, code, "-", "via_upstream", revision, "10.0.0.1:80", f"r-{start}")


@pytest.fixture
def evidence() -> Evidence:
    """v2 promoted from 10 to 20; v3, v4, v5 rolled back from 20 to 50; v3 again until 60."""
    acts = [
        Act("v1", "aaaa0001", "v1", 0, 10),
        Act("v2", "aaaa0002", "v2", 10, 20),
        Act("v3", "aaaa0003", "v3", 20, 30),
        Act("v4", "aaaa0004", "v4", 30, 40),
        Act("v5", "aaaa0005", "v5", 40, 50),
        Act("v3", "aaaa0003", "v3 again", 50, 60),
    ]
    timeline = Timeline(weights=[Weights(1, {"aaaa0001": 100}), Weights(19, {"aaaa0002": 100})])
    gateway, rejections = [request(15, "aaaa0002")], {}
    for act, reason in zip(acts[2:5], ("CheckFailed", "CheckFailed", "CandidateExited"), strict=True):
        timeline.weights += [Weights(act.begin + 4, {"aaaa0002": 90, act.revision: 10})]
        timeline.weights += [Weights(act.begin + 8, {"aaaa0002": 100})]
        timeline.told.append(Told(act.begin + 7.75, "Warning", "RolledBack", f"revision {act.revision}: check failed"))
        gateway += [request(act.begin + s, act.revision) for s in (6, 5)]
        at = f"1970-01-01T00:00:{act.begin + 7.75:05.2f}Z"
        rejections[act.revision] = {"reason": reason, "message": "31 of 60 failed", "at": at}
    outcomes = [outcome(15), outcome(16), outcome(25, 500), outcome(35, seconds=0.7), outcome(45, 503), outcome(55)]
    return Evidence(acts, outcomes, gateway, timeline, rejections)


def test_the_report_has_the_promised_shape_and_figures(evidence: Evidence) -> None:
    """Seconds from the candidate's first request at the gateway and from the verdict; a slow answer is a bad one."""
    rollback = {
        "bad_requests": 1,
        "seconds_from_first_candidate_request_to_weight_0": 3,
        "seconds_from_verdict_to_weight_0": 0.25,
    }
    assert report(evidence) == {
        "promoted": {"seconds": 10, "client_failures": 0, "requests": 2},
        "rolled_back": [
            {"why": "v3: CheckFailed: 31 of 60 failed", **rollback},
            {"why": "v4: CheckFailed: 31 of 60 failed", **rollback},
            {"why": "v5: CandidateExited: 31 of 60 failed", **rollback},
        ],
        "reapplied_rejected": {"candidate_requests": 0},
    }
    assert shortfalls(evidence, report(evidence)) == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"outcomes": [outcome(15, 503)]}, "1 of 1 requests failed while v2 was promoted"),
        ({"outcomes": []}, "no request was sent while v2 was promoted"),
        ({"gateway": [request(55, "aaaa0003")]}, "v3, applied again, was given 1 requests"),
        ({"outcomes": [outcome(15), outcome(55, 503)]}, "1 requests failed while aaaa0002 was all there was"),
    ],
)
def test_each_promise_that_is_not_kept_is_named(evidence: Evidence, changes: dict[str, Any], sentence: str) -> None:
    """In a sentence, which makes the exit status 1."""
    broken = replace(evidence, **changes)
    assert sentence in shortfalls(broken, report(broken))


def test_a_rejection_for_another_reason_is_a_shortfall(evidence: Evidence) -> None:
    """v5 must be rejected for its exits."""
    evidence.rejections["aaaa0005"]["reason"] = "CheckFailed"
    assert "v5 was rejected for CheckFailed, not for CandidateExited" in shortfalls(evidence, report(evidence))


def test_the_picture_is_drawn(evidence: Evidence, tmp_path: Path) -> None:
    """A PNG, from any evidence of this shape."""
    picture.draw(evidence, VERSIONS, tmp_path / "deep" / "timeline.png")
    assert (tmp_path / "deep" / "timeline.png").read_bytes().startswith(b"\x89PNG")


def test_weights_of_a_route_are_summed_by_revision() -> None:
    """A free slot borrows 1 of the 100; the header names the revision, else the end of the Service's name."""
    header = {"type": "RequestHeaderModifier"}
    header["requestHeaderModifier"] = {"set": [{"name": "x-sluice-revision", "value": "aaaa0001"}]}  # type: ignore[assignment]
    backends = [
        {"name": "m-aaaa0001", "weight": 99, "filters": [header]},
        {"name": "m-aaaa0001", "weight": 1},
        {"name": "m-aaaa0002", "weight": 0},
    ]
    assert weights_of({"spec": {"rules": [{"backendRefs": backends}]}}) == {"aaaa0001": 100}


def pod(*, ready: bool, restarts: int = 0, leaving: bool = False) -> dict[str, Any]:
    return {
        "metadata": {"name": "p", **({"deletionTimestamp": "now"} if leaving else {})},
        "status": {
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
            "containerStatuses": [{"restartCount": restarts}],
        },
    }


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (None, pod(ready=False), ["appeared"]),
        (pod(ready=False), pod(ready=True), ["ready"]),
        (pod(ready=True), pod(ready=True), []),
        (pod(ready=True), pod(ready=False, restarts=1), ["unready", "restarted"]),
        (pod(ready=True), pod(ready=True, leaving=True), ["leaving"]),
        (pod(ready=True), None, ["gone"]),
    ],
)
def test_changes_of_a_pod(before: Any, after: Any, expected: list[str]) -> None:
    """Each in one word."""
    assert pod_changes(before, after) == expected


def test_a_result_is_met_when_all_its_targets_are() -> None:
    """A most and a least; equal counts as met."""
    most, least = Target("lost", 0, 0), Target("requests", 10, 10, least=True)
    assert Result("all", [most, least]).met
    assert not Result("one", [most, replace(least, value=9)]).met
    assert not Result("one", [replace(most, value=1), least]).met


def test_spread_of_figures() -> None:
    """The median of an even number lies between two."""
    assert spread([4, 1, 3, 2]) == {"median": 2.5, "p90": 4, "max": 4}
    assert spread([]) == {}
