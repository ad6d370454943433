"""What people and tools are told: conditions in kstatus' sense, the summary, the checks."""

from typing import Any, Final

from sluice.api.names import Condition, Reason
from sluice.api.status import CheckStatus, ConditionStatus, Status, TrafficStatus
from sluice.core import gateways
from sluice.core.children import selector
from sluice.core.course import Course
from sluice.core.revision import checks_of
from sluice.core.snapshot import RouteState, Snapshot
from sluice.core.trial import Move

MESSAGE_LIMIT = 1000
Said = tuple[bool, Reason, str]


def describe(s: Snapshot, course: Course) -> Status:
    """The status of this pass: the memory of the course, and what can be seen, in words."""
    status = course.status
    stable = status.stable
    conditions = {
        Condition.AVAILABLE: _available(s, status),
        Condition.READY: _ready(s, course),
        Condition.RECONCILING: _reconciling(course),
        Condition.STALLED: _stalled(course),
    }
    checks = tuple(
        CheckStatus(
            name=c.name,
            verdict=c.verdict,
            evidence=c.evidence[:MESSAGE_LIMIT],
            certificate=c.certificate[:MESSAGE_LIMIT],
            message=c.message[:MESSAGE_LIMIT],
            measurements=c.measurements,
        )
        for c in (s.observation.checks if status.candidate and stable else ())
    )
    labels = selector(s.identity.name, stable.revision) if stable else {}
    weights = (
        sorted(s.route.weights.items(), key=lambda item: (not stable or item[0] != stable.revision, item))
        if s.route
        else []
    )
    candidate = status.candidate and status.candidate.model_copy(
        update={"weight": s.weight(status.candidate.revision), "checks": checks_of(s.spec) if s.spec else None}
    )
    return status.model_copy(
        update={
            "observed_generation": s.identity.generation,
            "replicas": len(s.revision(stable.revision).pods) if stable else 0,
            "selector": ",".join(f"{key}={value}" for key, value in sorted(labels.items())),
            "candidate": candidate,
            "summary": _summary(course),
            "traffic": tuple(TrafficStatus(revision=revision, weight=weight) for revision, weight in weights)[:2],
            "checks": checks,
            "conditions": tuple(_condition(s, kind, said) for kind, said in conditions.items()),
        }
    )


def _condition(s: Snapshot, kind: Condition, said: Said) -> ConditionStatus:
    """Its transition time moves only when its status flips."""
    truth, reason, message = said
    word = "True" if truth else "False"
    old = next((c for c in s.status.conditions if c.type == kind), None)
    generation, message = s.identity.generation, message[:MESSAGE_LIMIT]
    if old and (old.status, old.reason, old.message, old.observed_generation) == (word, reason, message, generation):
        return old  # as in most passes
    since = old.last_transition_time if old and old.status == word else s.now
    return ConditionStatus(
        type=kind,
        status=word,
        reason=reason,
        message=message,
        observed_generation=generation,
        last_transition_time=since,
    )


def _available(s: Snapshot, status: Status) -> Said:
    if status.stable is None:
        return False, Reason.INITIALIZING, "no revision has been promoted yet"
    name = status.stable.revision
    serving = s.revision(name).serving
    if serving and s.route:
        return True, Reason.SERVING, f"stable revision {name} has {serving} ready pods"
    if status.candidate and s.revision(status.candidate.revision).serving:
        return False, Reason.STABLE_UNAVAILABLE, f"stable revision {name} has no ready pod; the candidate serves"
    return False, Reason.UNAVAILABLE, f"stable revision {name} has no ready pod" if s.route else "there is no route"


def _ready(s: Snapshot, course: Course) -> Said:
    stable = course.status.stable
    moved = course.finding.reason not in (*gateways.REASONS, Reason.ROUTE_NOT_ACCEPTED)
    if stable and stable.revision == course.desired and course.status.candidate is None and moved:
        if s.weight(stable.revision) == 100 and s.route and s.route.state is RouteState.VERIFIED:
            return True, Reason.UP_TO_DATE, f"revision {stable.revision} serves all traffic"
        words = s.route.message if s.route and s.route.message else "the gateway has not confirmed the route"
        return False, Reason.WAITING_FOR_ROUTE, words
    if course.finding.stalled:
        return False, course.finding.reason, course.finding.message
    return False, Reason.ROLLING, f"revision {course.desired} does not serve all traffic yet"


def _reconciling(course: Course) -> Said:
    if course.finding.stalled:
        return False, course.finding.reason, "see Stalled"
    if course.status.candidate is None and course.finding.reason is not Reason.PAUSED:
        return False, Reason.UP_TO_DATE, ""
    if course.finding.message:
        return True, course.finding.reason, course.finding.message
    return True, Reason.ROLLING, course.waiting


def _stalled(course: Course) -> Said:
    if course.finding.stalled:
        return True, course.finding.reason, course.finding.message
    return False, Reason.ROLLING if course.status.candidate else Reason.UP_TO_DATE, ""


def _summary(course: Course) -> str:
    """The story in a few words, for `kubectl get`."""
    candidate, finding = course.status.candidate, course.finding
    if finding.stalled:
        return f"{finding.reason}"
    if candidate is None:
        return "Paused" if finding.reason is Reason.PAUSED else "Serving"
    if finding.move is not Move.GO:
        return f"{candidate.stage.name}: {finding.reason}"
    return f"{candidate.stage.name}: {course.waiting}"[:200] if course.waiting else candidate.stage.name


_WORDS: Final[dict[str, Any]] = {
    "summary": True,
    "candidate": {"checkpoint"},
    "checks": {"__all__": {"evidence", "certificate", "message", "measurements"}},
}


def significant(status: Status) -> dict[str, Any]:
    """What is worth a write at once: stages, weights, verdicts, conditions, and why a person is needed.

    Counts and all other words can wait, and so can the checkpoint.
    """
    told = status.model_dump(mode="json", exclude=_WORDS)
    for condition in told["conditions"]:
        if condition["type"] != Condition.STALLED:
            del condition["message"]
    return told
