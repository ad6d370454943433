"""The network namespace that holds the whole node. It has no route out: nothing in it can reach another machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sluice_dev.cluster.command import run

NODE_ADDRESS = "10.244.255.1"
SERVICE_CIDR = "10.96.0.0/16"
POD_CIDR = "10.244.0.0/23"
"""510 addresses, enough for 250 pods and their successors; the node's own address lies outside of it."""


def mount_point(name: str) -> Path:
    """Where iproute2 keeps the namespace alive."""
    return Path("/run/netns") / name


def enter(name: str, argv: Sequence[str]) -> list[str]:
    """The command line that runs `argv` in the namespace.

    `nsenter --net`, not `ip netns exec`: that one remounts /sys, and kubelet and containerd then find no cgroups.
    """
    return ["nsenter", f"--net={mount_point(name)}", *argv]


def create(name: str) -> None:
    """Makes the namespace with loopback, the node's address and a route to the Services."""
    run(["ip", "netns", "add", name])
    for argv in (
        ["ip", "link", "set", "lo", "up"],
        # A bridge without ports stands in for a network card: not every kernel has the `dummy` device.
        ["ip", "link", "add", "node0", "type", "bridge"],
        ["ip", "addr", "add", f"{NODE_ADDRESS}/24", "dev", "node0"],
        ["ip", "link", "set", "node0", "up"],
        # Without it the node itself has no route to a Service address, so kube-proxy's rules never see the packet.
        ["ip", "route", "add", SERVICE_CIDR, "dev", "node0"],
        ["sysctl", "-qw", "net.ipv4.ip_forward=1"],
    ):
        run(enter(name, argv))


def delete(name: str) -> None:
    """Takes the namespace away; nothing happens if there is none."""
    if mount_point(name).exists():
        run(["ip", "netns", "delete", name])
