"""Where weight may go: invariants 1, 2 and 6."""

from math import ceil
from typing import Any

from simulation.api_link import Request
from simulation.gateway import ready_pods, weights_of
from simulation.invariants.checker import Checker, route_change, stable_of
from simulation.people import SCALE_DOWN_DELAY


class WeightsSum(Checker):
    """Every route that the operator writes distributes exactly all requests."""

    name, number = "weights sum to 100", 1

    def requested(self, world: Any, request: Request) -> None:
        """A route is written."""
        if request.kind != "HTTPRoute" or request.after is None:
            return
        self.exercised += 1
        total = sum(b["weight"] for b in request.after["spec"]["rules"][0]["backendRefs"])
        if total != 100:
            self.fail(world, f"the route's weights sum to {total}")


class NoWeightWithoutEndpoints(Checker):
    """No weight is given to a revision without ready endpoints, as far as the sender could know, while another has."""

    name, number = "no weight to a revision without endpoints", 1

    def __init__(self) -> None:
        super().__init__()
        self._since: float | None = None

    def requested(self, world: Any, request: Request) -> None:
        """A route is written."""
        change = route_change(request)
        if change is None:
            return
        before, after = change
        ready = request.known.ready
        for revision in after:
            if after[revision] > before.get(revision, 0):
                others = [r for r in before if r != revision and ready.get(r, 0) > 0 and world.plane.answers(r)]
                self.exercised += bool(before)
                if not ready.get(revision, 0) and others:
                    self.fail(world, f"{revision} has no ready endpoint and got {after[revision]}%, {others} has some")

    def tick(self, world: Any) -> None:
        """A candidate without endpoints loses its weight soon."""
        weights, stable = world.plane.weights, stable_of(world)
        lost = [r for r in weights if r != stable and not ready_pods(world.server, r)]
        if not lost or not stable or stable not in weights or not ready_pods(world.server, stable):
            self._since = None
            return
        now = world.agenda.now
        self._since = now if self._since is None else self._since
        self.exercised += 1
        if now - max(self._since, world.healthy_since()) > 4:
            self.fail(world, f"{lost} kept its weight for 4 s without a ready endpoint, {stable} has some")


class CapacityKept(Checker):
    """A revision keeps the pods that its weight needs, and its objects until its requests are answered."""

    name, number = "stable keeps its capacity", 2

    def __init__(self) -> None:
        super().__init__()
        self._replicas: list[tuple[float, int]] = []
        self._left: dict[str, float] = {}

    def tick(self, world: Any) -> None:
        """Remember what people asked for."""
        self._replicas = [*self._replicas[-20:], (world.agenda.now, world.people.replicas)]

    def requested(self, world: Any, request: Request) -> None:
        """A Deployment changes or goes."""
        if (change := route_change(request)) is not None:
            self._left.update(dict.fromkeys(change[0].keys() - change[1].keys(), request.at))
        if request.kind not in ("Deployment", "Service") or "-" not in request.name or request.before is None:
            return
        revision = request.name.rpartition("-")[2]
        weight = min(
            request.known.weights.get(revision, 0), weights_of(world.route).get(revision, 0) if world.route else 0
        )
        if request.verb == "delete":
            self.exercised += 1
            if world.plane.weights.get(revision):
                self.fail(
                    world, f"{request.kind} {request.name} deleted while it gets {world.plane.weights[revision]}%"
                )
            left = self._left.get(revision)
            if left is not None and request.sent - left < SCALE_DOWN_DELAY - 0.3:
                self.fail(world, f"{request.kind} {request.name} deleted {request.sent - left:.1f} s after its weight")
        elif request.kind == "Deployment" and weight:
            least = min([n for t, n in self._replicas if world.agenda.now - t < 12] or [world.people.replicas])
            needed = ceil(min(least, world.people.replicas) * weight / 100)
            self.exercised += 1
            if request.after["spec"]["replicas"] < needed:
                self.fail(
                    world, f"{revision} has {weight}% and got {request.after['spec']['replicas']} of {needed} pods"
                )


class TwoRevisions(Checker):
    """Never traffic to three revisions; each keeps its backend for life."""

    name, number = "two revisions, each in its slot", 6

    def requested(self, world: Any, request: Request) -> None:
        """A route is written."""
        change = route_change(request)
        if change is None:
            return
        before, after = change
        self.exercised += len(after) > 1
        if len(after) > 2 or len(request.after["spec"]["rules"][0]["backendRefs"]) != 2:
            self.fail(world, f"traffic to {sorted(after)}")
        if request.before is None:
            return
        for revision in before.keys() & after.keys():
            old, new = (_slot(route, revision) for route in (request.before, request.after))
            if old != new:
                self.fail(world, f"{revision} moved from slot {old} to {new}")


class StableIsPromoted(Checker):
    """Stable changes only to a revision that carries all requests, by the gateway's own word."""

    name, number = "stable is the last promoted", 6

    def requested(self, world: Any, request: Request) -> None:
        """A status is written."""
        if request.kind != "ModelDeployment" or request.verb != "replace_status":
            return
        before = (((request.before or {}).get("status") or {}).get("stable") or {}).get("revision")
        after = (((request.after or {}).get("status") or {}).get("stable") or {}).get("revision")
        if before == after:
            return
        self.exercised += 1
        routed = weights_of(world.route) if world.route else {}
        if routed != {after: 100}:
            self.fail(world, f"stable became {after}, the route says {routed}")
        elif before is not None and world.network.accepted != {after: 100}:
            self.fail(world, f"stable became {after} before the gateway took the route ({world.network.accepted})")


class NewestSpecOnly(Checker):
    """A raise is for what the spec asks now, and never while it is paused."""

    name, number = "a newer spec supersedes, a pause holds", 6

    def __init__(self) -> None:
        super().__init__()
        self._asked: tuple[str | None, bool] = (None, False)
        self._since = 0.0

    def tick(self, world: Any) -> None:
        """Watch what people ask for."""

    def requested(self, world: Any, request: Request) -> None:
        """A route is written."""
        change = route_change(request)
        if change is None:
            return
        before, after = change
        stable = stable_of(world)
        for revision in after:
            if revision == stable or after[revision] <= before.get(revision, 0):
                continue
            asked_at, asked, paused = world.people.asked_for(request.sent - 0.1)
            _, now_asked, now_paused = world.people.asked_for(request.sent)
            self.exercised += 1
            if revision not in (asked, now_asked):
                self.fail(world, f"{revision} was raised, the spec has asked for {asked} since {asked_at:.1f}")
            if paused and now_paused and stable is not None:
                self.fail(world, f"{revision} was raised, paused since {asked_at:.1f}")


def _slot(route: Any, revision: str) -> int:
    """A revision that has all traffic also borrows the free slot, with the smaller share."""
    backends = route["spec"]["rules"][0]["backendRefs"]
    own = [(backend["weight"], i) for i, backend in enumerate(backends) if backend["name"].endswith(f"-{revision}")]
    return max(own)[1]
