"""Deployments become pods, pods start, exit, restart and leave: the part of Kubernetes around the operator."""

from collections.abc import Callable
from random import Random
from typing import Any

from simulation.clockwork import Agenda, WorldClock
from simulation.data_plane import DataPlane
from simulation.fake_cluster import ApiServer, whole_seconds
from simulation.models import Behaviour, Model
from sluice.core.revision import digest

_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
PRE_STOP = 10.0
"""Seconds for which a pod goes on answering after its deletion, as its template's preStop says."""
BACK_OFF = (1.0, 10.0, 20.0)
"""Seconds until a container is started again after its first, second, ... exit."""


ADDRESSES = 60
"""So many pods later an address is given out again."""


class Kubelet:
    """Deployment controller, scheduler and kubelet in one.

    model_of: the model that a pod template serves.
    """

    def __init__(
        self,
        agenda: Agenda,
        clock: WorldClock,
        server: ApiServer,
        random: Random,
        model_of: Callable[[Any], Model],
    ) -> None:
        self._agenda = agenda
        self._clock = clock
        self._server = server
        self._random = random
        self._model_of = model_of
        self._pending: set[tuple[str, str]] = set()
        self._leaving: set[str] = set()
        self.addresses: dict[str, str] = {}
        """Of all pods that there ever were."""
        self._free = [f"10.0.0.{number}" for number in range(1, ADDRESSES + 1)]
        self.plane: DataPlane
        self.rolled: list[str] = []
        """Pods that were replaced because their Deployment's template changed."""
        server.listeners.append(self._heard)

    # --- Deployments -----------------------------------------------------------------------------------------------

    def _heard(self, change: str, kind: str, obj: dict[str, Any]) -> None:
        if kind == "Deployment" and change != "DELETED":
            self._soon(obj["metadata"]["namespace"], obj["metadata"]["name"])
        elif kind == "Pod":
            if change == "DELETED" or obj["metadata"].get("deletionTimestamp"):
                for ref in obj["metadata"].get("ownerReferences") or ():
                    self._soon(obj["metadata"]["namespace"], ref["name"])
            if change == "MODIFIED" and obj["metadata"].get("deletionTimestamp"):
                self._begin_leaving(obj)

    def _soon(self, namespace: str, name: str) -> None:
        if (namespace, name) not in self._pending:
            self._pending.add((namespace, name))
            self._agenda.after(self._random.uniform(0.05, 0.3), lambda: self._sync(namespace, name))

    def _sync(self, namespace: str, name: str) -> None:
        self._pending.discard((namespace, name))
        deployment = self._server.find("Deployment", namespace, name)
        if deployment is None:
            return
        uid, spec = deployment["metadata"]["uid"], deployment["spec"]
        generation = digest(spec["template"])
        pods = [p for p in self._server.all("Pod") if _owner(p) == uid and not p["metadata"].get("deletionTimestamp")]
        current = [p for p in pods if p["metadata"]["labels"]["pod-template-hash"] == generation]
        old = [p for p in pods if p not in current]
        surplus = sorted(current, key=_is_ready)[: max(0, len(current) - spec["replicas"])]
        self.rolled.extend(pod["metadata"]["name"] for pod in old)
        for pod in (*old, *surplus):
            self._server.delete("Pod", namespace, pod["metadata"]["name"])
        for _ in range(spec["replicas"] - len(current)):
            self._create(deployment, generation)

    def _create(self, deployment: dict[str, Any], generation: str) -> None:
        metadata, template = deployment["metadata"], deployment["spec"]["template"]
        suffix = "".join(self._random.choices(_LETTERS, k=5))
        name = f"{metadata['name']}-{generation}-{suffix}"
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": name,
                "namespace": metadata["namespace"],
                "labels": {**template["metadata"]["labels"], "pod-template-hash": generation},
                "ownerReferences": [{"kind": "Deployment", "name": metadata["name"], "uid": metadata["uid"]}],
            },
            "spec": {},
        }
        self._server.create("Pod", pod)
        model = self._model_of(template)
        self._set(name, metadata["namespace"], ready=False, state={"waiting": {"reason": "ContainerCreating"}})
        self._agenda.after(
            self._random.uniform(0.3, 1.5), lambda: self._start(metadata["namespace"], name, model, restarts=0)
        )

    # --- pods ------------------------------------------------------------------------------------------------------

    def _start(self, namespace: str, name: str, model: Model, restarts: int, last: Any = None) -> None:
        pod = self._server.find("Pod", namespace, name)
        if pod is None or pod["metadata"].get("deletionTimestamp"):
            return
        if model.behaviour is Behaviour.IMAGE_MISSING:
            words = {"reason": "ErrImagePull", "message": "not found"}
            self._set(name, namespace, ready=False, state={"waiting": words})
            return
        self.plane.started(name, model)
        running = {"running": {"startedAt": whole_seconds(self._clock.now())}}
        self._set(name, namespace, ready=False, state=running, last=last, restarts=restarts)
        if model.behaviour is Behaviour.NEVER_READY:
            return
        began = self._clock.monotonic()
        self._agenda.after(model.load, lambda: self._ready(namespace, name, running, last, restarts, began))

    def _ready(self, namespace: str, name: str, state: Any, last: Any, restarts: int, began: float) -> None:
        pod, server = self._server.find("Pod", namespace, name), self.plane.servers.get(name)
        if pod is None or pod["metadata"].get("deletionTimestamp") or server is None or not server.alive:
            return
        if pod["status"]["containerStatuses"][0]["restartCount"] == restarts:
            self._set(name, namespace, ready=True, state=state, last=last, restarts=restarts)

    def exited(self, namespace: str, name: str, code: int = 1) -> None:
        """The container's process has just ended; the kubelet tells a moment later and starts it again."""
        pod = self._server.find("Pod", namespace, name)
        if pod is None:
            return
        ended = {"terminated": {"exitCode": code, "reason": "Error", "finishedAt": whole_seconds(self._clock.now())}}
        container = pod["status"]["containerStatuses"][0]
        restarts, before = container["restartCount"], container["lastState"]
        back_off = BACK_OFF[min(restarts, len(BACK_OFF) - 1)]
        model = self.plane.servers[name].model

        def tell() -> None:
            self._set(name, namespace, ready=False, state=ended, last=before, restarts=restarts)

        self._agenda.after(self._random.uniform(0.1, 0.8), tell)
        self._agenda.after(back_off + 0.9, lambda: self._start(namespace, name, model, restarts + 1, ended))

    def _begin_leaving(self, pod: dict[str, Any]) -> None:
        namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]

        def leave() -> None:
            if self._server.find("Pod", namespace, name) is None:
                return
            self.plane.ended(name)
            ended = {"terminated": {"exitCode": 143, "finishedAt": whole_seconds(self._clock.now())}}
            self._set(name, namespace, ready=False, state=ended)
            self._agenda.after(0.3, lambda: self._gone(namespace, name))

        if name not in self._leaving:
            self._leaving.add(name)
            self._agenda.after(PRE_STOP, leave)

    def _gone(self, namespace: str, name: str) -> None:
        self.plane.ended(name)
        self._server.remove("Pod", namespace, name)

    def evict(self, namespace: str, name: str) -> None:
        """A drain: the pod is told to leave."""
        pod = self._server.find("Pod", namespace, name)
        if pod is None or pod["metadata"].get("deletionTimestamp"):
            return
        target = {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}
        status = {**pod["status"], "conditions": [*pod["status"]["conditions"], target]}
        self._server.set_status("Pod", namespace, name, status)
        self._server.delete("Pod", namespace, name)

    def lose(self, namespace: str, name: str) -> None:
        """Its node dies: the process is gone at once, the object two seconds later."""
        if self._server.find("Pod", namespace, name) is not None:
            self.plane.ended(name)
            self._agenda.after(2.0, lambda: self._gone(namespace, name))

    def _address(self, pod: str) -> str:
        """Its address, for as long as it is there. The one that was given back longest ago is given out again."""
        if pod not in self.addresses:
            used = {self.addresses[one["metadata"]["name"]] for one in self._server.all("Pod") if one.get("status")}
            self.addresses[pod] = next(address for address in self._free if address not in used)
            self._free.remove(self.addresses[pod])
            self._free.append(self.addresses[pod])
        return self.addresses[pod]

    def _ready_condition(self, pod: dict[str, Any], ready: bool) -> dict[str, Any]:
        status = "True" if ready else "False"
        before = _ready_of(pod)
        since = before["lastTransitionTime"] if before.get("status") == status else whole_seconds(self._clock.now())
        return {"type": "Ready", "status": status, "lastTransitionTime": since}

    def _set(self, name: str, namespace: str, *, ready: bool, state: Any, last: Any = None, restarts: int = 0) -> None:
        pod = self._server.find("Pod", namespace, name)
        if pod is None:
            return
        container = {"name": "model", "ready": ready, "restartCount": restarts, "state": state, "lastState": last or {}}
        old = [c for c in (pod.get("status") or {}).get("conditions", ()) if c["type"] == "DisruptionTarget"]
        status = {
            "phase": "Running",
            "podIP": self._address(name),
            "conditions": [self._ready_condition(pod, ready), *old],
            "containerStatuses": [container],
        }
        self._server.set_status("Pod", namespace, name, status)


def _ready_of(pod: dict[str, Any]) -> dict[str, Any]:
    return next((c for c in (pod.get("status") or {}).get("conditions", ()) if c["type"] == "Ready"), {})


def _owner(pod: dict[str, Any]) -> str:
    return str(pod["metadata"]["ownerReferences"][0]["uid"])


def _is_ready(pod: dict[str, Any]) -> bool:
    return bool(_ready_of(pod).get("status") == "True")
