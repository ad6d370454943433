"""Where everything of the development cluster lies.

Nothing of a running cluster is outside the state folder, the run folder, the network namespace and the cgroup,
so taking these four away takes the cluster away.
"""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path

NAME = "sluice"
"""One cluster per machine: its network namespace, its cgroup and its folder below /run have fixed places."""


def cache_root() -> Path:
    """The folder of things built once per machine: SLUICE_CACHE, else the user's cache folder (XDG)."""
    if chosen := os.environ.get("SLUICE_CACHE"):
        return Path(chosen).expanduser().resolve()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sluice"


@dataclass(frozen=True, slots=True)
class Layout:
    """The places of one checkout's cluster. `checkout` and `cache` are absolute paths.

    name: what the network namespace of the node, the cgroup of its pods and the run folder are called. Only tests
    choose another one, so that they can make and take away what no running cluster has.
    """

    checkout: Path
    cache: Path
    name: str = NAME

    @classmethod
    def here(cls) -> Layout:
        """The layout of the checkout this file belongs to."""
        return cls(checkout=Path(__file__).resolve().parents[4], cache=cache_root())

    def of(self, checkout: str) -> Layout:
        """The places of another checkout's cluster on this machine."""
        return dataclasses.replace(self, checkout=Path(checkout))

    @property
    def tools(self) -> Path:
        """One Go module per tool, with its go.mod and go.sum."""
        return self.checkout / "dev" / "tools"

    @property
    def manifests(self) -> Path:
        """What is applied to the new cluster."""
        return self.checkout / "dev" / "manifests"

    @property
    def state(self) -> Path:
        """All data of the running node; deleted by `down`."""
        return self.checkout / "build" / "cluster"

    @property
    def kubeconfig(self) -> Path:
        """For kubectl and clients outside of the namespace; reaches the API server through loopback."""
        return self.checkout / "build" / "kubeconfig"

    @property
    def node_kubeconfig(self) -> Path:
        """The same rights, for processes inside the node's namespace."""
        return self.pki / "admin.kubeconfig"

    @property
    def pki(self) -> Path:
        return self.state / "pki"

    @property
    def config(self) -> Path:
        """The daemons' configuration files as they were rendered for this start."""
        return self.state / "config"

    @property
    def logs(self) -> Path:
        """One log file per daemon, and per build when it was started from `up`."""
        return self.state / "logs"

    @property
    def pod_logs(self) -> Path:
        """The kubelet's podLogsDir: <namespace>_<pod>_<uid>/<container>/<restarts>.log."""
        return self.state / "pod-logs"

    @property
    def run(self) -> Path:
        """Record, lock and sockets. One cluster per machine; a short path, since a socket's has at most 107 bytes."""
        return Path("/run") / self.name

    @property
    def record(self) -> Path:
        return self.run / "cluster.json"

    @property
    def containerd_socket(self) -> Path:
        return self.run / "containerd.sock"
