"""Taking traffic back for good: invariants 3 and 4."""

from typing import Any

from simulation.api_link import Request
from simulation.gateway import ready_pods
from simulation.invariants.checker import Checker, marked, new_rejections, route_change, stable_of
from simulation.models import Behaviour
from sluice.api import names
from sluice.api.status import Verdict
from sluice.api.v1alpha1 import OnFail
from sluice.core.plan import Announce, Apply, Mark


class TrafficFirst(Checker):
    """The first action of a rollback is the route, in the pass that decides it."""

    name, number = "a rollback's first action is the route", 3

    def __init__(self) -> None:
        super().__init__()
        self._snapshots: dict[str, Any] = {}

    def decided(self, world: Any, process: Any, snapshot: Any, actions: Any, status: Any) -> None:
        """A plan is made."""
        self._snapshots[process.name] = snapshot
        candidate, stable = snapshot.status.candidate, snapshot.status.stable
        if actions is None or candidate is None or stable is None or not snapshot.weight(candidate.revision):
            return
        failed = any(c.verdict is Verdict.FAIL and c.on_fail is OnFail.ROLLBACK for c in snapshot.observation.checks)
        rejects = failed or any(isinstance(a, Mark) and a.rejected for a in actions)
        refused = ("HTTPRoute", snapshot.identity.name) in snapshot.refusals
        if any(isinstance(a, Announce) and a.reason == "Retried" for a in actions):
            return  # a person has just forgiven it: it begins anew, with the weight that it has
        if not rejects or refused or not snapshot.revision(stable.revision).serving:
            return
        self.exercised += 1
        first = actions[0]
        if not isinstance(first, Apply) or first.kind != "HTTPRoute":
            self.fail(world, f"{candidate.revision} is rejected, the first action is {type(first).__name__}")
        elif _weight(first.manifest, candidate.revision):
            self.fail(world, f"{candidate.revision} is rejected and keeps weight")

    def requested(self, world: Any, request: Request) -> None:
        """The verdict is written: the traffic must be gone by then."""
        verdicts = new_rejections(request) | marked(request)
        snapshot = self._snapshots.get(request.process.name)
        if not verdicts or snapshot is None or snapshot.status.stable is None:
            return
        if ("HTTPRoute", snapshot.identity.name) in snapshot.refusals:
            return  # the API server has just refused to take the traffic back
        for revision in verdicts:
            self.exercised += 1
            if request.known.weights.get(revision) and snapshot.revision(snapshot.status.stable.revision).serving:
                self.fail(world, f"{request.kind} says that {revision} is rejected while it still gets requests")


class RejectedStaysOut(Checker):
    """A rejected revision gets no traffic again without a retry, whatever was lost in between."""

    name, number = "rejected stays out", 4

    def __init__(self) -> None:
        super().__init__()
        self._rejected: dict[str, float] = {}
        self._verdicts: dict[str, str] = {}

    def asked(self, world: Any, verb: str, revision: str) -> None:
        """A retry forgives."""
        if verb == "retry":
            self._rejected.pop(revision, None)
            self._verdicts = {p: r for p, r in self._verdicts.items() if r != revision}

    def decided(self, world: Any, process: Any, snapshot: Any, actions: Any, status: Any) -> None:
        """A verdict is reached; it counts once its first action has happened. A newer spec may come before that."""
        if actions is not None:
            self._verdicts.pop(process.name, None)
        for action in actions or ():
            if isinstance(action, Mark) and action.rejected:
                self._verdicts[process.name] = action.name.rpartition("-")[2]
            if isinstance(action, Announce) and action.reason == "RolledBack" and snapshot.status.candidate:
                self._verdicts[process.name] = snapshot.status.candidate.revision

    def requested(self, world: Any, request: Request) -> None:
        """Whatever is written."""
        for revision in new_rejections(request) | marked(request):
            self._rejected.setdefault(revision, request.at)
        change = route_change(request)
        if change is None:
            return
        before, after = change
        verdict = self._verdicts.get(request.process.name)
        if verdict and verdict in before and verdict not in after:
            self._rejected.setdefault(verdict, request.at)
        for revision, moment in self._rejected.items():
            self.exercised += 1
            if after.get(revision, 0) > before.get(revision, 0):
                self.fail(world, f"{revision}, rejected at {moment:.1f}, got {after[revision]}%")

    def tick(self, world: Any) -> None:
        """What is deleted is forgotten, by everybody."""
        if world.resource is None:
            self._rejected.clear()
            self._verdicts.clear()

    def end(self, world: Any) -> None:
        """A rejection is remembered to the end."""
        if world.resource is None:
            return
        for revision in self._rejected:
            listed = {one["revision"] for one in world.status.get("rejected", ())}
            if revision not in listed and stable_of(world) != revision:
                self.fail(world, f"{revision} was rejected and status.rejected does not know")


class RejectedForCause(Checker):
    """Only a model that does harm, or that a person aborted, is ever rejected: not knowing is not failing."""

    name, number = "nothing is rejected for blindness", 5

    def __init__(self) -> None:
        super().__init__()
        self._aborted: set[str] = set()

    def asked(self, world: Any, verb: str, revision: str) -> None:
        """An abort is a cause, until a retry after it was acted on."""
        if verb == "abort":
            self._aborted.add(revision)
        elif world.acted_on("abort"):
            self._aborted.discard(revision)

    def requested(self, world: Any, request: Request) -> None:
        """A rejection is recorded."""
        change = route_change(request)
        if change is not None:
            self.exercised += 1
        for revision in new_rejections(request) | marked(request):
            model = world.model(revision)
            self.exercised += 1
            if revision not in self._aborted and (model is None or not model.harmful):
                self.fail(world, f"{revision} ({model and model.behaviour}) was rejected without a cause")


class AbortActs(Checker):
    """A person's abort of the candidate takes its traffic within seconds, and for good."""

    name, number = "an abort acts", 3

    def __init__(self) -> None:
        super().__init__()
        self._asked: dict[str, float] = {}

    def asked(self, world: Any, verb: str, revision: str) -> None:
        """An abort counts if it names the candidate."""
        if verb == "abort" and (world.status.get("candidate") or {}).get("revision") == revision:
            self._asked[revision] = world.agenda.now
        elif verb == "retry":
            self._asked.pop(revision, None)

    def tick(self, world: Any) -> None:
        """It is acted on."""
        stable = stable_of(world)
        if world.resource is None or stable is None or not ready_pods(world.server, stable):
            self._asked.clear()
            return
        for revision, moment in self._asked.items():
            since = max(moment, world.healthy_since())
            if revision != stable and world.agenda.now - since > 5:
                self.exercised += 1
                if revision in world.plane.weights:
                    self.fail(world, f"{revision} was aborted at {moment:.1f} and still has traffic")


class HarmIsShort(Checker):
    """A model that does harm is not promoted, and loses its traffic while little harm is done."""

    name, number = "harm is short", 3

    def __init__(self) -> None:
        super().__init__()
        self._alone = 0.0

    def requested(self, world: Any, request: Request) -> None:
        """Nothing harmful becomes stable when there was a stable one."""
        if request.kind != names.KIND or request.after is None:
            return
        status = (request.before or {}).get("status") or {}
        before, after = (status.get("stable") or {}).get("revision"), stable_of(world)
        if before is None or after == before or after is None:
            return
        model = world.model(after)
        self.exercised += 1
        if model is not None and model.harmful:
            self.fail(world, f"{after} ({model.behaviour}) was promoted")

    def tick(self, world: Any) -> None:
        """Under undisturbed sight, errors end the exposure within seconds."""
        stable = stable_of(world)
        for revision in world.plane.weights:
            model = world.model(revision)
            if revision == stable or stable is None or model is None or not model.harmful:
                continue
            if model.behaviour is Behaviour.EXITS or world.impaired() or not world.plane.rate:
                continue
            seconds = world.plane.exposure[revision].seconds
            if world.scenario.versus and not ready_pods(world.server, stable):
                self._alone = world.agenda.now  # nothing to compare with, and nobody else who could serve
            sighted = world.agenda.now - max(world.healthy_since(), world.sighted_since(), self._alone)
            self.exercised += 1
            if min(sighted, sum(seconds.values())) > 14:
                self.fail(world, f"{revision} ({model.behaviour}) has had traffic for 14 s of undisturbed sight")


def _weight(route: Any, revision: str) -> int:
    backends = route["spec"]["rules"][0]["backendRefs"]
    return sum(b["weight"] for b in backends if b["name"].endswith(f"-{revision}"))
