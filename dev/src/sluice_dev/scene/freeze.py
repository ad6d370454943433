"""Stopping the processes of a pod as a hung machine would, or ending them. Only on the embedded cluster."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sluice_dev.cluster.cgroups import below
from sluice_dev.cluster.errors import ClusterError
from sluice_dev.scene.api import Object


def processes(pod: Object, container: str) -> list[int]:
    """Process ids on this machine of a running container. Raises ClusterError if there are none."""
    statuses = pod.get("status", {}).get("containerStatuses", ())
    ids = [s["containerID"].rpartition("//")[2] for s in statuses if s["name"] == container and s.get("containerID")]
    found = {
        int(pid)
        for cgroup in below()
        if any(cgroup.name == name for name in ids)
        for pid in (cgroup / "cgroup.procs").read_text().split()
    }
    if not found:
        name = pod["metadata"]["name"]
        raise ClusterError(
            f"no process of container {container} of pod {name} was found in this machine's cgroups: stopping one "
            "needs the embedded cluster (`make cluster`)"
        )
    return sorted(found)


@contextmanager
def frozen(pod: Object, container: str) -> Iterator[None]:
    """SIGSTOP for its processes, SIGCONT at the end, whatever happens."""
    stopped = processes(pod, container)
    try:
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in stopped:
            with suppress(ProcessLookupError):  # the kubelet may have replaced it
                os.kill(pid, signal.SIGCONT)


def crash(pod: Object, container: str) -> None:
    """SIGKILL for its processes, as a machine without memory would end them: an exit of the container's own."""
    for pid in processes(pod, container):
        with suppress(ProcessLookupError):  # the first takes the others with it
            os.kill(pid, signal.SIGKILL)
