"""The cgroup of the cluster: the kubelet puts every pod below it, so the tear-down finds them there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from sluice_dev.cluster.layout import NAME

MOUNT = Path("/sys/fs/cgroup")
SHARES, WEIGHT = "16384", "625"
"""Processor time beside the machine's other processes (v1: cpu.shares, of 1024; v2: cpu.weight, of 100). With the
default all pods together get as much as one single compiler does, and their probes and requests time out."""


def create(name: str) -> None:
    """Makes it in every hierarchy; the kubelet wants its root to exist. cgroup v2, v1 and both side by side."""
    if (MOUNT / "cgroup.controllers").exists():
        _create_v2(MOUNT, name)
        return
    for hierarchy in MOUNT.iterdir():
        if (hierarchy / "cgroup.controllers").exists():
            _create_v2(hierarchy, name)
        elif hierarchy.is_dir() and not hierarchy.is_symlink():
            _create_v1(hierarchy, name)


def _create_v1(hierarchy: Path, name: str) -> None:
    cgroup = hierarchy / name
    cgroup.mkdir(exist_ok=True)
    # A new cpuset is empty, and nothing can run in it.
    for setting in ("cpuset.cpus", "cpuset.mems"):
        if (hierarchy / setting).exists():
            (cgroup / setting).write_text((hierarchy / setting).read_text())
    if (cgroup / "cpu.shares").exists():
        (cgroup / "cpu.shares").write_text(SHARES)


def _create_v2(hierarchy: Path, name: str) -> None:
    """In v2 a cgroup has the controllers that the one above it hands down, and hands them down itself."""
    ours = hierarchy / name
    ours.mkdir(exist_ok=True)
    for cgroup in (hierarchy, ours):
        for controller in (cgroup / "cgroup.controllers").read_text().split():
            (cgroup / "cgroup.subtree_control").write_text(f"+{controller}")
    if (ours / "cpu.weight").exists():
        (ours / "cpu.weight").write_text(WEIGHT)


def below(name: str = NAME) -> Iterator[Path]:
    """The cgroup and all below it, in every hierarchy; the deepest first."""
    for root in (MOUNT / name, *MOUNT.glob(f"*/{name}")):
        if root.is_dir():
            for folder, _, _ in os.walk(root, topdown=False):
                yield Path(folder)


def members(name: str) -> set[int]:
    """The processes in it."""
    return {int(pid) for cgroup in below(name) for pid in (cgroup / "cgroup.procs").read_text().split()}


def remove(name: str) -> None:
    """Takes it away; its processes must have ended."""
    for cgroup in below(name):
        cgroup.rmdir()
