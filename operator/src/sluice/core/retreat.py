"""Traffic back to stable: for good (roll back), or until what is missing returns (retreat)."""

from dataclasses import replace

from sluice.api.names import Reason
from sluice.api.status import CandidateStatus, Status
from sluice.core import ledger
from sluice.core.course import Course
from sluice.core.ledger import restarted
from sluice.core.plan import Mark
from sluice.core.snapshot import Snapshot
from sluice.core.strategies import stages_of
from sluice.core.trial import Finding, Move, Trial


def stable_can_serve(s: Snapshot, status: Status, candidate: CandidateStatus) -> bool:
    """Invariant 1: no weight moves to a revision without endpoints while the other one has some.

    A pod of the candidate that is about to leave still answers, for as long as the gateways know its endpoint.
    """
    stable = status.stable
    if stable is None:
        return False
    return s.revision(stable.revision).serving > 0 or s.revision(candidate.revision).endpoints == 0


def roll_back(s: Snapshot, course: Course, reason: str, message: str) -> Course:
    """Traffic to stable and the verdict remembered; the candidate keeps its place until it has no traffic."""
    candidate = course.status.candidate
    if candidate is None:
        return course
    status = ledger.reject(course.status, candidate.revision, reason, message, s.now)
    marks = (
        ()
        if s.revision(candidate.revision).rejected is not None
        else (Mark(candidate.revision, f"{reason}: {message}"),)
    )
    course = replace(course, marks=(*course.marks, *marks))
    weight = s.weight(candidate.revision)
    if weight and status.stable and not stable_can_serve(s, status, candidate):
        waits = Finding(
            Move.HOLD, Reason.STABLE_UNAVAILABLE, f"{message}; stable has no ready pod to take the traffic", True
        )
        return replace(course, status=status, weight=weight, finding=waits)
    ended = ledger.end(
        status, "RolledBack", Reason(reason) if reason in set(Reason) else Reason.ROLLED_BACK, message, s.now
    )
    finding = Finding(
        Move.REJECT, Reason.ROLLED_BACK, f"revision {candidate.revision} was rolled back: {message}", stalled=True
    )
    return replace(course, status=ended, finding=finding)


def retreat(s: Snapshot, course: Course, trial: Trial, finding: Finding) -> Course:
    """Traffic to stable, the same stage again later; after the last step that step, not all traffic at once."""
    candidate = trial.candidate
    if trial.weight and not stable_can_serve(s, course.status, candidate):
        message = f"{finding.message}; stable has no ready pod to take the traffic"
        return replace(course, weight=trial.weight, finding=replace(finding, message=message))
    if trial.weight or candidate.stage.live_since:
        mark, stages = candidate.stage, stages_of(trial.spec)
        if 0 < mark.index == len(stages) - 1:
            candidate = ledger.enter(candidate, mark.index - 1, stages[mark.index - 1], s.now)
        else:
            candidate = candidate.model_copy(update={"stage": restarted(mark, s.now)})
        candidate = candidate.model_copy(update={"retreated": str(finding.reason)})
        course = course.tell(
            "Warning", finding.reason, f"revision {candidate.revision}: traffic back to stable: {finding.message}"
        )
    return replace(course, status=course.status.model_copy(update={"candidate": candidate}), finding=finding)
