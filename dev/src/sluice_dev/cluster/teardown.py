"""How everything of a cluster is taken away, also what a killed run left.

What belongs to it is found by what cannot be anybody else's: the network namespaces it made, mounts below its state
folder, and its cgroup. Names of programs are never looked at. Every function does nothing when there is nothing.
"""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from sluice_dev.cluster import cgroups, netns
from sluice_dev.cluster.command import run
from sluice_dev.cluster.errors import ClusterError
from sluice_dev.cluster.layout import Layout
from sluice_dev.cluster.processes import Identity, alive, kill_all

CNI_RESULTS = Path("/var/lib/cni/results")
CONTAINER_LINKS = Path("/var/log/containers")


_ASIDE = "cluster.gone-"


def tear_down(layout: Layout, processes: tuple[Identity, ...] = ()) -> None:
    """Takes away the cluster of `layout`, all but the files that `sweep` deletes.

    processes: those of its record, for what runs outside of the namespace.
    """
    namespaces = _namespace_inodes(layout)
    kill_all(lambda: _processes(layout, namespaces, processes))
    _remove_shim_sockets(layout)
    _unmount(layout.state)
    cgroups.remove(layout.name)
    _remove_links(layout)
    netns.delete(layout.name)
    for path in (layout.record, layout.containerd_socket, Path(f"{layout.containerd_socket}.ttrpc"), layout.kubeconfig):
        path.unlink(missing_ok=True)
    _set_aside(layout)


def leftovers(layout: Layout) -> list[str]:
    """What is still there of a cluster, in words; empty after `tear_down`."""
    namespaces = _namespace_inodes(layout)
    found = [f"process {pid}" for pid in _processes(layout, namespaces, ())]
    found += [f"mount {path}" for path in mounts_below(layout.state)]
    found += [f"cgroup {path}" for path in cgroups.below(layout.name)]
    candidates = (netns.mount_point(layout.name), layout.state, layout.record, layout.containerd_socket)
    return found + [f"{path}" for path in candidates if path.exists()]


def mounts_below(folder: Path) -> list[Path]:
    """Mount points below `folder`, the deepest first."""
    points = [
        Path(line.split()[4].replace("\\040", " ")) for line in Path("/proc/self/mountinfo").read_text().splitlines()
    ]
    return sorted({point for point in points if point.is_relative_to(folder)}, reverse=True)


def _namespace_inodes(layout: Layout) -> set[int]:
    """The network namespaces of the node and of its pods, which containerd keeps as mounts below its state."""
    candidates = [
        netns.mount_point(layout.name),
        *(path for path in mounts_below(layout.state) if "netns" in path.parts),
    ]
    own = Path("/proc/self/ns/net").stat().st_ino
    # A namespace file whose mount is gone is a plain file: its inode means nothing.
    return {path.stat().st_ino for path in candidates if path.exists() and _is_namespace(path)} - {own}


def _is_namespace(path: Path) -> bool:
    return path.stat().st_dev == Path("/proc/self/ns/net").stat().st_dev


def _processes(layout: Layout, namespaces: set[int], recorded: tuple[Identity, ...]) -> set[int]:
    """Processes in one of the namespaces or of the cgroup, and the recorded ones that still are the same."""
    found = {identity[0] for identity in recorded if alive(identity)}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if (folder / "ns" / "net").stat().st_ino in namespaces:
                    found.add(int(folder.name))
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue  # ended while we looked, or one we may not even look at: no child of ours
    return (found | cgroups.members(layout.name)) - {os.getpid()}


def _remove_shim_sockets(layout: Layout) -> None:
    """Each container's shim listens below /run/containerd/s; its bundle says where."""
    for address in (layout.state / "containerd" / "state").glob("io.containerd.runtime.v2.task/*/*/address"):
        Path(address.read_text().strip().removeprefix("unix://")).unlink(missing_ok=True)


def _unmount(folder: Path) -> None:
    for point in mounts_below(folder):
        run(["umount", "--lazy", str(point)])


def _remove_links(layout: Layout) -> None:
    """What the CNI plugins and the kubelet note at fixed places of the machine."""
    network = f"{layout.name}-"
    for result in CNI_RESULTS.glob(f"{network}*-eth0"):
        container = result.name.removeprefix(network).removesuffix("-eth0")
        (CNI_RESULTS / f"cni-loopback-{container}-lo").unlink(missing_ok=True)
        result.unlink()
    if CONTAINER_LINKS.is_dir():
        for link in CONTAINER_LINKS.iterdir():
            if link.is_symlink() and link.readlink().is_relative_to(layout.pod_logs):
                link.unlink()


def _set_aside(layout: Layout) -> None:
    """Renames the state so that a new cluster can start at once: deleting its 100,000 files takes a while."""
    if left := mounts_below(layout.state):
        raise ClusterError(f"{left[0]} is still mounted, so {layout.state} was left: `umount {left[0]}`, then again")
    if layout.state.exists():
        layout.state.rename(layout.state.with_name(f"{_ASIDE}{time.time_ns()}"))


def has_remains(layout: Layout) -> bool:
    """Whether `sweep` has something to delete."""
    return any(layout.state.parent.glob(f"{_ASIDE}*"))


def sweep(layout: Layout) -> None:
    """Deletes what was set aside, now and by a run that was killed meanwhile."""
    for folder in layout.state.parent.glob(f"{_ASIDE}*"):
        shutil.rmtree(folder)
