"""What a killed run leaves is found by what cannot be anybody else's, and taken away; nothing else is."""

from __future__ import annotations

import io
import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console

from sluice_dev.cluster import cgroups, lifecycle, netns, teardown
from sluice_dev.cluster.command import run
from sluice_dev.cluster.layout import Layout
from sluice_dev.cluster.processes import Identity, alive, start_time, wait_for
from sluice_dev.cluster.record import Record
from sluice_dev.cluster.teardown import has_remains, leftovers, sweep, tear_down

Start = Callable[..., Identity]


@pytest.fixture
def start() -> Iterator[Start]:
    """`start("nsenter", ...)`: a process that waits for its end, by what it is known again."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(*prefix: str) -> Identity:
        process = subprocess.Popen([*prefix, "sleep", "600"])
        started.append(process)
        wait_for("it sleeps", lambda: Path(f"/proc/{process.pid}/comm").read_text() == "sleep\n", 10)
        begun = start_time(process.pid)
        assert begun is not None
        return process.pid, begun

    yield begin
    for process in started:
        process.kill()
        process.wait()


def pod_namespace(layout: Layout) -> Path:
    """A network namespace that is kept as containerd keeps a pod's: by a mount below its state."""
    file = layout.state / "containerd" / "state" / "netns" / "cni-1"
    file.parent.mkdir(parents=True)
    file.touch()
    run(["unshare", f"--net={file}", "true"])
    return file


def pod_cgroup(layout: Layout, pid: int) -> None:
    """Puts a process where the kubelet puts a container: below the cgroup, in a hierarchy that takes it."""
    for ours in list(cgroups.below(layout.name)):
        pod = ours / "pod1"
        pod.mkdir()
        try:
            (pod / "cgroup.procs").write_text(str(pid))
        except OSError:  # a new cpuset of v1 has no processor
            continue
        return
    raise AssertionError("no hierarchy took the process")


def test_nothing_is_left_of_nothing(machine: Layout) -> None:
    tear_down(machine)
    assert leftovers(machine) == []
    assert not has_remains(machine)


def test_files_are_found_and_set_aside_until_they_are_swept(machine: Layout) -> None:
    (machine.state / "etcd").mkdir(parents=True)
    Record(str(machine.checkout)).write(machine.record)
    machine.containerd_socket.touch()
    assert leftovers(machine) == [str(machine.state), str(machine.record), str(machine.containerd_socket)]

    tear_down(machine)

    assert leftovers(machine) == []
    assert has_remains(machine)
    sweep(machine)
    assert not has_remains(machine)
    assert list(machine.state.parent.iterdir()) == []


def test_processes_of_the_node_are_found_by_its_namespace(machine: Layout, start: Start) -> None:
    netns.create(machine.name)
    inside, outside = start(*netns.enter(machine.name, [])), start()
    assert leftovers(machine) == [f"process {inside[0]}", str(netns.mount_point(machine.name))]

    tear_down(machine)

    assert leftovers(machine) == []
    assert not alive(inside)
    assert alive(outside)


def test_processes_of_a_pod_are_found_by_the_mount_of_its_namespace(machine: Layout, start: Start) -> None:
    mount = pod_namespace(machine)
    inside = start("nsenter", f"--net={mount}")
    assert leftovers(machine) == [f"process {inside[0]}", f"mount {mount}", str(machine.state)]

    tear_down(machine)

    assert leftovers(machine) == []
    assert not alive(inside)


def test_processes_of_a_pod_are_found_by_its_cgroup(machine: Layout, start: Start) -> None:
    cgroups.create(machine.name)
    inside = start()
    pod_cgroup(machine, inside[0])
    found = leftovers(machine)
    assert f"process {inside[0]}" in found
    assert all(entry.startswith(f"cgroup {cgroups.MOUNT}") for entry in found[1:])

    tear_down(machine)

    assert leftovers(machine) == []
    assert not alive(inside)


def test_a_daemon_outside_of_the_namespace_is_known_by_the_record(machine: Layout, start: Start) -> None:
    forwarder, other = start(), start()
    tear_down(machine, (forwarder, (other[0], other[1] + 1)))  # the second pid is somebody else's by now
    assert not alive(forwarder)
    assert alive(other)


def test_the_sockets_of_the_shims_go(machine: Layout, tmp_path: Path) -> None:
    socket = tmp_path / "shim.sock"
    socket.touch()
    bundle = machine.state / "containerd" / "state" / "io.containerd.runtime.v2.task" / "k8s.io" / "c1"
    bundle.mkdir(parents=True)
    (bundle / "address").write_text(f"unix://{socket}")
    tear_down(machine)
    assert not socket.exists()


def test_notes_at_fixed_places_go_and_those_of_others_stay(
    machine: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results, links = tmp_path / "results", tmp_path / "containers"
    for folder in (results, links):
        folder.mkdir()
    monkeypatch.setattr(teardown, "CNI_RESULTS", results)
    monkeypatch.setattr(teardown, "CONTAINER_LINKS", links)
    for name in (f"{machine.name}-c1-eth0", "cni-loopback-c1-lo", "other-c2-eth0", "cni-loopback-c2-lo"):
        (results / name).touch()
    (links / "ours.log").symlink_to(machine.pod_logs / "ns_pod_uid" / "c" / "0.log")
    (links / "theirs.log").symlink_to("/var/log/pods/ns_pod_uid/c/0.log")

    tear_down(machine)

    assert {path.name for path in results.iterdir()} == {"other-c2-eth0", "cni-loopback-c2-lo"}
    assert [path.name for path in links.iterdir()] == ["theirs.log"]


def test_the_node_reaches_services_and_nothing_else(machine: Layout) -> None:
    netns.create(machine.name)
    routes = json.loads(run(netns.enter(machine.name, ["ip", "-json", "route"])))
    assert {route["dst"] for route in routes} == {netns.SERVICE_CIDR, "10.244.255.0/24"}


@pytest.mark.parametrize("recorded", [True, False], ids=["after its record", "before its record"])
def test_down_takes_away_what_a_killed_run_left(machine: Layout, start: Start, *, recorded: bool) -> None:
    """Killed in the middle: no daemon answers, namespace, cgroup, mounts and files are there."""
    netns.create(machine.name)
    cgroups.create(machine.name)
    pod_namespace(machine)
    inside = start(*netns.enter(machine.name, []))
    if recorded:
        Record(str(machine.checkout), processes={"etcd": inside}).write(machine.record)

    lifecycle.down(machine, Console(file=io.StringIO()))

    assert leftovers(machine) == []
    assert not alive(inside)
    assert list(machine.state.parent.iterdir()) == []
    assert not machine.run.exists()


def test_down_of_nothing_leaves_no_folder(machine: Layout) -> None:
    lifecycle.down(machine, Console(file=io.StringIO()))
    assert not machine.run.exists()


def test_whoever_waits_while_down_takes_the_lock_away_makes_a_new_one(machine: Layout) -> None:
    """Otherwise two of them would hold a lock each: one on the file that is gone, one on the new one."""
    held: list[bool] = []

    def next_one() -> None:
        with lifecycle.alone(machine):
            held.append((machine.run / "lock").exists())

    waiter = threading.Thread(target=next_one)
    with lifecycle.alone(machine):
        inode = (machine.run / "lock").stat().st_ino
        waiter.start()
        wait_for("the other one waits", lambda: waits_for_lock(inode), 10)
        (machine.run / "lock").unlink()
        machine.run.rmdir()
    waiter.join(10)
    assert held == [True]


def waits_for_lock(inode: int) -> bool:
    """By the kernel's list, where a waiting lock has an arrow."""
    return any(
        "->" in line and f":{inode} " in line and f" {os.getpid()} " in line
        for line in Path("/proc/locks").read_text().splitlines()
    )
