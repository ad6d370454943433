"""A machine on which namespaces and cgroups can be made: this one, in a corner of the test's own."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sluice_dev.cluster import Missing, doctor
from sluice_dev.cluster.errors import Finding
from sluice_dev.cluster.layout import Layout
from sluice_dev.cluster.packages import missing_packages
from sluice_dev.cluster.teardown import tear_down
from specs.layouts import elsewhere

__all__ = ["elsewhere"]

NEEDED = {"iproute2", "util-linux", "procps"}


@pytest.fixture
def machine(elsewhere: Layout, monkeypatch: pytest.MonkeyPatch) -> Iterator[Layout]:
    """`elsewhere`, on a machine where namespaces and cgroups can be made. Without that the test fails, never skips.

    A cluster may run on this machine while it is tested: nothing but children of this process can be killed.
    """
    kill = os.kill

    def kill_ours(pid: int, number: int) -> None:
        parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        assert parent == os.getpid(), f"process {pid} is not the test's"
        kill(pid, number)

    monkeypatch.setattr("os.kill", kill_ours)
    try:
        doctor.require(elsewhere, [doctor.linux, doctor.root, doctor.folders, doctor.cgroups, programs])
    except Missing as missing:
        pytest.fail(doctor.text(missing.findings), pytrace=False)
    yield elsewhere
    tear_down(elsewhere)


def programs(_: Layout) -> Finding:
    """Those of the system packages that a namespace needs."""
    lacking = " ".join(sorted(NEEDED & set(missing_packages())))
    return Finding("system packages", f"without {lacking}", f"apt-get install {lacking}" if lacking else "")
