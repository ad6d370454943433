"""Programs are cached by what they are made from."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sluice_dev.cluster.layout import Layout
from sluice_dev.cluster.tools import TOOLS, Tool, build_argv, cache_key, module_version

GO_MOD = """\
module sluice.dev/dev/example

go 1.26.0

require example.com/one v1.2.3

require (
	example.com/two v0.4.0 // indirect
)
"""
COMMANDS = [["go", "build", "-o", "out/one", "example.com/one"]]


@pytest.mark.parametrize(("module", "version"), [("example.com/one", "v1.2.3"), ("example.com/two", "v0.4.0")])
def test_the_version_comes_from_go_mod(module: str, version: str) -> None:
    assert module_version(GO_MOD, module) == version


def test_a_module_that_is_not_required_is_named() -> None:
    with pytest.raises(ValueError, match=r"example\.com/three"):
        module_version(GO_MOD, "example.com/three")


@pytest.mark.parametrize(
    "changed",
    [
        (b"mod2", b"sum", COMMANDS),
        (b"mod", b"sum2", COMMANDS),
        (b"mod", b"sum", [[*COMMANDS[0], "-race"]]),
        # The same bytes, cut elsewhere.
        (b"mods", b"um", COMMANDS),
    ],
    ids=["go.mod", "go.sum", "flags", "boundaries"],
)
def test_the_key_changes_with_every_input(changed: tuple[bytes, bytes, list[list[str]]]) -> None:
    assert cache_key(*changed) != cache_key(b"mod", b"sum", COMMANDS)


def test_the_key_is_the_same_for_the_same_inputs() -> None:
    assert cache_key(b"mod", b"sum", COMMANDS) == cache_key(b"mod", b"sum", [list(COMMANDS[0])])


def test_the_version_is_linked_into_kubernetes() -> None:
    commands = build_argv(TOOLS["kube"], "v1.36.3", Path("out"))
    assert len(commands) == 5
    assert all("gitVersion=v1.36.3" in " ".join(command) for command in commands)


@pytest.mark.parametrize("tool", TOOLS.values(), ids=str)
def test_each_tool_has_a_module_that_pins_it(tool: Tool) -> None:
    folder = Layout.here().tools / tool.name
    go_mod = (folder / "go.mod").read_text()

    version = module_version(go_mod, tool.module)

    assert re.match(rf"module sluice\.dev/dev/{tool.name}\n", go_mod)
    assert f"{tool.module} {version} h1:" in (folder / "go.sum").read_text()
