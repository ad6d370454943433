"""Where things end when nothing goes wrong any more: invariant 7."""

from typing import Any

from simulation.invariants.checker import Checker, stable_of
from simulation.models import Behaviour
from simulation.rest import restless, settled

QUIET = 12.0
"""Seconds for which a world at rest is watched."""


class ComesToRest(Checker):
    """When the faults are over everything settles, and then nothing is written or even asked any more."""

    name, number = "comes to rest", 7

    def end(self, world: Any) -> None:
        """It has settled, and stays so."""
        if restless(world):
            return
        self.exercised += 1
        if not settled(world):
            self.fail(world, f"not settled: '{world.status.get('summary')}' {world.condition('Stalled')}")
            return
        candidate = world.status.get("candidate")
        sent = sum(p.link.sent for p in world.processes)
        written = world.writes
        world.advance(QUIET)
        asked = sum(p.link.sent for p in world.processes) - sent
        if world.writes > written:
            self.fail(world, "something was written at rest")
        elif asked > (1 if candidate else 0):
            self.fail(world, f"{asked} API requests at rest")


class EndsWhereItMust(Checker):
    """The end is what the models and the moves make of it, whatever went wrong on the way."""

    name, number = "ends where it must", 7

    def end(self, world: Any) -> None:
        """Compare with what has to be."""
        resource, desired = world.resource, world.people.desired
        if resource is None or desired is None or restless(world):
            return
        self.exercised += 1
        revision, status = world.people.revision_of(desired), world.status
        rejected = {one["revision"] for one in status.get("rejected", ())}
        stable, candidate = stable_of(world), status.get("candidate")
        conflict = world.condition("Stalled").get("reason") == "NameConflict"
        if revision in rejected or not desired.starts or conflict:
            if world.condition("Stalled").get("status") != "True":
                self.fail(world, f"{revision} cannot serve and is not Stalled")
            if revision == stable and desired.starts:
                self.fail(world, f"{revision} is rejected and stable")
        elif stable != revision or candidate or world.condition("Ready").get("status") != "True":
            self.fail(world, f"{revision} ({desired.behaviour}) should serve: stable {stable}, candidate {candidate}")
        if stable is None:
            return
        weights = world.plane.weights
        if weights != {stable: 100}:
            self.fail(world, f"stable is {stable}, the gateway sends {weights}")
        self._objects(world, stable, candidate)

    def _objects(self, world: Any, stable: str, candidate: Any) -> None:
        places = {stable, *([candidate["revision"]] if candidate else [])}
        kept = {name.rpartition("-")[2] for kind, name in world.children() if kind == "Deployment"}
        if kept != places:
            self.fail(world, f"Deployments of {sorted(kept)} are left, {sorted(places)} have a place")
        deployment = next(d for d in world.server.all("Deployment") if d["metadata"]["name"].endswith(stable))
        if deployment["spec"]["replicas"] != world.people.replicas:
            self.fail(world, f"stable has {deployment['spec']['replicas']} of {world.people.replicas} replicas")
        selects = world.server.get("Service", "shop", "m")["spec"]["selector"]["sluice.dev/revision"]
        if selects != stable:
            self.fail(world, f"Service m selects {selects}, stable is {stable}")


class PodsAreKept(Checker):
    """No pod is replaced because the operator changed its mind about the template; people's pods live on."""

    name, number = "no pod is restarted", 2

    def end(self, world: Any) -> None:
        """Nothing was rolled."""
        self.exercised += 1
        if world.kubelet.rolled:
            self.fail(world, f"pods were replaced: {world.kubelet.rolled}")


class NothingIsLost(Checker):
    """Without pods dying and without models that do harm, not one request is lost."""

    name, number = "no request is lost", 1

    def tick(self, world: Any) -> None:
        """Count 503s."""
        faults = {f.what for phase in world.scenario.phases for f in phase.faults}
        hurt = any(what.startswith(("evict", "lose", "container")) for what in faults)
        deleted = any(phase.move.what == "delete" for phase in world.scenario.phases)
        if hurt or deleted or any(m.behaviour is Behaviour.EXITS for m in world.scenario.models):
            return
        self.exercised += 1
        if world.plane.unanswered > 1:
            self.fail(world, f"{world.plane.unanswered:.0f} requests were answered by the gateway's 503")
