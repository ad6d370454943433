"""Not knowing is not failing, and time is no evidence: invariant 5."""

from datetime import timedelta
from typing import Any

from simulation.api_link import Request
from simulation.gateway import ready_pods
from simulation.invariants.checker import Checker, route_change, stable_of
from sluice.api.status import Verdict
from sluice.api.v1alpha1 import OnDeadline
from sluice.core.plan import Announce


class EvidenceBeforeWeight(Checker):
    """A stage is left only after its time and its requests, by the data plane's own count."""

    name, number = "no raise without evidence", 5

    def requested(self, world: Any, request: Request) -> None:
        """A route is written."""
        change = route_change(request)
        stable = stable_of(world)
        if change is None or stable is None:
            return
        before, after = change
        steps = {weight: (seconds, samples) for weight, seconds, samples in world.scenario.steps}
        for revision in after:
            old = before.get(revision, 0)
            if revision == stable or after[revision] <= old or not old:
                continue
            world.plane.settle()
            seconds, samples = steps.get(old, (0, 0))
            exposure = world.plane.exposure[revision]
            self.exercised += 1
            if exposure.seconds[old] < seconds - 0.2:
                self.fail(world, f"{revision} left {old}% after {exposure.seconds[old]:.1f} of {seconds} s")
            if exposure.answered[old] < samples - 1:
                self.fail(world, f"{revision} left {old}% after {exposure.answered[old]:.0f} of {samples} requests")


class CertifiedBeforeAll(Checker):
    """All traffic only for what every required check has certified, or after the deadline that a person set."""

    name, number = "certified before all", 5

    def decided(self, world: Any, process: Any, snapshot: Any, actions: Any, status: Any) -> None:
        """A plan is made: does it enter the last stage?"""
        stable, candidate = snapshot.status.stable, snapshot.status.candidate
        if not any(isinstance(a, Announce) and a.message.endswith("promote, weight 100") for a in actions or ()):
            return
        if stable is None or candidate is None or not snapshot.revision(stable.revision).serving:
            return
        self.exercised += 1
        analysis, mark = snapshot.spec.analysis, candidate.stage
        spent = mark.live_for + (snapshot.now - mark.live_since if mark.live_since else timedelta())
        if analysis.on_deadline is OnDeadline.PROMOTE and spent >= analysis.evidence_deadline:
            return
        said = {check.name: check.verdict for check in snapshot.observation.checks}
        for check in analysis.checks:
            if said[check.name] is not Verdict.CERTIFIED:
                self.fail(world, f"{candidate.revision} gets all traffic, check {check.name} is {said[check.name]}")


class StagesInOrder(Checker):
    """No stage is skipped: a weight rises only to the next step's."""

    name, number = "stages in order", 5

    def requested(self, world: Any, request: Request) -> None:
        """A route is written."""
        change = route_change(request)
        stable = stable_of(world)
        if change is None or stable is None or stable not in change[0]:
            return
        before, after = change
        ladder = [weight for weight, _, _ in world.scenario.steps] + [100]
        for revision in after:
            old, new = before.get(revision, 0), after[revision]
            if revision == stable or new <= old:
                continue
            self.exercised += 1
            if old and ladder.index(new) != ladder.index(old) + 1:
                self.fail(world, f"{revision} rose from {old} to {new}%, the steps are {ladder}")


class SeenBeforeExposed(Checker):
    """No weight rises unless Prometheus sees every ready pod, and answers."""

    name, number = "seen before exposed", 5

    def requested(self, world: Any, request: Request) -> None:
        """A route is written."""
        change = route_change(request)
        stable = stable_of(world)
        if change is None or stable is None or stable not in change[0]:
            return
        before, after = change
        late = request.at - request.sent
        for revision in after:
            if revision == stable or after[revision] <= before.get(revision, 0) or world.misled():
                continue
            pods = world.plane.endpoints.get(revision, ())
            seen = [pod for pod in pods if world.prometheus.fresh(pod, 12 + late)]
            self.exercised += 1
            if pods and not seen:
                self.fail(world, f"{revision} got {after[revision]}% and no pod of {pods} is seen")
            if request.sent - world.prometheus.answered_at > 10:
                self.fail(world, f"{revision} got {after[revision]}% and Prometheus has not answered for 10 s")


class BlindRetreat(Checker):
    """Blind under weight: back to stable within blindDeadline; with Never, the weight is held."""

    name, number = "blind means retreat", 5

    def __init__(self) -> None:
        super().__init__()
        self._since: float | None = None

    def tick(self, world: Any) -> None:
        """Is somebody exposed whom nobody sees?"""
        stable = stable_of(world)
        exposed = [r for r in world.plane.weights if r != stable]
        serving = stable is not None and stable in world.plane.weights and ready_pods(world.server, stable)
        if not world.dark() or not exposed or not serving:
            self._since = None
            return
        now = world.agenda.now
        self._since = now if self._since is None else self._since
        deadline = world.scenario.blind_deadline
        if deadline == "Never":
            return
        self.exercised += 1
        limit = float(deadline.rstrip("s")) + 6
        if now - max(self._since, world.healthy_since()) > limit:
            self.fail(world, f"{exposed} was exposed unseen for more than {limit:g} s")

    def requested(self, world: Any, request: Request) -> None:
        """`Never` holds."""
        if request.kind != "ModelDeployment" or request.after is None or world.scenario.blind_deadline != "Never":
            return
        candidate = (request.after.get("status") or {}).get("candidate") or {}
        self.exercised += 1
        if candidate.get("retreated") == "Blind":
            self.fail(world, "it retreated for blindness under blindDeadline: Never")
