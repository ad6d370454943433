"""What every checker of an invariant has in common: it is told everything, and says when it was put to the test."""

from typing import Any

from simulation.api_link import Request
from simulation.gateway import weights_of


class Checker:
    """One invariant. exercised: how often it could have been violated: one that never could proves nothing."""

    name: str
    number: int

    def __init__(self) -> None:
        self.exercised = 0

    def requested(self, world: Any, request: Request) -> None:
        """A write of the operator took effect."""

    def decided(self, world: Any, process: Any, snapshot: Any, actions: Any, status: Any) -> None:
        """A pass is about to act: with actions, or (actions None) with a status to write."""

    def asked(self, world: Any, verb: str, revision: str) -> None:
        """A person used a verb."""

    def tick(self, world: Any) -> None:
        """Half a second has passed."""

    def end(self, world: Any) -> None:
        """Everything has come to rest."""

    def fail(self, world: Any, message: str) -> None:
        """It does not hold."""
        world.violate(f"{self.number} {self.name}: {message}")


def route_change(request: Request) -> tuple[dict[str, int], dict[str, int]] | None:
    """(weights before, weights after) of a write of the route; None for anything else."""
    if request.kind != "HTTPRoute" or request.after is None or request.before is request.after:
        return None
    return (weights_of(request.before) if request.before else {}), weights_of(request.after)


def stable_of(world: Any) -> str | None:
    """The stable revision, by the status that is stored."""
    return (world.status.get("stable") or {}).get("revision")


def new_rejections(request: Request) -> set[str]:
    """Revisions that a status write adds to status.rejected."""
    if request.kind != "ModelDeployment" or request.after is None:
        return set()
    before = {one["revision"] for one in ((request.before or {}).get("status") or {}).get("rejected", ())}
    after = {one["revision"] for one in (request.after.get("status") or {}).get("rejected", ())}
    return after - before


def marked(request: Request) -> set[str]:
    """The revision whose ControllerRevision this write marks as rejected; none, if it does not."""
    if request.kind != "ControllerRevision" or request.verb != "patch":
        return set()
    value = request.body["metadata"]["annotations"].get("sluice.dev/rejected")
    return {request.name.rpartition("-")[2]} if value else set()
