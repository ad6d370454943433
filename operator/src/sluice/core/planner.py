"""decide(Snapshot) -> Plan: total, pure, and the only place where the parts meet."""

from dataclasses import replace
from datetime import timedelta
from typing import Final

from sluice.api.names import Reason
from sluice.api.v1alpha1 import Spec
from sluice.core import ledger
from sluice.core.advance import advance
from sluice.core.children import child_name
from sluice.core.choice import choose
from sluice.core.conditions import describe
from sluice.core.course import Course
from sluice.core.hazards import Finding, Move
from sluice.core.plan import Plan, Refusal
from sluice.core.recall import recall
from sluice.core.revision import inputs_of
from sluice.core.snapshot import RouteState, Snapshot
from sluice.core.upkeep import REFUSAL_REPEAT, idle_revisions, upkeep
from sluice.core.verbs import retry, settle_abort

TICK: Final = timedelta(seconds=1)
"""An active rollout is looked at this often."""


def decide(s: Snapshot) -> Plan:
    """What to do now. Every snapshot yields a plan; deleted objects are left to the garbage collector."""
    if s.deleting:
        return Plan()
    s = _with_fresh_refusals(s)
    if s.spec is None:
        finding = Finding(Move.HOLD, Reason.INVALID_SPEC, s.spec_problem, stalled=True)
        return Plan(status=describe(s, Course(status=s.status, desired="", finding=finding)))
    course = _with_retiring(s, plot(s, s.spec))
    work = upkeep(s, s.spec, course)
    return Plan(
        actions=work.actions,
        status=describe(s, _with_refusal(s, course)),
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
        entry.model_copy(update={"since": s.now}) if s.weight(entry.revision) else entry
        for entry in status.retiring
        if entry.revision in idle or s.now - entry.since < TICK
    )
    return replace(course, status=status.model_copy(update={"retiring": kept}))


def _with_refusal(s: Snapshot, course: Course) -> Course:
    """A refusal of what stable needs is told as well, if nothing worse is."""
    refusals = _standing(s, course)
    if course.finding.stalled or not refusals or course.status.candidate:
        return course
    (kind, name), refusal = next(iter(refusals.items()))
    reason = Reason.NAME_CONFLICT if refusal.reason == "NameConflict" else Reason.FORBIDDEN
    finding = Finding(Move.HOLD, reason, f"{kind} {name}: {refusal.message}", stalled=True)
    return replace(course, finding=finding)


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
