"""What this machine must have to run the cluster, what it lacks, and how to get it. One row per thing."""

from __future__ import annotations

import io
import json
import os
import platform
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from sluice_dev.cluster.access import current_cluster, kubectl_program
from sluice_dev.cluster.command import run
from sluice_dev.cluster.errors import ClusterError, CommandFailed, Finding, Missing
from sluice_dev.cluster.layout import Layout
from sluice_dev.cluster.own import GUIDE, uses_existing
from sluice_dev.cluster.packages import missing_packages

GIB = 1024**3
OR_YOUR_OWN = f"or use a cluster of your own: USE_EXISTING_CLUSTER=1 KUBECONFIG=... ({GUIDE})"
PYTHONS = ((3, 11), (3, 13))
"""The oldest and the newest of `requires-python`."""


Check = Callable[[Layout], Finding]


def linux(_: Layout) -> Finding:
    system = platform.system()
    return Finding(
        "Linux", f"{system} {platform.release()}", "" if system == "Linux" else f"run it on Linux, {OR_YOUR_OWN}"
    )


def root(_: Layout) -> Finding:
    user = os.geteuid()
    return Finding("root", f"user id {user}", "" if user == 0 else f"run it as root (sudo -E make ...), {OR_YOUR_OWN}")


def python(_: Layout) -> Finding:
    """The one that runs this. Before there is one, the Makefile says what is missing."""
    least, newest = PYTHONS
    enough = least <= _numbers(platform.python_version())[:2] <= newest
    remedy = "" if enough else "apt-get install python3 python3-venv, then `make env`"
    return Finding(f"Python {_dotted(least)} to {_dotted(newest)}", platform.python_version(), remedy)


def folders(layout: Layout) -> Finding:
    """Where something is written; root may not either where a filesystem is read-only."""
    closed = [str(path) for path in (layout.run, layout.cache, layout.state) if not os.access(_existing(path), os.W_OK)]
    remedy = f"make {' and '.join(closed)} writable for user {os.geteuid()}, or set SLUICE_CACHE to a folder that is"
    return Finding("writable folders", f"not {', '.join(closed)}" if closed else "all", remedy if closed else "")


def required_go(go_mods: Sequence[str]) -> tuple[int, ...]:
    """The highest `go` line of these go.mod files, as numbers."""
    return max(_numbers(line) for text in go_mods for line in re.findall(r"^go (\S+)", text, re.MULTILINE))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))


def _dotted(numbers: Sequence[int]) -> str:
    return ".".join(map(str, numbers))


def go(layout: Layout) -> Finding:
    needed = required_go([path.read_text() for path in layout.tools.glob("*/go.mod")])
    words = _dotted(needed)
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


def kubernetes(_: Layout) -> Finding:
    """The API server of a cluster of your own."""
    from sluice.adapters.kube.requirements import LEAST_KUBERNETES  # noqa: PLC0415 - brings pydantic: 0.3 s

    name = f"Kubernetes {_dotted(LEAST_KUBERNETES)} or newer"
    try:
        answer = current_cluster().kubectl("version", "-o", "json", "--request-timeout=10s", timeout=30)
    except ClusterError as failed:
        return Finding(name, "no answer", _last_words(failed))
    version = json.loads(answer)["serverVersion"]["gitVersion"]
    return Finding(name, version, "" if _numbers(version) >= LEAST_KUBERNETES else "upgrade the cluster")


def gateway_api(_: Layout) -> Finding:
    """Its CRDs in a cluster of your own. Which Gateway there is, is asked where one is used."""
    from sluice.adapters.kube.requirements import BUNDLE_VERSION, GATEWAY_GROUP, LEAST_GATEWAY_API  # noqa: PLC0415

    name = f"Gateway API {_dotted(LEAST_GATEWAY_API)} or newer"
    remedy = "install it: https://gateway-api.sigs.k8s.io/guides/getting-started/"
    try:
        found = current_cluster().get("crd", f"httproutes.{GATEWAY_GROUP}", "--request-timeout=10s")
    except ClusterError as failed:
        absent = "NotFound" in str(failed)
        return Finding(name, "none" if absent else "not known", remedy if absent else _last_words(failed))
    version = found["metadata"].get("annotations", {}).get(BUNDLE_VERSION, "")
    enough = _numbers(version) >= LEAST_GATEWAY_API
    return Finding(name, version or "without a version", "" if enough else remedy)


def _last_words(failed: ClusterError) -> str:
    """The last line of what went wrong: a row of a table has no room for more."""
    said = failed.output if isinstance(failed, CommandFailed) else str(failed)
    return (said.strip().splitlines() or [str(failed)])[-1]


FIRST: tuple[Check, ...] = (linux, root, folders)
"""What must hold before the first file is written, and nothing that a start does can change."""
CHECKS: tuple[Check, ...] = (linux, root, python, go, packages, kubectl, disk, memory, folders, cgroups, overlay)
OWN_CLUSTER: tuple[Check, ...] = (python, kubectl, kubernetes, gateway_api)


def examine(layout: Layout, checks: Sequence[Check] | None = None) -> list[Finding]:
    """checks: absent means those of the cluster that the environment asks for."""
    if checks is None:
        checks = OWN_CLUSTER if uses_existing() else CHECKS
    return [check(layout) for check in checks]


def require(layout: Layout, checks: Sequence[Check] | None = None) -> None:
    """Raises Missing with the findings when something is lacking. checks: as for `examine`."""
    if lacking := [finding for finding in examine(layout, checks) if not finding.ok]:
        raise Missing(lacking)


def require_first(layout: Layout) -> None:
    """Asked before anything is touched. Raises Missing: with all that is lacking, so that nobody comes back twice."""
    if not all(finding.ok for finding in examine(layout, FIRST)):
        require(layout, CHECKS)


def text(findings: Sequence[Finding]) -> str:
    """The table without colours, for reports that are not a terminal's."""
    out = io.StringIO()
    Console(file=out, width=110).print(table(findings))
    return out.getvalue()


def table(findings: Sequence[Finding]) -> Table:
    """What was found, for people."""
    title = "What Sluice needs of a cluster of your own" if uses_existing() else "What the development cluster needs"
    rendered = Table(title=title, title_justify="left")
    for column in ("", "needed", "found", "how to get it"):
        rendered.add_column(column, overflow="fold")
    for finding in findings:
        mark = "[green]✓[/]" if finding.ok else "[red]✗[/]"
        rendered.add_row(mark, finding.name, finding.found, finding.remedy)
    return rendered


def _existing(path: Path) -> Path:
    """`path`, or the nearest folder above it that exists."""
    return next(folder for folder in (path, *path.parents) if folder.exists())
