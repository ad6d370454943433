"""How far may the candidate go? Raise, hold, keep the time, leave the stage."""

from dataclasses import replace
from datetime import timedelta

from sluice.api.names import Reason
from sluice.api.status import CandidateStatus
from sluice.api.v1alpha1 import Spec
from sluice.core import ledger
from sluice.core.analysis.verdicts import NOTHING_KNOWN
from sluice.core.course import Course
from sluice.core.exits import counted
from sluice.core.gates import gates
from sluice.core.hazards import judge
from sluice.core.ledger import restarted
from sluice.core.retreat import retreat, roll_back, stable_can_serve
from sluice.core.snapshot import Snapshot
from sluice.core.stages import INITIAL, Stage
from sluice.core.strategies import stages_of
from sluice.core.trial import CLEAR, Finding, Move, Trial
from sluice.core.verbs import forgiven


def advance(s: Snapshot, spec: Spec, course: Course) -> Course:
    """How far may the candidate go?"""
    candidate, stable = course.status.candidate, course.status.stable
    if candidate is None:
        return course
    s = with_own_evidence(s, candidate)
    stages = stages_of(spec) if stable else INITIAL
    candidate = _renumbered(s, candidate, stages)
    candidate = counted(s, candidate)
    course = replace(course, status=course.status.model_copy(update={"candidate": candidate}))
    index = candidate.stage.index
    proving = stable is not None and stages[index].weight < 100 and stages[index + 1].weight == 100
    trial = Trial(s, spec, candidate, stages[index], first=stable is None, proving=proving)
    remembered = None if forgiven(s, course, candidate.revision) else s.rejection(candidate.revision)
    if remembered is not None:  # a rollback that was interrupted, or had to wait for stable
        reason, _, message = remembered.partition(": ")
        if all(entry.revision != candidate.revision for entry in s.status.rejected):  # and before it was told
            course = course.tell("Warning", Reason.ROLLED_BACK, f"revision {candidate.revision}: {message}")
        return roll_back(s, course, reason, message or remembered)
    finding = judge(trial)
    if finding.move is Move.REJECT:
        course = course.tell("Warning", Reason.ROLLED_BACK, f"revision {candidate.revision}: {finding.message}")
        return roll_back(s, course, finding.reason, finding.message)
    if finding.move is Move.RETREAT:
        return retreat(s, course, trial, finding)
    if candidate.revision != course.desired:  # a newer spec waits: for the end of a pause, or for stable
        waits = Finding(Move.HOLD, Reason.PAUSED, "spec.paused is true") if course.finding is CLEAR else course.finding
        return replace(course, weight=trial.weight, finding=waits)
    return _ramp(s, course, trial, stages, finding)


def with_own_evidence(s: Snapshot, candidate: CandidateStatus | None) -> Snapshot:
    """What was observed is about the candidate of the last pass: one that began in this pass is not judged by it."""
    before = s.status.candidate
    if before and candidate and (before.revision, before.started_at) == (candidate.revision, candidate.started_at):
        return s
    return replace(s, observation=NOTHING_KNOWN)


def _renumbered(s: Snapshot, candidate: CandidateStatus, stages: tuple[Stage, ...]) -> CandidateStatus:
    """The steps may be edited while they are walked: the first stage not below the weight reached is the place."""
    mark = candidate.stage
    if mark.index < len(stages) and stages[mark.index].name == mark.name:
        return candidate
    index = next((i for i, stage in enumerate(stages) if stage.name == mark.name), 0)
    exposed_at = candidate.exposed_at if s.weight(candidate.revision) else None
    return ledger.enter(candidate, index, stages[index], s.now, exposed_at=exposed_at)


def _ramp(s: Snapshot, course: Course, trial: Trial, stages: tuple[Stage, ...], finding: Finding) -> Course:
    """Raise, hold, keep the time, leave the stage."""
    candidate, stage = trial.candidate, trial.stage
    go = finding.move is Move.GO
    if trial.live and candidate.stage.live_since is None:
        candidate = candidate.model_copy(update={"stage": candidate.stage.model_copy(update={"live_since": s.now})})
    elif not trial.live and candidate.stage.live_since is not None:
        mark = candidate.stage
        spent = mark.live_for + (s.now - candidate.stage.live_since)
        candidate = candidate.model_copy(
            update={"stage": mark.model_copy(update={"live_since": None, "live_for": spent, "set_at": s.now})}
        )
    mark = candidate.stage
    if stage.weight > trial.weight == 0 and (mark.live_since, mark.live_for) != (None, timedelta()):
        # It lost its weight and nobody noted when. Written down before it rises again, lest old time counts for new.
        candidate = candidate.model_copy(update={"stage": restarted(mark, s.now)})
    trial = replace(trial, candidate=candidate)
    waiting = gates(trial)
    weight = stage.weight if go else min(trial.weight, stage.weight)
    if weight < trial.weight and not stable_can_serve(s, course.status, candidate):
        weight = trial.weight  # the step's weight was lowered while stable cannot take the rest
    if go and not waiting:
        if stage.weight == 100 and candidate.stage.index == len(stages) - 1:
            status = ledger.promote(course.status.model_copy(update={"candidate": candidate}), s.now)
            return replace(course, status=status).tell(
                "Normal", Reason.PROMOTED, f"revision {candidate.revision} serves all traffic"
            )
        index = candidate.stage.index + 1
        candidate = ledger.enter(candidate, index, stages[index], s.now)
        course = course.tell(
            "Normal",
            Reason.STAGE_STARTED,
            f"revision {candidate.revision}: {stages[index].name}, weight {stages[index].weight}",
        )
    elif weight > 0 and trial.weight == 0:
        reason = Reason.STAGE_RESTARTED if candidate.retreated else Reason.STAGE_STARTED
        stage_mark = restarted(candidate.stage, s.now)
        candidate = candidate.model_copy(update={"exposed_at": s.now, "retreated": None, "stage": stage_mark})
        if not trial.first:
            course = course.tell(
                "Normal", reason, f"revision {candidate.revision}: {stage.name}, weight {stage.weight}"
            )
    if weight > trial.weight:
        candidate = candidate.model_copy(update={"stage": candidate.stage.model_copy(update={"set_at": s.now})})
    status = course.status.model_copy(update={"candidate": candidate})
    return replace(course, status=status, weight=weight, finding=finding, waiting=waiting)
