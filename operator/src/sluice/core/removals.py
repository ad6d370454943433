"""What is taken away: objects of revisions whose time is over, and records nobody needs."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Final

from sluice.api.status import RETIRING_LIMIT
from sluice.core import children
from sluice.core.course import Course
from sluice.core.plan import DELETING, Delete
from sluice.core.refusals import refused
from sluice.core.snapshot import RevisionFacts, RouteState, Snapshot

RECORDS_KEPT: Final = 20
"""ControllerRevisions of revisions that are neither serving nor rolling, the newest; as many rejected ones."""


def idle_revisions(s: Snapshot, course: Course) -> Iterable[RevisionFacts]:
    """Revisions that have pods or a Service and no place in the rollout."""
    places = {place.revision for place in (course.status.stable, course.status.candidate) if place}
    return (
        facts
        for name, facts in sorted(s.revisions.items())
        if name not in places and (facts.deployment or facts.service)
    )


def removals(s: Snapshot, course: Course) -> Iterator[Delete]:
    """Objects of revisions whose time is over, and records nobody needs."""
    delay = s.spec.scale_down_delay if s.spec else timedelta()
    since = {entry.revision: entry.since for entry in course.status.retiring}
    moved = s.route is None or s.route.state is not RouteState.PENDING  # until then the gateway sends as before
    for facts in idle_revisions(s, course):
        begun = since.get(facts.revision)
        still_used = s.weight(facts.revision) > 0 or s.stable_selects == facts.revision or not moved
        crowded = begun is None and len(since) >= RETIRING_LIMIT
        if still_used or not (crowded or (begun is not None and s.now - begun >= delay)):
            continue
        name = children.child_name(s.identity.name, facts.revision)
        for kind, child in (("Deployment", facts.deployment), ("Service", facts.service)):
            if child and not refused(s, kind, name, DELETING):
                yield Delete(kind, name, child.uid)
    places = {place.revision for place in (course.status.stable, course.status.candidate) if place} | set(since)
    spare = [
        f for f in s.revisions.values() if f.record and not f.deployment and f.revision not in places | {course.desired}
    ]
    for group in ([f for f in spare if f.rejected is None], [f for f in spare if f.rejected is not None]):
        for facts in sorted(group, key=lambda f: -f.number)[RECORDS_KEPT:]:
            name = children.child_name(s.identity.name, facts.revision)
            if facts.record and not refused(s, "ControllerRevision", name, DELETING):
                yield Delete("ControllerRevision", name, facts.record.uid)
