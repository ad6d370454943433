"""How the tools' programs come into the cache: built by Go once, found by their key afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from sluice_dev.cluster.command import run
from sluice_dev.cluster.errors import CommandFailed
from sluice_dev.cluster.layout import Layout
from sluice_dev.cluster.tools import TOOLS, Tool, build_argv, cache_key, fetch_argv, module_version

_ENVIRONMENT = os.environ | {"CGO_ENABLED": "0"}
"""Static programs: they run in any image."""


def tool_version(layout: Layout, tool: Tool) -> str:
    """The version pinned in the tool's go.mod."""
    return module_version((layout.tools / tool.name / "go.mod").read_text(), tool.module)


def tool_folder(layout: Layout, tool: Tool) -> Path:
    """Where the tool's programs are, or will be once built."""
    module = layout.tools / tool.name
    # The key must not depend on where the cache lies, so the command lines are taken with a relative output.
    commands = build_argv(tool, tool_version(layout, tool), Path("out"))
    key = cache_key((module / "go.mod").read_bytes(), (module / "go.sum").read_bytes(), commands)
    return layout.cache / "bin" / f"{tool.name}-{tool_version(layout, tool)}-{key}"


def is_built(layout: Layout, tool: Tool) -> bool:
    return tool_folder(layout, tool).is_dir()


def any_built(layout: Layout) -> bool:
    """Whether a start of the cluster can save at least one build."""
    return any(is_built(layout, tool) for tool in TOOLS.values())


def fetch(layout: Layout, tool: Tool) -> None:
    """Downloads the tool's sources: that waits for the network, so it can go on while another tool is compiled."""
    run(fetch_argv(tool), cwd=layout.tools / tool.name, env=_ENVIRONMENT, timeout=1800)


def ensure_built(layout: Layout, tool: Tool, report: Callable[[str], None]) -> Path:
    """The folder with the tool's programs, built first if need be. `report` is told what is being compiled."""
    folder = tool_folder(layout, tool)
    if folder.is_dir():
        return folder
    draft = folder.with_name(folder.name + ".building")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    for argv in build_argv(tool, tool_version(layout, tool), draft):
        _build(argv, layout.tools / tool.name, report)
    # Only a complete folder carries the final name: a killed build is started again.
    draft.rename(folder)
    return folder


def _build(argv: list[str], module: Path, report: Callable[[str], None]) -> None:
    output: list[str] = []
    with subprocess.Popen(argv, cwd=module, env=_ENVIRONMENT, stderr=subprocess.PIPE, text=True) as go:
        for line in go.stderr or ():
            output.append(line)
            report(f"{len(output)} · {line.strip()[-60:]}")
    if go.returncode != 0:
        raise CommandFailed(argv, go.returncode, "".join(output))
