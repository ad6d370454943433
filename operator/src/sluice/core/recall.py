"""What only the route remembers: a rejection is taken over into the memory before another write loses it."""

from dataclasses import replace

from sluice.api.names import Reason
from sluice.core import ledger
from sluice.core.course import Course
from sluice.core.plan import Mark
from sluice.core.snapshot import Snapshot
from sluice.core.verbs import forgiven


def recall(s: Snapshot, course: Course) -> Course:
    """A rollback was interrupted after its first write, and the spec may have changed since."""
    revision = s.route.rejected if s.route else None
    if revision is None or forgiven(s, course, revision):
        return course
    if any(entry.revision == revision for entry in course.status.rejected):
        return course
    candidate = course.status.candidate
    if candidate is not None and candidate.revision == revision:
        return course  # its rollback is finished in this pass, with an end in the history
    message = "the route records that it was rolled back"
    status = ledger.reject(course.status, revision, Reason.ROLLED_BACK, message, s.now)
    unmarked = s.revision(revision).record is not None and s.revision(revision).rejected is None
    marks = (Mark(revision, f"{Reason.ROLLED_BACK}: {message}"),) if unmarked else ()
    return replace(course, status=status, marks=(*course.marks, *marks))
