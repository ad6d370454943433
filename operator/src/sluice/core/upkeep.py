"""From where things should go to the actions that bring the objects there, traffic first when it is taken back."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from math import ceil
from typing import Any, Final

from sluice.api.v1alpha1 import Spec
from sluice.core import children, gateways
from sluice.core.course import Course
from sluice.core.plan import DELETING, MARKING, Action, Apply, Delete, Mark
from sluice.core.refusals import REFUSAL_REPEAT, refused
from sluice.core.removals import removals
from sluice.core.rendering import pod_template
from sluice.core.revision import canonical, inputs_of
from sluice.core.snapshot import Child, Snapshot
from sluice.core.stages import INITIAL
from sluice.core.strategies import stages_of

URGENT_REPEAT: Final = timedelta(milliseconds=200)
"""The same for a route that takes traffic back: it is not given up for a minute."""


@dataclass(frozen=True, slots=True)
class Upkeep:
    """Actions in order.

    urgent: traffic is taken back.
    raises: a revision other than stable gets more.
    """

    actions: tuple[Action, ...]
    urgent: bool


def upkeep(s: Snapshot, spec: Spec, course: Course) -> Upkeep:
    """All that differs between the cluster and where the course goes."""
    wanted = _weights(course)
    current = s.route.weights if s.route else {}
    stable = course.status.stable
    takes_back = any(
        weight > wanted.get(revision, 0)
        for revision, weight in current.items()
        if not stable or revision != stable.revision
    )
    raises = any(weight > current.get(revision, 0) for revision, weight in wanted.items()) and not takes_back
    repeat = URGENT_REPEAT if takes_back else REFUSAL_REPEAT
    route = list(_route(s, spec, course, wanted, fresh=raises, repeat=repeat))
    objects = [*_revisions(s, spec, course), *_shared(s, course)]
    marks: list[Action] = [
        Mark(name, m.rejected)
        for m in course.marks
        if s.revision(m.name).record
        and not refused(s, "ControllerRevision", name := children.child_name(s.identity.name, m.name), MARKING)
    ]
    # A verdict comes after the route even where no weight is seen: a write that was believed lost may have come late.
    rejects = any(mark.rejected for mark in course.marks)
    ordered = [*route, *marks, *objects] if takes_back or rejects else [*marks, *objects, *route]
    return Upkeep(actions=(*ordered, *removals(s, course), *course.events), urgent=takes_back)


def _weights(course: Course) -> dict[str, int]:
    """Percent by revision, zeros left out."""
    weights = {}
    if course.status.stable and course.weight < 100:
        weights[course.status.stable.revision] = 100 - course.weight
    if course.status.candidate and course.weight:
        weights[course.status.candidate.revision] = course.weight
    return weights


def _needs(
    s: Snapshot,
    manifest: Mapping[str, Any],
    have: Child | None,
    drifted: bool = False,
    repeat: timedelta = REFUSAL_REPEAT,
) -> bool:
    """Is there anything to send? What was refused is not sent again before `repeat` has passed.

    drifted: somebody changed the part of it that decisions rest on; its digest still tells what was applied.
    """
    digest = children.applied_digest(manifest)
    refusal = s.refusals.get((manifest["kind"], manifest["metadata"]["name"]))
    if refusal and refusal.digest == digest and s.now - refusal.at < repeat:
        return False
    return have is None or have.drifted or drifted or have.applied != digest


def _route(
    s: Snapshot, spec: Spec, course: Course, wanted: Mapping[str, int], fresh: bool, repeat: timedelta
) -> Iterator[Action]:
    """The HTTPRoute, as long as there is something to serve."""
    if not wanted:
        # the first revision of all was rejected: nobody is there who could serve instead
        if s.route is not None and not refused(s, "HTTPRoute", s.identity.name, DELETING):
            yield Delete("HTTPRoute", s.identity.name, s.route.child.uid)
        return
    slots: list[tuple[str, int] | None] = [None, None]
    for place in (course.status.stable, course.status.candidate):
        if place and wanted.get(place.revision):
            slots[place.slot] = (place.revision, wanted[place.revision])
    rejected = course.status.rejected[0].revision if course.status.rejected else None
    # What serves stays on the gateways that carry it while the spec names one that is not there or not known.
    stays = s.route if s.route and gateways.problem(s.gateways) else None
    manifest = children.route(
        s.identity.owner,
        spec.traffic.gateway,
        tuple(slots),
        rejected,
        stays.counts if stays else gateways.count_by_revision(s.gateways),
        stays.parents if stays else (),
    )
    if s.route is None:
        if _needs(s, manifest, None):
            yield Apply(manifest, fresh=fresh)
        return
    drifted = dict(s.route.weights) != dict(wanted) or s.route.rejected != rejected
    if _needs(s, manifest, s.route.child, drifted, repeat):
        yield Apply(manifest, resource_version=s.route.resource_version, fresh=fresh)


def _revisions(s: Snapshot, spec: Spec, course: Course) -> Iterator[Action]:
    """Record, Service and Deployment of stable and of the candidate."""
    replicas = spec.replicas or 1
    if course.status.stable:
        yield from _revision(s, spec, course.status.stable.revision, replicas)
    if course.status.candidate:
        candidate = course.status.candidate
        stages = stages_of(spec) if course.status.stable else INITIAL
        stage = stages[min(candidate.stage.index, len(stages) - 1)]
        # never below what the weight it has now needs: 3 replicas at weight 50 need 2
        needed = ceil(replicas * max(s.weight(candidate.revision), course.weight) / 100)
        yield from _revision(s, spec, candidate.revision, max(stage.capacity(replicas), needed))


def _revision(s: Snapshot, spec: Spec, revision: str, replicas: int) -> Iterator[Action]:
    facts = s.revision(revision)
    template = facts.template
    rendered = _rendered(s, spec, revision) if template is None or could_be_mended(s, spec, revision) else None
    if template is None or (rendered is not None and rendered != template):
        if rendered is None:
            return  # nothing is known of how to build it; what is there stays
        name = children.child_name(s.identity.name, revision)
        if facts.record and template is not None:
            if refused(s, "ControllerRevision", name, DELETING):
                return
            yield Delete("ControllerRevision", name, facts.record.uid)
            facts = replace(facts, record=None)
        template = rendered
        record = children.record(s.identity.owner, inputs_of(spec), template, s.identity.generation)
        if _needs(s, record, facts.record):
            yield Apply(record)
    service = children.revision_service(s.identity.owner, revision)
    if _needs(s, service, facts.service):
        yield Apply(service)
    deployment = children.deployment(s.identity.owner, revision, template, replicas)
    if _needs(s, deployment, facts.deployment, drifted=facts.replicas != replicas):
        yield Apply(deployment)


def _rendered(s: Snapshot, spec: Spec, revision: str) -> str | None:
    """The pod template (JSON) that spec and runtime table give a revision today; None where they speak of another."""
    inputs, runtime = inputs_of(spec), s.runtimes.get(spec.runtime.name)
    if runtime is None or inputs.revision != revision:
        return None
    return canonical(pod_template(s.identity.name, inputs, runtime))


def could_be_mended(s: Snapshot, spec: Spec, revision: str) -> bool:
    """Is it a candidate that could not start, which today's template may mend: another address or Secret of the model,
    a corrected runtime?

    Only one that never had traffic and has no ready pod. Everything else keeps the template it was made with, so that
    an upgrade restarts nothing.
    """
    candidate, facts = s.status.candidate, s.revision(revision)
    if candidate is None or candidate.revision != revision or candidate.exposed_at or facts.ready_pods:
        return False
    moved = facts.inputs is not None and facts.inputs.model != spec.model
    unmade = ("Deployment", children.child_name(s.identity.name, revision)) in s.refusals
    return moved or unmade or bool(facts.trouble) or any(pod.trouble for pod in facts.pods)


def _shared(s: Snapshot, course: Course) -> Iterator[Action]:
    """What follows stable: Service `m` and the disruption budget; before the first promotion, what comes."""
    anchor = course.status.stable or course.status.candidate
    if anchor is None:
        return
    service = children.stable_service(s.identity.owner, anchor.revision)
    if _needs(s, service, s.stable_service, drifted=s.stable_selects != anchor.revision):
        yield Apply(service)
    budget = children.budget(s.identity.owner, anchor.revision)
    if _needs(s, budget, s.budget):
        yield Apply(budget)
