"""What came of it? build/demo/report.json and whether all of it came true, measured at client and gateway."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sluice_dev.demo.acts import Act
from sluice_dev.load import Outcome
from sluice_dev.load.accesslog import GatewayRequest
from sluice_dev.scene.timeline import Timeline, seconds

SLOW_SECONDS = 0.5
"""The latency check's objective: an answer slower than this is bad to whoever waits for it."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that was measured. rejections: status.rejected by revision."""

    acts: Sequence[Act]
    outcomes: Sequence[Outcome]
    gateway: Sequence[GatewayRequest]
    timeline: Timeline
    rejections: dict[str, dict[str, Any]]

    def during(self, act: Act) -> list[Outcome]:
        """Requests due in an act."""
        return [outcome for outcome in self.outcomes if act.begin <= outcome.due < act.end]

    def answered_by(self, revision: str, act: Act) -> list[GatewayRequest]:
        """Requests that the gateway gave to a revision in an act."""
        return [r for r in self.gateway if r.revision == revision and act.begin <= r.start <= act.end + 1]


def report(evidence: Evidence) -> dict[str, Any]:
    """The report, as the README describes it."""
    _, second, *bad, again = evidence.acts
    requests = evidence.during(second)
    return {
        "promoted": {
            "seconds": round(second.end - second.begin, 1),
            "client_failures": sum(o.failed for o in requests),
            "requests": len(requests),
        },
        "rolled_back": [_rolled_back(evidence, act) for act in bad],
        "reapplied_rejected": {"candidate_requests": len(evidence.answered_by(again.revision, again))},
    }


def _rolled_back(evidence: Evidence, act: Act) -> dict[str, Any]:
    rejection = evidence.rejections[act.revision]
    requests = evidence.answered_by(act.revision, act)
    first = min((request.start for request in requests), default=act.end)
    zero = evidence.timeline.weight_zero(act.revision, act.begin) or act.end
    own = {request.request_id for request in requests}
    # Slow answers of others are the machine's; whatever fails is lost to the client, whoever lost it.
    bad = [o for o in evidence.during(act) if o.failed or (o.took > SLOW_SECONDS and o.request_id in own)]
    return {
        "why": f"{act.version}: {rejection['reason']}: {rejection['message']}",
        "bad_requests": len(bad),
        "seconds_from_first_candidate_request_to_weight_0": round(zero - first, 2),
        "seconds_from_verdict_to_weight_0": round(zero - seconds(rejection["at"]), 2),
    }


def shortfalls(evidence: Evidence, told: dict[str, Any]) -> list[str]:
    """What did not come true, in sentences; empty when all did."""
    missing = []
    if failures := told["promoted"]["client_failures"]:
        missing.append(f"{failures} of {told['promoted']['requests']} requests failed while v2 was promoted")
    if not told["promoted"]["requests"]:
        missing.append("no request was sent while v2 was promoted")
    expected = {"v3": "CheckFailed", "v4": "CheckFailed", "v5": "CandidateExited"}
    for act, entry in zip(evidence.acts[2:-1], told["rolled_back"], strict=True):
        reason = evidence.rejections[act.revision]["reason"]
        if reason != expected[act.version]:
            missing.append(f"{act.version} was rejected for {reason}, not for {expected[act.version]}")
        if not entry["bad_requests"]:
            missing.append(f"{act.version} was rejected without one bad request")
    if count := told["reapplied_rejected"]["candidate_requests"]:
        missing.append(f"v3, applied again, was given {count} requests")
    stable = evidence.acts[1].revision
    quiet = [evidence.acts[0], evidence.acts[-1]]
    if lost := sum(o.failed for act in quiet for o in evidence.during(act)):
        missing.append(f"{lost} requests failed while {stable} was all there was")
    return missing
