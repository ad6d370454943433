"""What people do: they publish models, change their minds, and annotate; all of it straight at the API server."""

from datetime import timedelta
from typing import Any, Final

from simulation.clockwork import Agenda
from simulation.fake_cluster import ApiServer
from simulation.faults import NAMESPACE
from simulation.models import Model
from simulation.scenario import Move, Scenario
from sluice.api import names
from sluice.api.quantities import format_duration
from sluice.api.v1alpha1 import Spec
from sluice.core.revision import inputs_of

NAME: Final = "m"
PROGRESS_DEADLINE: Final = 25.0
SCALE_DOWN_DELAY: Final = 3.0


class People:
    """Everybody who may write the ModelDeployment.

    desired: the model that the spec asks for; None: there is no ModelDeployment.
    """

    def __init__(self, agenda: Agenda, server: ApiServer, scenario: Scenario) -> None:
        self._agenda = agenda
        self._server = server
        self._scenario = scenario
        self._verbs = 0
        self._asked: list[tuple[float, str | None, bool]] = []
        self._revisions: dict[str, str] = {}
        self.desired: Model | None = None
        self.replicas = scenario.replicas
        self.paused = False
        self.strict = True
        """Do they tolerate few errors?"""

    def asked_for(self, moment: float) -> tuple[float, str | None, bool]:
        """(since when, revision, paused) that they asked for at this moment."""
        return next((one for one in reversed(self._asked) if one[0] <= moment), (0.0, None, False))

    def revision_of(self, model: Model) -> str:
        """The revision that a model makes."""
        if model.name not in self._revisions:
            self._revisions[model.name] = inputs_of(Spec.model_validate(self._spec(model))).revision
        return self._revisions[model.name]

    def do(self, move: Move) -> tuple[str, str] | None:
        """Make a move; returns (verb, revision) of an annotation."""
        exists = self._server.find(names.KIND, NAMESPACE, NAME) is not None
        model = self._scenario.models[move.argument] if move.what in ("publish", "abort", "retry") else None
        if move.what == "delete":
            self._server.delete(names.KIND, NAMESPACE, NAME)
            self.desired = None
            return None
        if model is not None and not exists:
            model = self._scenario.models[0]  # after a deletion people begin with what they know
        if move.what == "publish":
            self.desired = model
        elif move.what == "scale":
            self.replicas = move.argument
        elif move.what == "recheck":
            self.strict = not self.strict
        elif move.what in ("pause", "resume"):
            self.paused = move.what == "pause"
        if self.desired is None:
            return None
        self._asked.append((self._agenda.now, self.revision_of(self.desired), self.paused))
        demand = None
        if model is not None and move.what in ("abort", "retry"):
            demand = move.what, self.revision_of(model)
        self._write(exists, demand)
        return demand

    def _write(self, exists: bool, demand: tuple[str, str] | None) -> None:
        spec = self._spec(self.desired) if self.desired else {}
        metadata: dict[str, Any] = {}
        if demand:
            self._verbs += 1
            metadata = {"annotations": {names.VERBS[demand[0]]: f"{demand[1]}/{self._verbs}"}}
        if exists:
            self._server.patch(names.KIND, NAMESPACE, NAME, {"metadata": metadata, "spec": spec})
        else:
            manifest = {"apiVersion": names.API_VERSION, "kind": names.KIND, "spec": spec}
            self._server.create(names.KIND, manifest | {"metadata": {"name": NAME, "namespace": NAMESPACE} | metadata})

    def _checks(self) -> dict[str, Any]:
        """Fixed maxima; or a comparison with stable too, which alone takes longer while nobody knows the noise."""
        rate: dict[str, Any] = {"max": "5%" if self.strict else "10%"}
        latency: dict[str, Any] = {"slo": "1s", "maxShareAbove": "5%", "warmUp": "0s"}
        more: dict[str, Any] = {}
        if self._scenario.versus:
            rate["versusStable"] = {} if self.strict else {"ratio": "2"}
            latency["versusStable"] = {}
            # the margin over stable takes thousands of requests: after a while the rest of the evidence is enough
            more = {"evidenceDeadline": "15s", "onDeadline": "Promote"}
        errors = {"name": "errors", "type": "Rate", "rate": rate}
        checks = [errors, {"name": "latency", "type": "Latency", "latency": latency}]
        if self._scenario.gateway:
            checks.append({"name": "reached", "type": "Rate", "rate": {"max": "5%", "source": "Gateway"}})
        return {"checks": checks, **more}

    def _spec(self, model: Model) -> dict[str, Any]:
        steps = [
            {"weight": w, "minDuration": format_duration(timedelta(seconds=d)), "minSamples": n}
            for w, d, n in self._scenario.steps
        ]
        return {
            "replicas": self.replicas,
            "paused": self.paused,
            "model": {"uri": f"https://models.example/{model.name}/manifest.json", "digest": model.digest},
            "runtime": {"name": "sim", "version": "1"},
            "traffic": {"gateway": {"parentRefs": [{"name": "public"}]}},
            "strategy": {"type": "Canary", "canary": {"steps": steps}},
            "analysis": {"blindDeadline": self._scenario.blind_deadline} | self._checks(),
            "progressDeadline": f"{PROGRESS_DEADLINE:g}s",
            "scaleDownDelay": f"{SCALE_DOWN_DELAY:g}s",
        }
