"""What people ask for by annotation, each value acted on once."""

from dataclasses import replace

from sluice.api.names import VERB_ABORT, VERB_RETRY, Reason
from sluice.core import ledger
from sluice.core.course import Course
from sluice.core.ledger import restarted
from sluice.core.plan import Mark
from sluice.core.snapshot import Snapshot


def retry(s: Snapshot, course: Course) -> Course:
    """`retry`: a rejection is forgotten, a stage held by a check starts again with fresh evidence."""
    value = s.asked(VERB_RETRY)
    if not value or value == s.status.last_handled.retry:
        return course
    revision = value.partition("/")[0]
    if s.route and s.route.rejected == revision and ("HTTPRoute", s.identity.name) in s.refusals:
        return course  # the route cannot be told that it is forgiven: it would reject the revision once more
    status = ledger.handled(course.status, retry=value)
    candidate = status.candidate
    if s.rejection(revision) is not None and (candidate is None or candidate.revision != revision):
        marks = (Mark(revision, None),) if s.revision(revision).rejected is not None else ()
        course = replace(course, status=ledger.forgive(status, revision), marks=marks)
        return course.tell("Normal", Reason.RETRIED, f"revision {revision} may roll out again: {VERB_RETRY}: {value}")
    if candidate and candidate.revision == revision and s.rejection(revision) is None:
        exposed_at = s.now if s.weight(revision) else None
        stage = restarted(candidate.stage, s.now)
        again = candidate.model_copy(update={"started_at": s.now, "exposed_at": exposed_at, "stage": stage})
        course = replace(course, status=status.model_copy(update={"candidate": again}))
        return course.tell(
            "Normal", Reason.RETRIED, f"evidence on revision {revision} starts anew: {VERB_RETRY}: {value}"
        )
    return replace(course, status=status).tell(
        "Warning", Reason.VERB_IGNORED, f"{VERB_RETRY}: {value} names no rejected revision and not the candidate"
    )


def settle_abort(s: Snapshot, course: Course) -> Course:
    """An `abort` that names another revision than the candidate is recorded, so that it cannot strike later."""
    value = s.asked(VERB_ABORT)
    if not value or value == s.status.last_handled.abort:
        return course
    status = ledger.handled(course.status, abort=value)
    revision = value.partition("/")[0]
    serves = course.status.stable and course.status.stable.revision == revision
    if s.status.candidate and revision == s.status.candidate.revision and not serves:
        if all(entry.revision != revision for entry in status.rejected):  # a newer spec took its place in this pass
            message = f"aborted by annotation {VERB_ABORT}: {value}"
            status = ledger.reject(status, revision, Reason.ABORTED, message, s.now)
            course = replace(course, marks=(*course.marks, Mark(revision, f"{Reason.ABORTED}: {message}")))
        return replace(course, status=status)
    return replace(course, status=status).tell(
        "Warning", Reason.VERB_IGNORED, f"{VERB_ABORT}: {value} does not name the candidate"
    )


def forgiven(s: Snapshot, course: Course, revision: str) -> bool:
    """A retry of this very pass lifted the rejection that the objects still show."""
    return any(mark.name == revision and mark.rejected is None for mark in course.marks) or (
        course.status.last_handled.retry != s.status.last_handled.retry
        and (course.status.last_handled.retry or "").partition("/")[0] == revision
    )
