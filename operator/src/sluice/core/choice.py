"""Which revision should be the candidate, if any?"""

from dataclasses import replace
from urllib.parse import urlsplit

from sluice.api.names import VERB_RETRY, Reason
from sluice.api.status import CandidateStatus, Status
from sluice.api.v1alpha1 import Spec
from sluice.core import gateways, ledger
from sluice.core.course import Course
from sluice.core.retreat import stable_can_serve
from sluice.core.revision import inputs_of
from sluice.core.snapshot import Snapshot
from sluice.core.stages import INITIAL
from sluice.core.strategies import stages_of
from sluice.core.trial import Finding, Move
from sluice.core.verbs import forgiven


def choose(s: Snapshot, spec: Spec, course: Course) -> Course:
    """Which revision should be the candidate?"""
    course = _let_go(s, spec, course)
    status, desired = course.status, course.desired
    candidate, stable = status.candidate, status.stable
    if candidate or (stable and stable.revision == desired):
        # with a candidate the gateways are one of its hazards
        problem = None if candidate else gateways.problem(s.gateways)
        return replace(course, finding=Finding(Move.HOLD, *problem, stalled=True)) if problem else course
    rejection = None if forgiven(s, course, desired) else s.rejection(desired)
    if rejection is not None:
        message = f"revision {desired} was rejected: {rejection}; change the spec, or annotate {VERB_RETRY}={desired}/1"
        return replace(course, finding=Finding(Move.HOLD, _rejected_as(status, desired), message, stalled=True))
    if spec.paused:
        return replace(course, finding=Finding(Move.HOLD, Reason.PAUSED, "spec.paused is true: nothing new starts"))
    obstacle = _obstacle(s, spec, desired)
    if obstacle:
        return replace(course, finding=obstacle)
    stages = stages_of(spec) if stable else INITIAL
    course = replace(course, status=ledger.begin(status, inputs_of(spec), stages[0], s.now))
    against = f" against stable {stable.revision}" if stable else ": the first revision"
    return course.tell("Normal", Reason.ROLLOUT_STARTED, f"revision {desired}{against}")


def _let_go(s: Snapshot, spec: Spec, course: Course) -> Course:
    """The rollout of a candidate that the spec no longer asks for ends, unless it has to stay for now."""
    status, desired = course.status, course.desired
    candidate, stable = status.candidate, status.stable
    if candidate is None or candidate.revision == desired:
        return course
    if waits := _must_stay(s, course, candidate):
        return replace(course, finding=waits)
    if stable is None and s.weight(candidate.revision) > 0 and s.revision(candidate.revision).serving > 0:
        status = ledger.promote(status, s.now)  # it serves all there is: the newer spec must not take that away
    elif stable and stable.revision == desired:
        status = ledger.end(status, "Cancelled", Reason.CANCELLED, "the spec is back at stable's inputs", s.now)
    elif spec.paused and s.rejection(desired) is None:
        return course  # nothing new starts, and what runs is held
    else:
        status = ledger.end(status, "Superseded", Reason.SUPERSEDED, f"the spec asks for {desired}", s.now)
    newest = status.history[0]
    return replace(course, status=status).tell(
        "Normal", Reason(newest.reason), f"revision {newest.revision}: {newest.outcome}"
    )


def _must_stay(s: Snapshot, course: Course, candidate: CandidateStatus) -> Finding | None:
    """Is a candidate that the spec no longer asks for the only one that serves?"""
    if course.status.stable is None or not s.weight(candidate.revision):
        return None
    if stable_can_serve(s, course.status, candidate):
        return None
    message = f"the spec asks for {course.desired}; stable has no ready pod to take the traffic of the candidate"
    return Finding(Move.HOLD, Reason.STABLE_UNAVAILABLE, message, stalled=True)


def _rejected_as(status: Status, revision: str) -> Reason:
    """RolledBack while this rejection is the newest thing that happened, Rejected when the spec came back to it."""
    newest = status.history[0] if status.history else None
    return Reason.ROLLED_BACK if newest and newest.revision == revision else Reason.REJECTED


def _obstacle(s: Snapshot, spec: Spec, desired: str) -> Finding | None:
    """Why a rollout of this spec cannot even start."""
    problem = gateways.problem(s.gateways)
    if problem:
        return Finding(Move.HOLD, *problem, stalled=True)
    name = spec.runtime.name
    if name not in s.runtimes:
        known = ", ".join(sorted(s.runtimes)) or "none"
        message = f"spec.runtime.name: no runtime {name} in the operator's table; known: {known}"
        return Finding(Move.HOLD, Reason.UNKNOWN_RUNTIME, message, stalled=True)
    try:
        address = urlsplit(spec.model.uri)
    except ValueError as error:
        return Finding(Move.HOLD, Reason.INVALID_SPEC, f"spec.model.uri: {error}; correct it", stalled=True)
    if address.scheme == "http" and s.allowed_http_hosts.isdisjoint({address.hostname, address.netloc}):
        message = (
            f"spec.model.uri: plain http to {address.netloc} is not allowed; use https, or have the operator's "
            "administrator add the host to SLUICE_ALLOWED_MODEL_HOSTS"
        )
        return Finding(Move.HOLD, Reason.MODEL_HOST_NOT_ALLOWED, message, stalled=True)
    return None
