"""What this machine must have to run the cluster, what it lacks, and how to get it. One row per thing."""

from __future__ import annotations

import os
import platform
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.table import Table

from sluice_dev.cluster.access import kubectl_program
from sluice_dev.cluster.command import run
from sluice_dev.cluster.errors import ClusterError, Finding, Missing
from sluice_dev.cluster.layout import Layout
from sluice_dev.cluster.packages import missing_packages

GIB = 1024**3
OR_YOUR_OWN = "or use a cluster of your own: USE_EXISTING_CLUSTER=1 KUBECONFIG=... (docs/how-to)"


Check = Callable[[Layout], Finding]


def linux(_: Layout) -> Finding:
    system = platform.system()
    return Finding(
        "Linux", f"{system} {platform.release()}", "" if system == "Linux" else f"run it on Linux, {OR_YOUR_OWN}"
    )


def root(_: Layout) -> Finding:
    user = os.geteuid()
    return Finding("root", f"user id {user}", "" if user == 0 else f"run it as root (sudo -E make ...), {OR_YOUR_OWN}")


def required_go(go_mods: Sequence[str]) -> tuple[int, ...]:
    """The highest `go` line of these go.mod files, as numbers."""
    return max(_numbers(line) for text in go_mods for line in re.findall(r"^go (\S+)", text, re.MULTILINE))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))


def go(layout: Layout) -> Finding:
    needed = required_go([path.read_text() for path in layout.tools.glob("*/go.mod")])
    words = ".".join(map(str, needed))
    try:
        version = run(["go", "env", "GOVERSION"], cwd=layout.checkout).strip()
        toolchain = run(["go", "env", "GOTOOLCHAIN"], cwd=layout.checkout).strip()
    except ClusterError:
        return Finding(f"Go {words}", "none", "install it from https://go.dev/dl")
    # From 1.21 on Go fetches the release a go.mod asks for, unless it is told not to.
    enough = _numbers(version) >= needed or (_numbers(version) >= (1, 21) and toolchain != "local")
    remedy = f"install Go {words} from https://go.dev/dl, or unset GOTOOLCHAIN"
    return Finding(f"Go {words}", version, "" if enough else remedy)


def packages(_: Layout) -> Finding:
    missing = missing_packages()
    if not missing:
        return Finding("system packages", "all there")
    names = " ".join(missing)
    if shutil.which("apt-get"):
        return Finding(
            "system packages", f"without {names}", f"`make cluster` installs them, or: apt-get install {names}"
        )
    return Finding("system packages", f"without {names}", f"install what your system calls them, {OR_YOUR_OWN}")


def kubectl(_: Layout) -> Finding:
    program = kubectl_program()
    return Finding(
        "kubectl", str(program) if program.exists() else "none", "" if program.exists() else "run `make env`"
    )


def disk(layout: Layout, needed: int = 6) -> Finding:
    """Cold, the Go build cache takes as much again as the programs; both must fit."""
    worst = min(shutil.disk_usage(_existing(path)).free for path in (layout.cache, layout.state)) / GIB
    remedy = f"free some space below {layout.cache} or {layout.checkout}, or set SLUICE_CACHE to a larger disk"
    return Finding(f"{needed} GiB of disk", f"{worst:.0f} GiB free", "" if worst >= needed else remedy)


def memory(_: Layout, needed: int = 4) -> Finding:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    # A machine sold with 4 GiB shows a little less.
    remedy = "" if total >= needed * 0.9 else f"use a machine with {needed} GiB, {OR_YOUR_OWN}"
    return Finding(f"{needed} GiB of memory", f"{total:.0f} GiB", remedy)


def cgroups(_: Layout) -> Finding:
    mounts = Path("/proc/mounts").read_text() if Path("/proc/mounts").exists() else ""
    kinds = {line.split()[2] for line in mounts.splitlines()} & {"cgroup", "cgroup2"}
    writable = os.access("/sys/fs/cgroup", os.W_OK)
    found = (" and ".join(sorted(kinds)) or "none") + ("" if writable else ", read-only")
    return Finding("cgroups", found, "" if kinds and writable else "mount them writable (in a container: --privileged)")


def overlay(_: Layout) -> Finding:
    known = Path("/proc/filesystems")
    there = known.exists() and "overlay" in known.read_text()
    return Finding("overlay filesystem", "there" if there else "none", "" if there else "modprobe overlay")


CHECKS: tuple[Check, ...] = (linux, root, go, packages, kubectl, disk, memory, cgroups, overlay)


def examine(layout: Layout, checks: Sequence[Check] = CHECKS) -> list[Finding]:
    return [check(layout) for check in checks]


def require(layout: Layout, checks: Sequence[Check] = CHECKS) -> None:
    """Raises Missing with the findings when the machine lacks something."""
    if lacking := [finding for finding in examine(layout, checks) if not finding.ok]:
        raise Missing(lacking)


def table(findings: Sequence[Finding]) -> Table:
    """What was found, for people."""
    rendered = Table(title="What the development cluster needs", title_justify="left")
    for column in ("", "needed", "found", "how to get it"):
        rendered.add_column(column, overflow="fold")
    for finding in findings:
        mark = "[green]✓[/]" if finding.ok else "[red]✗[/]"
        rendered.add_row(mark, finding.name, finding.found, finding.remedy)
    return rendered


def _existing(path: Path) -> Path:
    """`path`, or the nearest folder above it that exists."""
    return next(folder for folder in (path, *path.parents) if folder.exists())
