"""Has a world come to rest: is everything done that will be done by itself?"""

from typing import Any, Final

from simulation.gateway import ready_pods
from simulation.models import Behaviour
from sluice.api import names

QUIET: Final = 2.0
"""Seconds without a write; while there is a candidate, 12: its words change each few seconds."""
WORDS: Final = 62.0
"""Seconds after the last change until the words about it are written at the latest, while there is a candidate: waited
for at the end of a world only, as nobody looks at the words before."""
FINAL_REASONS: Final = frozenset({"RolledBack", "Rejected", "NameConflict"})
"""Stalled with one of these stays so."""


def settled(world: Any) -> bool:
    """Nothing more will happen without people or faults."""
    if world.agenda.now < world.faulty_until or world.leader() is None or world.misled():
        # a dead leader is followed 15 s later, and its successor may have something to say; so may the next listing
        return False
    if world.resource is None:
        return not world.children()
    if restless(world) or not _is_seen(world):
        return _is_seen(world)
    quiet = world.agenda.now - max(world.last_write, world.last_change)
    candidate = world.status.get("candidate")
    late = candidate and world.ending and world.agenda.now - max(world.last_change, world.faulty_until) < WORDS
    if late or quiet < (6 * QUIET if candidate else QUIET) or not _pods_are_there(world):
        return False
    if world.people.paused:
        return bool(quiet > 6 * QUIET)
    return world.condition("Ready").get("status") == "True" or _is_stalled(world)


def restless(world: Any) -> bool:
    """Did a model that exits under load become the first revision of all? Then it exits for ever: its own fault."""
    model = world.model((world.status.get("stable") or {}).get("revision", ""))
    return model is not None and model.behaviour is Behaviour.EXITS


def _is_seen(world: Any) -> bool:
    """The operator has read all that people wrote, and cleaned up."""
    metadata, status = world.resource["metadata"], world.status
    handled, annotations = status.get("lastHandled", {}), metadata.get("annotations", {})
    if status.get("observedGeneration") != metadata["generation"] or status.get("retiring"):
        return False
    return all(annotations.get(verb) in (None, handled.get(word)) for word, verb in names.VERBS.items())


def _is_stalled(world: Any) -> bool:
    stalled, desired = world.condition("Stalled"), world.people.desired
    final = set(FINAL_REASONS)
    if desired is not None and not desired.starts:
        final.add("NotReadyInTime")
    return stalled.get("status") == "True" and stalled["reason"] in final


def _pods_are_there(world: Any) -> bool:
    pods, deployments = world.server.all("Pod"), world.server.all("Deployment")
    leaving = any(pod["metadata"].get("deletionTimestamp") for pod in pods)
    if leaving or len(pods) != sum(d["spec"]["replicas"] for d in deployments):
        return False
    stable = (world.status.get("stable") or {}).get("revision")
    return stable is None or ready_pods(world.server, stable) == world.people.replicas
