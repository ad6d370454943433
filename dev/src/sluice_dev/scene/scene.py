"""A ModelDeployment on the stage: applied, put under load, recorded, taken away."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

from sluice.api.names import KIND, LABEL_NAME
from sluice_dev.cluster import Cluster
from sluice_dev.load import Load, LoadPlan, Outcome
from sluice_dev.load.accesslog import AccessLog
from sluice_dev.scene.api import Api, Object
from sluice_dev.scene.deployments import Flight, revision_of
from sluice_dev.scene.recorder import NotInTime, Recorder

CHILDREN = ("Deployment", "Service", "ControllerRevision", "PodDisruptionBudget", "HTTPRoute", "Pod")
READY_SECONDS = 120
"""For pods to start on a busy machine of two cores."""


class Scene:
    """A context manager: entering makes the namespace and records; leaving ends the load and the recording.

    folder: holds the demo's models and rows. out: where the load's outcomes go.
    """

    def __init__(self, cluster: Cluster, flight: Flight, models: Path, out: Path) -> None:
        self.cluster = cluster
        self.flight = flight
        self.api = Api(cluster.kubeconfig)
        self.recorder = Recorder(self.api, flight.namespace, flight.name)
        self.versions: dict[str, str] = {}
        """Revision -> what it is called: v1, v2, ..."""
        self.load: Load | None = None
        self._generation = 0
        self._models = models
        self._out = out
        self._stack = ExitStack()

    def __enter__(self) -> Scene:
        self._await_end()
        self.api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.flight.namespace}})
        self._stack.enter_context(self.recorder)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _await_end(self) -> None:
        """Of a namespace of this name that is being taken away: nothing can be made in it. Raises NotInTime."""
        deadline, name = time.monotonic() + READY_SECONDS, self.flight.namespace
        while (found := self.api.find("Namespace", "", name)) and found["metadata"].get("deletionTimestamp"):
            if time.monotonic() > deadline:
                raise NotInTime(f"namespace {name} is still being taken away after {READY_SECONDS} s")
            time.sleep(0.5)

    def apply(self, version: str, faults: Mapping[str, float] | None = None, **more: Any) -> str:
        """Asks for a version as `kubectl apply` would; returns the revision that it is."""
        manifest = self.flight.manifest(version, faults, **more)
        revision = revision_of(manifest)
        self.versions.setdefault(revision, version)
        self._generation = self.api.apply(manifest)["metadata"]["generation"]
        return revision

    def answered(self) -> bool:
        """The operator's status speaks of what was applied last."""
        return bool(self.recorder.status.get("observedGeneration", 0) >= self._generation)

    def annotate(self, annotation: str, value: str) -> None:
        """As `kubectl annotate --overwrite`."""
        patch = {"metadata": {"annotations": {annotation: value}}}
        self.api.patch(KIND, self.flight.namespace, self.flight.name, patch)

    def serving(self, revision: str, seconds: float = READY_SECONDS) -> None:
        """Waits until a revision is stable and all traffic is its own by the gateway's word."""
        self.recorder.wait(
            f"revision {revision} is stable and Ready",
            lambda: (
                self.answered() and self.recorder.stable == revision and self.recorder.condition("Ready")[0] == "True"
            ),
            seconds,
        )

    def rejected(self, revision: str, seconds: float) -> Object:
        """Waits until a revision is rejected, its weight is 0 and Stalled says so; returns the rejection."""
        self.recorder.wait(
            f"revision {revision} is rejected",
            lambda: (
                self.recorder.rejected(revision) is not None
                and revision not in self.recorder.weights
                and self.recorder.condition("Stalled")[:2] == ("True", "RolledBack")
            ),
            seconds,
        )
        return self.recorder.rejected(revision) or {}

    def start_load(self, rate: float, seconds: float) -> Load:
        """Requests through the gateway, until the scene ends or the bound (seconds) is reached."""
        plan = LoadPlan(
            path=self.flight.index["request_path"],
            host=self.flight.host,
            bodies=self._models / "rows.jsonl",
            rate=rate,
            seconds=seconds,
            out=self._out,
        )
        self.load = self._stack.enter_context(Load(self.cluster, plan, self.cluster.gateway_address()))
        return self.load

    def answers(self, count: int, seconds: float = 60) -> list[Outcome]:
        """Waits until so many requests that are sent from now on have ended; returns them. Needs a load."""
        if self.load is None:
            raise RuntimeError("nobody sends requests: start_load first")
        news, since, found = self.load.follow(), time.time(), list[Outcome]()

        def enough() -> bool:
            found.extend(outcome for outcome in news() if outcome.start >= since)
            return len(found) >= count

        self.recorder.wait(f"{count} answers", enough, seconds)
        return found

    def access_log(self) -> AccessLog:
        """The gateway's log about this scene's host, from now on."""
        return AccessLog(self.cluster, self.flight.host)

    def clear(self, seconds: float = 120) -> None:
        """Takes the ModelDeployment away and waits until nothing of it is left."""
        self.api.delete(KIND, self.flight.namespace, self.flight.name)
        self.recorder.wait("the ModelDeployment is gone", lambda: not self.recorder.resource, 30)
        self.recorder.wait("nothing of it is left", lambda: not self.leftovers(), seconds)

    def leftovers(self) -> list[str]:
        """`kind/name` of everything that carries the ModelDeployment's label."""
        labels = f"{LABEL_NAME}={self.flight.name}"
        return [
            f"{kind}/{item['metadata']['name']}"
            for kind in CHILDREN
            for item in self.api.list(kind, self.flight.namespace, labels)
        ]

    def remove_namespace(self) -> None:
        """Takes the whole namespace away, without waiting for its end."""
        self.api.delete("Namespace", "", self.flight.namespace)
