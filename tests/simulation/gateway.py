"""Services become EndpointSlices, HTTPRoutes become what the data plane carries: late, and with words about it."""

from collections.abc import Callable, Mapping
from random import Random
from typing import Any, Final

from simulation.clockwork import Agenda
from simulation.data_plane import DataPlane
from simulation.fake_cluster import ApiServer
from sluice.adapters.kube.facts import endpoints as ready_endpoints
from sluice.api import names

CONTROLLER: Final = "gateway.envoyproxy.io/gatewayclass-controller"


class Network:
    """Endpoint controller and gateway controller.

    gateway_delay: seconds until the gateway has taken a new route.
    """

    def __init__(
        self, agenda: Agenda, server: ApiServer, random: Random, plane: DataPlane, gateway_delay: Callable[[], float]
    ) -> None:
        self._agenda = agenda
        self._server = server
        self._random = random
        self._plane = plane
        self._gateway_delay = gateway_delay
        self._pending: set[tuple[str, str, str]] = set()
        self._configured_at = 0.0
        self.accepted: dict[str, int] = {}
        """Revision -> percent in the route that the gateway took last."""
        server.listeners.append(self._heard)

    def _heard(self, change: str, kind: str, obj: dict[str, Any]) -> None:
        metadata = obj["metadata"]
        namespace, name = metadata.get("namespace", ""), metadata["name"]
        if kind == "Service" and change != "DELETED":
            self._soon("Service", namespace, name, self._random.uniform(0.03, 0.2))
        elif kind == "Pod":
            for service in self._server.all("Service"):
                if service["spec"]["selector"].items() <= metadata["labels"].items():
                    self._soon("Service", namespace, service["metadata"]["name"], self._random.uniform(0.03, 0.2))
        elif kind == "EndpointSlice":
            self._agenda.after(self._random.uniform(0.005, 0.05), lambda: self._reach(obj, change == "DELETED"))
        elif kind == "HTTPRoute":
            if change == "DELETED":
                self._plane.route({})
            else:
                self._soon("HTTPRoute", namespace, name, self._gateway_delay())

    def _soon(self, kind: str, namespace: str, name: str, delay: float) -> None:
        key = (kind, namespace, name)
        if key not in self._pending:
            self._pending.add(key)
            self._agenda.after(delay, lambda: self._sync(key))

    def _sync(self, key: tuple[str, str, str]) -> None:
        self._pending.discard(key)
        obj = self._server.find(*key)
        if obj is not None:
            self._slice(obj) if key[0] == "Service" else self._configure(obj)

    # --- endpoints -------------------------------------------------------------------------------------------------

    def _slice(self, service: dict[str, Any]) -> None:
        metadata = service["metadata"]
        selector = service["spec"]["selector"].items()
        pods = [p for p in self._server.all("Pod") if selector <= p["metadata"]["labels"].items() and p.get("status")]
        manifest = {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": f"{metadata['name']}-slice",
                "namespace": metadata["namespace"],
                "labels": {**metadata.get("labels", {}), "kubernetes.io/service-name": metadata["name"]},
                "ownerReferences": [{"kind": "Service", "name": metadata["name"], "uid": metadata["uid"]}],
            },
            "endpoints": [
                {
                    "conditions": {"ready": _ready(pod)},
                    "targetRef": {"kind": "Pod", "name": pod["metadata"]["name"], "uid": pod["metadata"]["uid"]},
                }
                for pod in pods
            ],
        }
        self._server.apply("EndpointSlice", manifest)

    def _reach(self, obj: dict[str, Any], gone: bool) -> None:
        live = (
            None if gone else self._server.find("EndpointSlice", obj["metadata"]["namespace"], obj["metadata"]["name"])
        )
        revision = obj["metadata"]["labels"].get(names.LABEL_REVISION)
        if revision is None:
            return
        ready = [e["targetRef"]["name"] for e in (live or {}).get("endpoints", ()) if e["conditions"]["ready"]]
        self._plane.reach(revision, ready)
        for route in self._server.all("HTTPRoute"):
            self._soon("HTTPRoute", route["metadata"]["namespace"], route["metadata"]["name"], self._gateway_delay())

    # --- routes ----------------------------------------------------------------------------------------------------

    def _configure(self, route: dict[str, Any]) -> None:
        metadata = route["metadata"]
        weights = weights_of(route)
        self.accepted = weights
        self._plane.route(weights)
        empty = [revision for revision in weights if not self._plane.endpoints.get(revision)]
        resolved = ("False", "EndpointsNotFound") if empty else ("True", "ResolvedRefs")
        parents = [
            {
                "parentRef": ref,
                "controllerName": CONTROLLER,
                "conditions": [
                    _condition("Accepted", "True", "Accepted", metadata["generation"]),
                    _condition("ResolvedRefs", *resolved, metadata["generation"]),
                ],
            }
            for ref in route["spec"]["parentRefs"]
        ]
        self._server.set_status("HTTPRoute", metadata["namespace"], metadata["name"], {"parents": parents})


def weights_of(route: Mapping[str, Any]) -> dict[str, int]:
    """Percent by revision, zeros left out, as a gateway reads it."""
    prefix = f"{route['metadata']['name']}-"
    weights: dict[str, int] = {}
    for backend in route["spec"]["rules"][0]["backendRefs"]:
        if backend["name"].startswith(prefix) and backend["weight"] > 0:
            revision = backend["name"].removeprefix(prefix)
            weights[revision] = weights.get(revision, 0) + backend["weight"]
    return weights


def ready_pods(server: ApiServer, revision: str) -> int:
    """Ready endpoints of a revision, by the API server's own word."""
    return sum(
        ready_endpoints(one)
        for one in server.all("EndpointSlice")
        if one["metadata"]["labels"].get(names.LABEL_REVISION) == revision
    )


def _ready(pod: dict[str, Any]) -> bool:
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"]["conditions"])
    return ready and not pod["metadata"].get("deletionTimestamp")


def _condition(kind: str, status: str, reason: str, generation: int) -> dict[str, Any]:
    return {"type": kind, "status": status, "reason": reason, "observedGeneration": generation}
