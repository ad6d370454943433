"""How the node's parts are started and when each counts as up."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from sluice_dev.cluster import cgroups, config, forwarder, netns, pki
from sluice_dev.cluster.addons import NodeKubectl, wait_condition
from sluice_dev.cluster.binaries import tool_folder
from sluice_dev.cluster.command import run
from sluice_dev.cluster.daemons import Daemon
from sluice_dev.cluster.errors import ClusterError, CommandFailed
from sluice_dev.cluster.layout import Layout
from sluice_dev.cluster.processes import Identity, alive, start, wait_for
from sluice_dev.cluster.tools import TOOLS


class Node:
    """One node that is being started. `processes` fills up as daemons start."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.processes: dict[str, Identity] = {}
        self._lock = threading.Lock()

    def prepare(self) -> None:
        """Folders, certificates, configuration files, the namespace and the cgroup: all before the first daemon."""
        for folder in (self.layout.logs, self.layout.pod_logs, self.layout.run):
            folder.mkdir(parents=True, exist_ok=True)
        pki.write(self.layout.pki)
        config.write(self.layout)
        cgroups.create(self.layout.name)
        netns.create(self.layout.name)

    def start(self, daemon: Daemon) -> None:
        """Starts the daemon inside the namespace and waits until it answers."""
        programs = tool_folder(self.layout, TOOLS[daemon.tool]) if daemon.tool else Path()
        argv = netns.enter(self.layout.name, daemon.argv(self.layout, programs))
        log = self.layout.logs / f"{daemon.name}.log"
        identity = start(argv, log, cwd=self.layout.state)
        with self._lock:
            self.processes[daemon.name] = identity

        def answers() -> bool:
            if not alive(identity):
                raise ClusterError(f"{daemon.name} ended. The end of {log}:\n{tail(log)}")
            return self._answers(daemon.name)

        wait_for(f"{daemon.name} answers", answers, 60, f"see {log}")

    def _answers(self, name: str) -> bool:
        probes = {
            "containerd": ["ctr", "-a", str(self.layout.containerd_socket), "version"],
            "etcd": ["curl", "-sf", "http://127.0.0.1:2379/health"],
            "apiserver": ["curl", "-skf", "https://127.0.0.1:6443/readyz"],
        }
        if name not in probes:
            return True  # what these do is waited for where it is needed
        try:
            run(netns.enter(self.layout.name, probes[name]), timeout=10)
        except CommandFailed:
            return False
        return True

    def wait_ready(self) -> None:
        wait_condition(NodeKubectl(self.layout), "Ready", 60, "node", pki.NODE_NAME)

    def import_image(self, archive: Path) -> None:
        run(["ctr", "-a", str(self.layout.containerd_socket), "-n", "k8s.io", "images", "import", str(archive)])

    def forward(self, targets: dict[str, tuple[int, str, int]]) -> dict[str, int]:
        """Starts the loopback forwarder. targets: name -> (preferred port, address and port in the namespace).

        Returns name -> the port on 127.0.0.1.
        """
        listeners = {name: forwarder.free_listener(target[0]) for name, target in targets.items()}
        maps = [f"{listeners[name].fileno()}:{host}:{port}" for name, (_, host, port) in targets.items()]
        argv = [sys.executable, "-m", forwarder.__name__, str(netns.mount_point(self.layout.name)), *maps]
        fds = tuple(listener.fileno() for listener in listeners.values())
        self.processes["forwarder"] = start(
            argv, self.layout.logs / "forwarder.log", cwd=self.layout.state, pass_fds=fds
        )
        ports = {name: int(listener.getsockname()[1]) for name, listener in listeners.items()}
        for listener in listeners.values():
            listener.close()
        return ports


def tail(log: Path, lines: int = 15) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
