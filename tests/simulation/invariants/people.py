"""Whose objects are whose, and who may write: invariants 7 and 8, the lease, and what is not ours."""

from typing import Any

from simulation.api_link import Request
from simulation.invariants.checker import Checker


class SpecIsTheirs(Checker):
    """The operator writes the status of a ModelDeployment and nothing else of it."""

    name, number = "the spec is never written", 8

    def requested(self, world: Any, request: Request) -> None:
        """The resource is written."""
        if request.kind != "ModelDeployment":
            return
        self.exercised += 1
        if request.verb != "replace_status" or request.before["spec"] != request.after["spec"]:
            self.fail(world, f"{request.verb} of the ModelDeployment")
        kept = ("annotations", "labels", "finalizers", "generation")
        if any(request.before["metadata"].get(k) != request.after["metadata"].get(k) for k in kept):
            self.fail(world, "metadata of the ModelDeployment was written")


class ForeignUntouched(Checker):
    """What we do not own is never written or deleted."""

    name, number = "foreign objects are untouched", 8

    def requested(self, world: Any, request: Request) -> None:
        """Anything is written."""
        if request.kind in ("ModelDeployment", "Event", "Lease") or request.before is None:
            return
        if world.foreign is not None or request.verb == "delete":
            self.exercised += 1
        if not request.before["metadata"].get("ownerReferences"):
            self.fail(world, f"{request.verb} of {request.kind} {request.name}, which is not ours")

    def end(self, world: Any) -> None:
        """It is as it was."""
        if world.foreign is not None:
            metadata = world.foreign["metadata"]
            live = world.server.find("Service", metadata["namespace"], metadata["name"])
            if live != world.foreign:
                self.fail(world, "somebody else's Service has changed")


class OneLeader(Checker):
    """Only the holder of the lease writes."""

    name, number = "only the leader writes", 7

    def __init__(self) -> None:
        super().__init__()
        self._leaders: set[str] = set()

    def requested(self, world: Any, request: Request) -> None:
        """Anything is written."""
        self._leaders.add(request.process.name)
        if len(self._leaders) > 1:
            self.exercised += 1
        if request.known.holder != request.process.name:
            self.fail(world, f"{request.process.name} wrote {request.kind}, the lease is {request.known.holder}'s")
