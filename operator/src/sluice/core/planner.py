"""decide(Snapshot) -> Plan: total, pure, and the only place where the parts meet."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from sluice.api.names import Condition, Reason
from sluice.api.status import RetiringStatus, Verdict
from sluice.api.v1alpha1 import Spec
from sluice.core import ledger
from sluice.core.advance import advance, with_own_evidence
from sluice.core.analysis.verdicts import CheckResult
from sluice.core.children import child_name
from sluice.core.choice import choose
from sluice.core.conditions import describe
from sluice.core.course import Course
from sluice.core.hazards import refusal_of
from sluice.core.plan import Plan, Refusal
from sluice.core.recall import recall
from sluice.core.refusals import REFUSAL_REPEAT
from sluice.core.removals import idle_revisions
from sluice.core.revision import checks_of, inputs_of
from sluice.core.snapshot import RouteState, Snapshot
from sluice.core.trial import Finding, Move
from sluice.core.upkeep import upkeep
from sluice.core.verbs import retry, settle_abort

TICK: Final = timedelta(seconds=1)
"""An active rollout is looked at this often."""


def decide(s: Snapshot) -> Plan:
    """What to do now. Every snapshot yields a plan; deleted objects are left to the garbage collector."""
    if s.deleting:
        return Plan()
    s = _with_remembered_failures(_with_fresh_refusals(s))
    if s.spec is None:
        finding = Finding(Move.HOLD, Reason.INVALID_SPEC, s.spec_problem, stalled=True)
        course = _with_stall_told(s, Course(status=s.status, desired="", finding=finding))
        return Plan(actions=course.events, status=describe(s, course))
    course = _with_retiring(s, _with_move_told(s, s.spec, plot(s, s.spec)))
    course = _with_stall_told(s, _with_refusal(s, course))
    work = upkeep(s, s.spec, course)
    return Plan(
        actions=work.actions,
        status=describe(with_own_evidence(s, course.status.candidate), course),
        requeue_after=_look_again(s, course, work.urgent),
        urgent=work.urgent,
    )


def plot(s: Snapshot, spec: Spec) -> Course:
    """The next step. Verbs first, then which revision should roll, then how far it may go."""
    course = Course(status=s.status, desired=inputs_of(spec).revision)
    course = retry(s, course)
    course = choose(s, spec, course)
    course = recall(s, course)
    course = advance(s, spec, course)
    return settle_abort(s, course)


def _with_retiring(s: Snapshot, course: Course) -> Course:
    """Whatever has objects and no place is on its way out; whatever is out is forgotten.

    The wait begins when the last of its traffic is gone: a route write that was believed lost may have come later.
    """
    status = course.status
    idle = {facts.revision for facts in idle_revisions(s, course)}
    for revision in sorted(idle):
        status = ledger.retire(status, revision, s.now)
    kept = tuple(
        entry.model_copy(update={"since": max(entry.since, _last_used(s, entry))})
        for entry in status.retiring
        if entry.revision in idle or s.now - entry.since < TICK
    )
    return replace(course, status=status.model_copy(update={"retiring": kept}))


def _last_used(s: Snapshot, entry: RetiringStatus) -> datetime:
    """When it last had weight, as far as anybody knows: the pass that saw the last of it may not have been written."""
    return s.now if s.weight(entry.revision) else s.had_weight.get(entry.revision, entry.since)


def _with_refusal(s: Snapshot, course: Course) -> Course:
    """A refusal of what stable needs is told as well, if nothing worse is."""
    if course.finding.stalled or course.status.candidate:
        return course
    if finding := refusal_of(s):
        return replace(course, finding=finding)
    refusals = _standing(s, course)
    if not refusals:
        return course
    (kind, name), refusal = next(iter(refusals.items()))
    reason = Reason.NAME_CONFLICT if refusal.reason == "NameConflict" else Reason.FORBIDDEN
    finding = Finding(Move.HOLD, reason, f"{kind} {name}: {refusal.message}", stalled=True)
    return replace(course, finding=finding)


def _with_move_told(s: Snapshot, spec: Spec, course: Course) -> Course:
    """The same model at another address starts no rollout and restarts no pod: pods go on fetching from the old one.

    Told once for each address, as a pod that is made later fails if the old one is gone.
    """
    stable = course.status.stable
    if stable is None or stable.revision != course.desired:
        return course
    inputs = s.revision(stable.revision).inputs
    moved = spec.model.uri if inputs is not None and inputs.model != spec.model else None
    if moved == stable.moved_to:
        return course
    status = course.status.model_copy(update={"stable": stable.model_copy(update={"moved_to": moved})})
    course = replace(course, status=status)
    if moved is None or inputs is None:
        return course
    if inputs.model.uri == spec.model.uri:
        old = f"Secret {inputs.model.secret_ref.name}" if inputs.model.secret_ref else "no Secret"
        message = (
            f"spec.model.secretRef is another one for the same model: pods of revision {stable.revision} still fetch "
            f"it with {old}; keep that, or change spec.template (an annotation is enough) to roll it out"
        )
    else:
        message = (
            f"spec.model.uri is another address of the same model: pods of revision {stable.revision} still fetch it "
            f"from {inputs.model.uri}; keep that address, or change spec.template (an annotation is enough) to roll it "
            "out"
        )
    return course.tell("Warning", Reason.MODEL_MOVED, message)


def _with_stall_told(s: Snapshot, course: Course) -> Course:
    """Whatever needs a person is an Event too: once for each reason and each spec, however often it is decided."""
    finding = course.finding
    if not finding.stalled or finding.reason is Reason.ROLLED_BACK:
        return course  # the rollback itself was told, with its evidence
    if any(event.reason == finding.reason for event in course.events):
        return course
    old = next((c for c in s.status.conditions if c.type == Condition.STALLED), None)
    if old and (old.status, old.reason, old.observed_generation) == ("True", finding.reason, s.identity.generation):
        return course
    return course.tell("Warning", finding.reason, finding.message)


def _with_remembered_failures(s: Snapshot) -> Snapshot:
    """A check that failed stays failed until a person decides, also when a restarted operator no longer finds why.

    Plain queries are measured again only for the newest moments. Other checks are such a decision; so is a retry, after
    which the status holds no verdicts of before.
    """
    candidate, spec = s.status.candidate, s.spec
    failed = {check.name: check for check in s.status.checks if check.verdict is Verdict.FAIL}
    if not failed or candidate is None or spec is None or candidate.checks != checks_of(spec):
        return s
    now = {check.name: check for check in s.observation.checks}
    for check in spec.analysis.checks:
        if check.name in failed:
            words = failed[check.name]
            now[check.name] = CheckResult(
                check.name,
                Verdict.FAIL,
                check.on_fail,
                words.evidence,
                words.message,
                near_failing=1.0,
                measurements=words.measurements,
            )
    return replace(s, observation=replace(s.observation, checks=tuple(now.values())))


def _with_fresh_refusals(s: Snapshot) -> Snapshot:
    """An old refusal says nothing any more: what it keeps from being wanted would never be tried again."""
    fresh = {key: refusal for key, refusal in s.refusals.items() if s.now - refusal.at < REFUSAL_REPEAT}
    return s if len(fresh) == len(s.refusals) else replace(s, refusals=fresh)


def _standing(s: Snapshot, course: Course) -> dict[tuple[str, str], Refusal]:
    """Refusals of what has a place. Those of a revision that was given up are history: nothing asks for it any more."""
    places = (course.status.stable, course.status.candidate)
    wanted = {s.identity.name, *(child_name(s.identity.name, place.revision) for place in places if place)}
    return {key: refusal for key, refusal in s.refusals.items() if key[1] in wanted}


def _look_again(s: Snapshot, course: Course, urgent: bool) -> timedelta | None:
    """Soon while a candidate is on its way, else when something is due; None: only when something changes."""
    if course.status.candidate or urgent:
        return TICK
    due = [refusal.at + REFUSAL_REPEAT - s.now for refusal in _standing(s, course).values()]
    if s.route and s.route.state is not RouteState.VERIFIED:
        due.append(10 * TICK)
    if s.spec and course.status.retiring:
        oldest = min(entry.since for entry in course.status.retiring)
        due.append(max(TICK, oldest + s.spec.scale_down_delay - s.now))
    return min(due, default=None)
