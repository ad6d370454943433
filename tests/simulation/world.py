"""A whole simulated world: API server, controllers, data plane, Prometheus, people, faults, and the real operator."""

import random as global_random
from collections.abc import Callable
from math import inf
from random import Random
from typing import Any, Final

from simulation import faults
from simulation.api_link import Known, Link, Request, Weather
from simulation.clockwork import Agenda, Loop, WorldClock
from simulation.data_plane import DataPlane
from simulation.fake_cluster import ApiServer
from simulation.faults import NAMESPACE
from simulation.gateway import CONTROLLER, Network, weights_of
from simulation.kubelet import Kubelet
from simulation.models import Model
from simulation.people import NAME, People
from simulation.process import SYSTEM, Process
from simulation.prometheus import PRESET, FakePrometheus, Mood
from simulation.rest import settled
from simulation.scenario import Fault, Move, Phase, Scenario
from simulation.watches import Watches
from sluice.api import names
from sluice.core.runtimes import Runtime

RUNTIMES: Final = {"sim": Runtime(image="r/sim:$(version)", fetcher="r/fetch:$(version)", metrics=PRESET)}
SETTLE_LIMIT: Final = 200.0
"""Seconds until a world without faults must have come to rest: a lease, a refusal's minute, two rollouts."""


class World:
    """One run of a scenario. checkers: told about everything that happens, see invariants."""

    def __init__(self, scenario: Scenario, checkers: tuple[Any, ...] = ()) -> None:
        self.scenario = scenario
        self.checkers = checkers
        self.random = Random(scenario.seed)
        global_random.seed(scenario.seed)  # the operator's own jitter
        self.agenda = Agenda()
        self.clock = WorldClock(self.agenda)
        self.server = ApiServer(self.clock.now, Random(scenario.seed + 1))
        self.weather = Weather(Random(scenario.seed + 2))
        self.people = People(self.agenda, self.server, scenario)
        self.kubelet = Kubelet(self.agenda, self.clock, self.server, self.random, self._model_of)
        self.plane = DataPlane(self.agenda, scenario.rate, lambda pod: self.kubelet.exited(NAMESPACE, pod))
        self.kubelet.plane = self.plane
        self.network = Network(self.agenda, self.server, self.random, self.plane, self._gateway_delay)
        self.prometheus = FakePrometheus(
            self.agenda, self.clock, self.server, self.plane, self.random, self.kubelet.addresses, scenario.gateway
        )
        self.processes: list[Process] = []
        self._ever: list[Process] = []
        self.log: list[str] = []
        self.violations: list[str] = []
        self.boundaries = 0
        self.last_write = 0.0
        self.foreign: dict[str, Any] | None = None
        self.gateway_slow = False
        self._by_digest = {model.digest: model for model in scenario.models}
        self.exits_injected: set[str] = set()
        self.faulty_until = 0.0
        self._healthy_since = 0.0
        self._distrust_until = 0.0
        self._healed = False
        self.ending = False
        """Does nobody do anything any more?"""
        self._sighted_since = 0.0
        self.runtimes = dict(RUNTIMES)
        """The runtime table: empty while somebody took the row away."""
        self.last_change = 0.0
        """When a pod or an endpoint last changed."""
        self.writes = 0
        """Writes of the operator."""
        self.crashed_at: list[str] = []
        """Boundaries at which an operator was killed."""
        self.server.listeners.append(self._litter)
        self.watches = Watches(self.agenda, self.random, lambda: self.processes)
        self.server.listeners.append(self.watches.heard)
        self._furnish()

    # --- running ---------------------------------------------------------------------------------------------------

    def run(self) -> "World":
        """Play the scenario to its end; stops at the first violation."""
        try:
            self.start()
            for phase in self.scenario.phases:
                if not self.violations:
                    self.play(phase)
            self.finish()
        finally:
            self.close()
        return self

    def start(self) -> None:
        """The operator is installed."""
        for number in range(self.scenario.operators):
            self.start_operator(number)

    def close(self) -> None:
        """Release everything."""
        for process in self._ever:
            process.bury()

    def finish(self) -> None:
        """Nothing goes wrong any more, nobody does anything: where does it end?"""
        if self.violations:
            return
        self.ending = True
        self.heal()
        if self.people.paused:
            self._move(Move("resume"))
        self.settle()
        for checker in self.checkers:
            if not self.violations:
                checker.end(self)

    def play(self, phase: Phase) -> None:
        """A person's move, and what goes wrong after it."""
        began = self.agenda.now
        self._move(phase.move)
        for fault in phase.faults:
            self.strike(fault, began)
        if phase.wait is None:
            self.advance(max((f.at + f.lasts for f in phase.faults), default=0.0) + 0.5)
            self.settle()
        else:
            self.advance(phase.wait)

    def strike(self, fault: Fault, began: float | None = None) -> None:
        """Something will go wrong; began: the moment from which its times are counted, else now."""
        moment = (self.agenda.now if began is None else began) + fault.at
        self.agenda.at(moment, lambda: self._begin(fault))
        self.agenda.at(moment + fault.lasts, lambda: faults.cease(self, fault))
        self.faulty_until = max(self.faulty_until, moment + fault.lasts)

    def _begin(self, fault: Fault) -> None:
        if not self._healed:
            faults.begin(self, fault)

    def _move(self, move: Move) -> None:
        self.say(f"PERSON {move.what} {move.argument}")
        self.last_write = self.agenda.now
        demand = self.people.do(move)
        for checker in self.checkers:
            if demand:
                checker.asked(self, *demand)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._until(self.agenda.now + seconds, lambda: False)

    def settle(self) -> None:
        """Until everything has come to rest."""
        self.advance(2.0)
        self._until(self.agenda.now + SETTLE_LIMIT, lambda: settled(self))

    def _until(self, end: float, reached: Callable[[], bool]) -> None:
        look = self.agenda.now
        while not self.violations:
            loops, planned = self._loops_due(), self.agenda.due()
            moment = max(self.agenda.now, min(loops, planned))
            if moment > end:
                self.agenda.now = end
                return
            if moment >= look:
                look = moment + 0.5
                if self.dark() or not self.plane.rate:
                    self._sighted_since = moment + 1.0
                if self.impaired() or moment < self._distrust_until:
                    self._healthy_since = moment + 3.0
                for checker in self.checkers:
                    checker.tick(self)
                if reached():
                    return
            if loops <= planned:
                self.agenda.now = moment
                self._work_off(moment)
            else:
                self.agenda.do_next()

    def _loops_due(self) -> float:
        """When the next process has something to do."""
        soonest = inf
        for process in self.processes:
            due = process.due()
            if due is not None and due < soonest:
                soonest = due
        return soonest

    def _work_off(self, moment: float) -> None:
        """Rounds of all processes, in turn, until none of them has anything more to do now."""
        busy = True
        while busy and not self.violations:
            busy = False
            for process in self.processes:
                due = process.due()
                if due is not None and due <= moment:
                    process.loop.step()
                    busy = True

    # --- what is there ---------------------------------------------------------------------------------------------

    @property
    def resource(self) -> Any:
        """The ModelDeployment, or None."""
        return self.server.find(names.KIND, NAMESPACE, NAME)

    @property
    def status(self) -> dict[str, Any]:
        """Its status."""
        return (self.resource or {}).get("status") or {}

    @property
    def route(self) -> Any:
        """Its HTTPRoute, or None."""
        return self.server.find("HTTPRoute", NAMESPACE, NAME)

    def acted_on(self, verb: str) -> bool:
        """Has the operator acted on the newest annotation of this verb?"""
        asked = (self.resource or {})["metadata"].get("annotations", {}).get(names.VERBS[verb])
        return bool(asked == self.status.get("lastHandled", {}).get(verb))

    def condition(self, kind: str) -> dict[str, Any]:
        """One of its conditions."""
        return next((c for c in self.status.get("conditions", ()) if c["type"] == kind), {})

    def model(self, revision: str) -> Model | None:
        """The model of a revision."""
        return next((m for m in self.scenario.models if self.people.revision_of(m) == revision), None)

    def children(self) -> list[tuple[str, str]]:
        """(kind, name) of everything that bears our label."""
        return sorted(
            (kind, obj["metadata"]["name"])
            for kind in ("Deployment", "Service", "HTTPRoute", "ControllerRevision", "PodDisruptionBudget")
            for obj in self.server.all(kind)
            if obj is not self.foreign
        )

    def violate(self, message: str) -> None:
        """An invariant does not hold."""
        self.say(f"VIOLATION {message}")
        self.violations.append(message)

    def say(self, text: str) -> None:
        """A line of the world's story."""
        self.log.append(f"{self.agenda.now:8.2f} {text}")

    def restore_runtimes(self) -> None:
        """The runtime table is whole again."""
        self.runtimes.update(RUNTIMES)

    def dark(self) -> bool:
        """Can nobody see now how a candidate does?"""
        silent = self.scenario.gateway and self.prometheus.proxies_unseen
        return self.prometheus.mood is not Mood.WELL or not self.runtimes or silent

    def sighted_since(self) -> float:
        """Since when it has not been dark."""
        return self._sighted_since

    def impaired(self) -> bool:
        """Is anything between the operator and the cluster broken now?"""
        leader = self.leader()
        if leader is None or leader.frozen or not leader.lease.held() or not leader.cache.synced():
            return True
        weather = self.weather
        watches = self.watches.slow or self.watches.lossy
        return bool(weather.outage or weather.flaky or weather.refused or watches or self.gateway_slow)

    def healthy_since(self) -> float:
        """Since when the operator has been able to act on what is; a watch that lost events is trusted again later."""
        return self._healthy_since

    # --- the operator ----------------------------------------------------------------------------------------------

    def start_operator(self, number: int) -> None:
        """A replica starts, with nothing in its memory."""
        name = f"operator-{number}-{len(self.processes)}"
        process = Process(
            name,
            clock=self.clock,
            loop=Loop(self.agenda),
            link=lambda p: Link(self.agenda, self.server, self.weather, p, self._requested, self._known),
            metrics=self.prometheus,
            runtimes=self.runtimes,
            random=Random(self.random.random()),
            boundary=self._boundary,
            decided=self._decided,
            broke=lambda p, e: self.violate(f"total: {p.name} broke: {e!r}"),
        )
        self.processes.append(process)
        self._ever.append(process)

    def kill(self, process: Process, after: float = 1.5) -> None:
        """kill -9; the kubelet starts it again."""
        if not process.alive:
            return
        self.say(f"{process.name} killed")
        process.alive = False
        self.restart_later(process, after)

    def restart_later(self, process: Process, after: float) -> None:
        """The kubelet starts what has ended."""
        number = int(process.name.split("-")[1])
        self.processes.remove(process)
        self.agenda.after(after, lambda: self.start_operator(number))

    def leader(self) -> Process | None:
        """The process that the Lease names, if it lives."""
        lease = self.server.find("Lease", SYSTEM, "sluice-operator")
        holder = lease["spec"]["holderIdentity"] if lease else ""
        return next((p for p in self.processes if p.alive and p.name == holder), None)

    def _boundary(self, process: Process, boundary: str) -> bool:
        self.boundaries += 1
        if self.boundaries not in self.scenario.crashes or self._healed:
            return False
        self.say(f"{process.name} crashes at boundary {self.boundaries}: {boundary}")
        self.crashed_at.append(boundary)
        self.agenda.after(0.0, lambda: self.kill(process, self.random.uniform(0.5, 3)))
        process.frozen = True
        return True

    def _known(self, process: Process) -> Known:
        lease, route = self.server.find("Lease", SYSTEM, "sluice-operator"), self.route
        holder = lease["spec"]["holderIdentity"] if lease else ""
        return Known(holder, process.ready(), weights_of(route) if route else {})

    def _requested(self, request: Request) -> None:
        if request.verb in ("get", "list"):
            return
        if request.kind == "Lease":
            return
        if request.kind != "Event" and request.before is not request.after:
            self.last_write = self.agenda.now
            self.writes += 1
            self.say(f"{request.process.name} {request.verb} {request.kind} {request.name} {_gist(request)}")
        elif request.kind == "Event":
            self.say(f"    {request.body['reason']}: {request.body['note'][:150]}")
        for checker in self.checkers:
            checker.requested(self, request)

    def _decided(self, process: Process, snapshot: Any, actions: Any, status: Any) -> None:
        for checker in self.checkers:
            checker.decided(self, process, snapshot, actions, status)

    def heal(self) -> None:
        """All faults end."""
        faults.cease_all(self)
        self.faulty_until = self.agenda.now
        self._healed = True

    def misled(self) -> bool:
        """May the operator believe what is no longer so, because a watch lost events?"""
        return bool(self.watches.lossy) or self.agenda.now < self._distrust_until

    def distrust(self, seconds: float) -> None:
        """For so long the operator may believe what is no longer so."""
        self._distrust_until = self.agenda.now + seconds

    def _litter(self, change: str, kind: str, obj: dict[str, Any]) -> None:
        """The garbage collector looks a moment after something lost its owner."""
        if kind in ("Event", "Lease"):
            return
        if kind in ("Pod", "EndpointSlice"):
            self.last_change = self.agenda.now
        owners = {ref["uid"] for ref in obj["metadata"].get("ownerReferences") or ()}
        if change == "DELETED" or not owners <= self._uids():
            self.agenda.after(self.random.uniform(0.1, 0.8), self.server.collect_garbage)

    def _uids(self) -> set[str]:
        kinds = (names.KIND, "Deployment", "Service")
        return {obj["metadata"]["uid"] for kind in kinds for obj in self.server.all(kind)}

    # --- the rest of the world -------------------------------------------------------------------------------------

    def _gateway_delay(self) -> float:
        return self.random.uniform(2, 6) if self.gateway_slow else self.random.uniform(0.005, 0.1)

    def _model_of(self, template: Any) -> Model:
        arguments = template["spec"]["initContainers"][0]["args"]
        return self._by_digest[arguments[arguments.index("--digest") + 1]]

    def _furnish(self) -> None:
        gateway = "gateway.networking.k8s.io/v1"
        self.server.create(
            "GatewayClass",
            {"apiVersion": gateway, "metadata": {"name": "eg"}, "spec": {"controllerName": CONTROLLER}},
        )
        self.server.create(
            "Gateway",
            {
                "apiVersion": gateway,
                "metadata": {"name": "public", "namespace": NAMESPACE},
                "spec": {"gatewayClassName": "eg"},
            },
        )
        if self.scenario.foreign:
            name = f"{NAME}-{self.people.revision_of(self.scenario.models[1])}"
            manifest = {"apiVersion": "v1", "metadata": {"name": name, "namespace": NAMESPACE}}
            self.foreign = self.server.create("Service", manifest | {"spec": {"selector": {"app": "someone-elses"}}})


def _gist(request: Request) -> str:
    after = request.after or {}
    if request.kind == "HTTPRoute" and after:
        backends = after["spec"]["rules"][0]["backendRefs"]
        words = " ".join(f"{b['name']}={b['weight']}" for b in backends)
        return f"{words} rejected={(after['metadata'].get('annotations') or {}).get(names.ANNOTATION_REJECTED)}"
    if request.kind == names.KIND and after.get("status"):
        status = after["status"]
        candidate = status.get("candidate") or {}
        return (
            f"stable={(status.get('stable') or {}).get('revision')} candidate={candidate.get('revision')} "
            f"{candidate.get('stage', {}).get('name', '')} '{status.get('summary')}'"
        )
    if request.kind == "Deployment" and after:
        return f"replicas={after['spec']['replicas']}"
    if request.kind == "ControllerRevision" and request.verb == "patch":
        return str(request.body["metadata"]["annotations"])[:120]
    return ""
