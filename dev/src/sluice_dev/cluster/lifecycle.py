"""What `up`, `down` and `status` do: one cluster per machine, whoever started it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from rich.console import Console

from sluice_dev.cluster import doctor, packages
from sluice_dev.cluster.access import Cluster, current_cluster
from sluice_dev.cluster.addons import NodeKubectl, is_true
from sluice_dev.cluster.bringup import BringUp, addon_steps
from sluice_dev.cluster.errors import CommandFailed
from sluice_dev.cluster.layout import Layout
from sluice_dev.cluster.own import uses_existing
from sluice_dev.cluster.processes import alive
from sluice_dev.cluster.progress import display
from sluice_dev.cluster.record import Record, read_record
from sluice_dev.cluster.steps import Report, Step, run_steps
from sluice_dev.cluster.teardown import has_remains, leftovers, sweep, tear_down


@dataclass(frozen=True, slots=True)
class Health:
    """owner: the checkout whose cluster runs, None when none does. dead: daemons that ended. unready: add-ons."""

    owner: Path | None
    api: bool = False
    dead: tuple[str, ...] = ()
    unready: tuple[str, ...] = ()

    def node_up(self, layout: Layout) -> bool:
        return self.owner == layout.checkout and self.api and not self.dead


# what people call it -> (condition, kind, namespace, name)
ADDONS: dict[str, tuple[str, str, str, str]] = {
    "DNS": ("Available", "Deployment", "kube-system", "coredns"),
    "gateway controller": ("Available", "Deployment", "envoy-gateway-system", "envoy-gateway"),
    "gateway": ("Programmed", "Gateway", "gateway", "public"),
    "Prometheus": ("Available", "Deployment", "monitoring", "prometheus"),
}


def ensure(layout: Layout, console: Console) -> Cluster:
    """The cluster to work with: the embedded one, started if need be, or one of your own, which is only looked at.

    Raises ClusterError: Missing with what the machine, or the cluster of your own, lacks.
    """
    if uses_existing():
        doctor.require(layout)
    else:
        up(layout, console)
    return current_cluster()


def set_up(layout: Layout, console: Console) -> None:
    """What `ensure` would fail for, found now: for whoever has long work to do before it. Raises Missing.

    Missing system packages are installed, as the start of the cluster would; nothing is started.
    """
    if uses_existing():
        doctor.require(layout)
        return
    doctor.require_first(layout)
    with alone(layout):
        if examine(layout).node_up(layout):
            return
        with display(console) as shown:
            run_steps([*_machine(layout)], shown)


def up(layout: Layout, console: Console) -> None:
    """Leaves this checkout's cluster running and complete; at once when it is already. Raises ClusterError."""
    doctor.require_first(layout)
    with alone(layout):
        health = examine(layout)
        if health.node_up(layout):
            if health.unready:
                with display(console) as shown:
                    run_steps(addon_steps(layout, images=False), shown)
            return
        with display(console) as shown:
            owners = _owners(layout)
            run_steps([*_machine(layout), _cleaning(layout)], shown)
            Record(str(layout.checkout)).write(layout.record)
            run_steps([*BringUp(layout).steps(), *_sweeps(owners)], shown)


def _machine(layout: Layout) -> Iterator[Step]:
    """What must hold before the plan of a start can be made."""
    if (missing := packages.missing_packages()) and packages.can_install():
        yield Step("packages", f"system packages {' '.join(missing)}", lambda _: packages.install(missing))
        yield Step("doctor", "the machine has what it needs", lambda _: doctor.require(layout), frozenset({"packages"}))
    else:
        yield Step("doctor", "the machine has what it needs", lambda _: doctor.require(layout))


def _cleaning(layout: Layout) -> Step:
    return Step("clean", "what an earlier cluster left is gone", lambda _: _clear(layout), frozenset({"doctor"}))


def down(layout: Layout, console: Console) -> None:
    """Leaves nothing of any cluster of this tool on the machine, whichever checkout started it. Raises ClusterError."""
    doctor.require(layout, doctor.FIRST)
    with alone(layout), display(console) as shown:
        owners = _owners(layout)
        run_steps([Step("clean", "the cluster is gone", lambda _: _clear(layout))], shown)
        run_steps(_sweeps(owners), shown)
        # With the lock in it, which whoever waits for it will miss and make again.
        shutil.rmtree(layout.run, ignore_errors=True)


def _owners(layout: Layout) -> list[Layout]:
    """The checkouts that may have left files: this one, and the one whose cluster runs."""
    record = read_record(layout.record)
    if record is None or Path(record.checkout) == layout.checkout:
        return [layout]
    return [layout, layout.of(record.checkout)]


def _sweeps(owners: Sequence[Layout]) -> list[Step]:
    return [
        Step(
            f"sweep {owner.checkout}", f"what an earlier cluster left in {owner.state.parent} is deleted", _sweep(owner)
        )
        for owner in owners
        if has_remains(owner)
    ]


def _sweep(layout: Layout) -> Callable[[Report], None]:
    return lambda _: sweep(layout)


def examine(layout: Layout) -> Health:
    """How the running cluster is, in about half a second."""
    record = read_record(layout.record)
    if record is None:
        return Health(None)
    owner = Path(record.checkout)
    dead = tuple(name for name, identity in record.processes.items() if not alive(identity))
    if not record.ready or owner != layout.checkout:
        return Health(owner, api=False, dead=dead)
    try:
        listed = NodeKubectl(layout)("get", "deployments.apps,gateways.gateway.networking.k8s.io", "-A", "-o", "json")
    except CommandFailed:
        return Health(owner, api=False, dead=dead)
    return Health(owner, api=True, dead=dead, unready=unready_addons(json.loads(listed)["items"]))


def unready_addons(resources: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    """Which add-ons are absent from these API objects, or there and not ready; a Prometheus scaled to 0 is not."""
    by_key = {
        (resource["kind"], resource["metadata"]["namespace"], resource["metadata"]["name"]): resource
        for resource in resources
    }

    def ready(condition: str, kind: str, namespace: str, name: str) -> bool:
        resource = by_key.get((kind, namespace, name))
        return resource is not None and is_true(resource, condition) and resource["spec"].get("replicas") != 0

    return tuple(name for name, wanted in ADDONS.items() if not ready(*wanted))


def _clear(layout: Layout) -> None:
    record = read_record(layout.record)
    if record is not None:
        tear_down(layout.of(record.checkout), tuple(record.processes.values()))
    # A run that was killed before it wrote its record, or whose checkout was deleted.
    if leftovers(layout):
        tear_down(layout)


@contextlib.contextmanager
def alone(layout: Layout) -> Iterator[None]:
    """Waits for another `up` or `down` on this machine to end; the lock goes with the process that holds it."""
    while (lock := _locked(layout.run)) is None:
        pass
    with lock:
        yield


def _locked(folder: Path) -> IO[str] | None:
    """The lock of this folder, once it is ours; None if a `down` took the folder away while we waited."""
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack, contextlib.suppress(FileNotFoundError):
        lock = stack.enter_context((folder / "lock").open("w"))
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.samestat(os.fstat(lock.fileno()), (folder / "lock").stat()):
            stack.pop_all()
            return lock
    return None
