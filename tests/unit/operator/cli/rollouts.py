"""ModelDeployments as the API server would send them, made by hand: one healthy rollout, changed by each test."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from rich.console import Console, RenderableType

from sluice.api.names import API_VERSION, KIND, Condition, Reason
from sluice.api.quantities import format_time
from sluice.api.status import (
    CandidateStatus,
    CheckStatus,
    ConditionStatus,
    HandledVerbs,
    HistoryStatus,
    MeasurementOutcome,
    MeasurementStatus,
    RejectedStatus,
    StableStatus,
    StageStatus,
    Status,
    TrafficStatus,
    Verdict,
)
from sluice.api.v1alpha1 import Spec
from sluice.cli.rollout import Rollout, read
from sluice.core.revision import inputs_of

Object = dict[str, Any]
NOW: Final = datetime(2026, 1, 5, 12, 10, 0, tzinfo=UTC)
GENERATION: Final = 3
TOKEN: Final = "f00d"
STEPS: Final = [
    {"name": "first", "weight": 1},
    {"name": "quarter", "weight": 25, "minDuration": "5m", "minSamples": 5000},
    {"name": "half", "weight": 50},
]


def spec_of(letter: str = "b", **changes: Any) -> Object:
    """A spec that asks for the model of this letter (a hexadecimal character), as the API server stores it."""
    return {
        "replicas": 4,
        "paused": False,
        "model": {"uri": f"https://models.example/flights/{letter}/manifest.json", "digest": f"sha256:{letter * 64}"},
        "runtime": {"name": "sluice-sklearn", "version": "0.1.0"},
        "traffic": {"gateway": {"parentRefs": [{"name": "public"}]}},
        "strategy": {"type": "Canary", "canary": {"steps": STEPS}},
        "analysis": {
            "blindDeadline": "Auto",
            "checks": [
                {"name": "errors", "type": "Rate", "onFail": "Rollback", "rate": {"preset": "errors", "max": "5%"}},
                {"name": "clicks", "type": "Prometheus", "onFail": "Pause", "prometheus": {"query": "x", "min": "1"}},
            ],
        },
        "progressDeadline": "10m",
        "scaleDownDelay": "30s",
    } | changes


def revision(letter: str) -> str:
    """The revision of that model."""
    return inputs_of(Spec.model_validate(spec_of(letter))).revision


STABLE, CANDIDATE, OTHER = revision("a"), revision("b"), revision("c")


def told(
    kind: Condition, status: str, reason: Reason, message: str = "", generation: int = GENERATION
) -> ConditionStatus:
    """A condition that is a minute old."""
    return ConditionStatus(
        type=kind,
        status="True" if status == "True" else "False",
        reason=reason,
        message=message,
        observed_generation=generation,
        last_transition_time=NOW - timedelta(minutes=1),
    )


def conditions(
    ready: str, reconciling: str, stalled: str, reason: Reason, message: str = "", generation: int = GENERATION
) -> tuple[ConditionStatus, ...]:
    """All four of them, Available true; the one that is so carries the message."""
    abnormal = Condition.STALLED if stalled == "True" else Condition.RECONCILING
    words = {abnormal: message, Condition.READY: "revision serves all traffic" if ready == "True" else message}
    return (
        told(Condition.AVAILABLE, "True", Reason.SERVING, f"stable revision {STABLE} has 4 ready pods", generation),
        *(
            told(kind, status, reason, words.get(kind, ""), generation)
            for kind, status in (
                (Condition.READY, ready),
                (Condition.RECONCILING, reconciling),
                (Condition.STALLED, stalled),
            )
        ),
    )


WAITS: Final = "130 s of 5m, 3120 of 5000 requests"


def status_of(**changes: Any) -> Status:
    """The candidate has had its quarter for 130 s."""
    status = Status(
        observed_generation=GENERATION,
        summary=f"quarter: {WAITS}",
        stable=StableStatus(revision=STABLE, slot=0, model=Spec.model_validate(spec_of("a")).model),
        candidate=CandidateStatus(
            revision=CANDIDATE,
            slot=1,
            model=Spec.model_validate(spec_of("b")).model,
            started_at=NOW - timedelta(minutes=4),
            weight=25,
            stage=StageStatus(
                index=1,
                name="quarter",
                entered_at=NOW - timedelta(minutes=3),
                live_since=NOW - timedelta(seconds=100),
                live_for=timedelta(seconds=30),
            ),
        ),
        traffic=(TrafficStatus(revision=STABLE, weight=75), TrafficStatus(revision=CANDIDATE, weight=25)),
        checks=(
            CheckStatus(
                name="errors",
                verdict=Verdict.UNDECIDED,
                evidence="14 of 200",
                certificate="2 of 20",
                message="31 of 3120 requests failed (0.99%), at most 5% allowed",
            ),
            CheckStatus(
                name="clicks",
                verdict=Verdict.UNDECIDED,
                evidence="1 of 3 failed measurements",
                message="0.041, at least 0.03 allowed",
                measurements=tuple(
                    MeasurementStatus(at=NOW, value=value, outcome=MeasurementOutcome(outcome))
                    for value, outcome in (("0.02", "Failed"), ("", "NoValue"), ("0.041", "Passed"))
                ),
            ),
        ),
        conditions=conditions("False", "True", "False", Reason.ROLLING, WAITS),
    )
    return status.model_copy(update=changes)


def mdep(status: Status | None, spec: Mapping[str, Any] | None = None, **metadata: Any) -> Object:
    """The whole object. status None: the operator has never seen it."""
    found: Object = {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {
            "name": "flights",
            "namespace": "shop",
            "generation": GENERATION,
            "resourceVersion": "77",
            "creationTimestamp": format_time(NOW - timedelta(days=3)),
            "managedFields": [
                {"manager": "kubectl", "operation": "Apply", "time": "2026-01-05T12:00:00Z"},
                {"manager": "sluice", "operation": "Update", "subresource": "status", "time": "2026-01-05T12:09:37Z"},
            ],
            **metadata,
        },
        "spec": dict(spec_of() if spec is None else spec),
    }
    if status is not None:
        found["status"] = status.model_dump(mode="json", by_alias=True, exclude_none=True)
    return found


def rolling(**changes: Any) -> Object:
    """In the middle of a rollout."""
    return mdep(status_of(**changes))


FAILED: Final = "check errors failed: 16 of 240 requests failed (6.67%), at most 5% allowed (4454 of 200)"


def rolled_back(**changes: Any) -> Object:
    """A check failed five minutes ago."""
    ended = NOW - timedelta(minutes=5)
    message = f"revision {CANDIDATE} was rolled back: {FAILED}"
    gone: dict[str, Any] = {
        "candidate": None,
        "checks": (),
        "traffic": (TrafficStatus(revision=STABLE, weight=100),),
        "rejected": (RejectedStatus(revision=CANDIDATE, reason="CheckFailed", message=FAILED, at=ended),),
        "history": (
            HistoryStatus(
                revision=CANDIDATE,
                outcome="RolledBack",
                reason="CheckFailed",
                message=FAILED,
                started_at=ended - timedelta(seconds=130),
                ended_at=ended,
            ),
        ),
        "conditions": conditions("False", "False", "True", Reason.ROLLED_BACK, message),
    }
    return mdep(status_of(**(gone | changes)))


def held(**changes: Any) -> Object:
    """A check that leaves it to a person has failed."""
    message = f"check clicks failed, see status.checks; abort or retry revision {CANDIDATE}"
    return rolling(**({"conditions": conditions("False", "False", "True", Reason.PAUSED_BY_CHECK, message)} | changes))


def serving(**changes: Any) -> Object:
    """What the spec asks for serves."""
    gone: dict[str, Any] = {
        "candidate": None,
        "checks": (),
        "traffic": (TrafficStatus(revision=STABLE, weight=100),),
        "history": (
            HistoryStatus(
                revision=STABLE,
                outcome="Promoted",
                reason="Promoted",
                started_at=NOW - timedelta(hours=2),
                ended_at=NOW - timedelta(hours=1),
            ),
        ),
        "conditions": conditions("True", "False", "False", Reason.UP_TO_DATE),
    }
    return mdep(status_of(**(gone | changes)), spec_of("a"))


def unanswered() -> Object:
    """Just created."""
    return mdep(None)


def handled(**verbs: str) -> HandledVerbs:
    """status.lastHandled"""
    return HandledVerbs(**verbs)


def rollout(make: Callable[..., Object], **changes: Any) -> Rollout:
    """What the plugin makes of it."""
    return read(make(**changes))


def printed(what: RenderableType, width: int = 100) -> str:
    """As text, without colours."""
    console = Console(record=True, width=width, highlight=False, quiet=False, file=None, force_terminal=False)
    with console.capture() as captured:
        console.print(what)
    return captured.get()
