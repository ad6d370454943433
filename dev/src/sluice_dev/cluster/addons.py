"""What runs inside of the cluster from the start: DNS, gateway, Prometheus. Applied again and again without harm."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

from sluice_dev.cluster import charts
from sluice_dev.cluster.access import kubectl_program
from sluice_dev.cluster.command import run
from sluice_dev.cluster.errors import ClusterError, CommandFailed
from sluice_dev.cluster.layout import Layout
from sluice_dev.cluster.netns import enter
from sluice_dev.cluster.processes import wait_for

PROMETHEUS_USER = 65534


@dataclass(frozen=True, slots=True)
class NodeKubectl:
    """kubectl as a process inside the node's namespace: works before there is any way in from outside."""

    layout: Layout

    def __call__(self, *args: str, input: str | None = None, timeout: float = 120) -> str:
        argv = [str(kubectl_program()), f"--kubeconfig={self.layout.node_kubeconfig}", *args]
        return run(enter(self.layout.name, argv), input=input, timeout=timeout)

    def get(self, *args: str) -> dict[str, Any] | None:
        """The object as JSON, or None while there is none, or no such kind."""
        try:
            text = self("get", *args, "-o", "json", "--ignore-not-found")
        except CommandFailed as failed:
            if "the server doesn't have a resource type" in failed.output:
                return None
            raise
        found: dict[str, Any] | None = json.loads(text) if text.strip() else None
        return found

    def apply(self, manifest: str) -> None:
        """Server-side apply: some of the CRDs are larger than the annotation of a client-side one may be."""
        self("apply", "--server-side", "--force-conflicts", "-f", "-", input=manifest)


def is_true(resource: dict[str, Any] | None, condition: str) -> bool:
    """Whether the object says so of its present generation. Deployments date no condition: theirs count as they are."""
    if resource is None:
        return False
    status = resource.get("status", {})
    generation = resource["metadata"].get("generation", 0)
    if status.get("observedGeneration", generation) != generation:
        return False
    return any(
        item["type"] == condition
        and item["status"] == "True"
        and item.get("observedGeneration", generation) == generation
        for item in status.get("conditions", [])
    )


def wait_condition(kubectl: NodeKubectl, condition: str, seconds: float, *what: str) -> None:
    """Waits for `kubectl get WHAT` to have the condition, created or not yet. The error carries the cluster's story."""
    try:
        wait_for(
            f"{' '.join(what)} is {condition}", lambda: is_true(kubectl.get(*what), condition), seconds, interval=0.2
        )
    except ClusterError as late:
        raise ClusterError(f"{late}\n{story(kubectl)}") from late


def story(kubectl: NodeKubectl) -> str:
    """What tells most often why something is not ready: the pods that are not, and the latest events."""
    pods = kubectl("get", "pods", "-A", "--field-selector=status.phase!=Succeeded")
    events = kubectl("get", "events", "-A", "--sort-by=.metadata.creationTimestamp").splitlines()
    return "\n".join([pods.strip(), *events[:1], *events[1:][-15:]])


def dns(layout: Layout) -> None:
    kubectl = NodeKubectl(layout)
    kubectl.apply((layout.manifests / "coredns.yaml").read_text())
    wait_condition(kubectl, "Available", 120, "deployment", "coredns", "-n", "kube-system")


def gateway_controller(layout: Layout) -> None:
    """Envoy Gateway itself, with every CRD."""
    kubectl = NodeKubectl(layout)
    kubectl.apply(f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {charts.NAMESPACE}}}\n")
    kubectl.apply(charts.chart_path(layout).read_text())
    wait_condition(kubectl, "Established", 30, "crd", "envoyproxies.gateway.envoyproxy.io")


def gateway(layout: Layout) -> None:
    """The Gateway and its Envoy, until traffic can flow."""
    kubectl = NodeKubectl(layout)
    kubectl.apply((layout.manifests / "gateway.yaml").read_text())
    wait_condition(kubectl, "Available", 120, "deployment", "envoy-gateway", "-n", charts.NAMESPACE)
    wait_condition(kubectl, "Programmed", 120, "gateway", "public", "-n", "gateway")


def prometheus(layout: Layout) -> None:
    kubectl = NodeKubectl(layout)
    data = layout.state / "prometheus"
    data.mkdir(exist_ok=True)
    os.chown(data, PROMETHEUS_USER, PROMETHEUS_USER)
    manifest = (layout.manifests / "prometheus.yaml").read_text()
    kubectl.apply(manifest.replace("@STATE@", str(layout.state)))
    wait_condition(kubectl, "Available", 120, "deployment", "prometheus", "-n", "monitoring")


def gateway_service_address(layout: Layout) -> tuple[str, int]:
    """(Service address, port) of the Gateway, inside the namespace."""
    found = NodeKubectl(layout).get("gateway", "public", "-n", "gateway")
    if found is None:
        raise ClusterError("Gateway gateway/public is gone: `make cluster` puts it back")
    return found["status"]["addresses"][0]["value"], found["spec"]["listeners"][0]["port"]
