"""The plan of a start, warm and cold."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

import pytest

from sluice_dev.cluster.binaries import tool_folder
from sluice_dev.cluster.bringup import BringUp, addon_steps
from sluice_dev.cluster.layout import Layout
from sluice_dev.cluster.steps import Step
from sluice_dev.cluster.tools import TOOLS


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """The checkout's own tools and manifests with an empty cache; no state."""
    checkout = tmp_path / "checkout"
    for folder in ("tools", "manifests"):
        shutil.copytree(Layout.here().checkout / "dev" / folder, checkout / "dev" / folder)
    return Layout(checkout, tmp_path / "cache")


def all_needs(steps: list[Step], name: str) -> set[str]:
    """Everything that is done before the step starts."""
    by_name = {step.name: step for step in steps}
    found: set[str] = set()
    pending = set(by_name[name].needs)
    while pending:
        need = pending.pop()
        found.add(need)
        pending |= by_name[need].needs - found
    return found


def test_a_cold_start_builds_every_tool_once_in_a_row(layout: Layout) -> None:
    steps = BringUp(layout).steps()
    builds = [step for step in steps if step.name.startswith("build ")]
    assert [step.name for step in builds] == [f"build {name}" for name in TOOLS]
    for before, after in itertools.pairwise(builds):
        assert before.name in after.needs


def test_the_node_comes_up_while_the_gateway_is_still_being_built(layout: Layout) -> None:
    before_node = all_needs(BringUp(layout).steps(), "node")
    assert "build kube" in before_node
    assert not before_node & {"build gateway", "build helm", "build prom"}


def test_a_warm_start_builds_nothing(layout: Layout) -> None:
    for tool in TOOLS.values():
        tool_folder(layout, tool).mkdir(parents=True)
    assert not [step.name for step in BringUp(layout).steps() if step.name.startswith(("build ", "fetch "))]


def test_a_changed_pin_builds_just_that_tool(layout: Layout) -> None:
    for tool in TOOLS.values():
        tool_folder(layout, tool).mkdir(parents=True)
    with (layout.tools / "dns" / "go.sum").open("a") as go_sum:
        go_sum.write("example.com/new v1.0.0 h1:abc=\n")
    builds = [step.name for step in BringUp(layout).steps() if step.name.startswith("build ")]
    assert builds == ["build dns"]


def test_the_ways_in_open_last(layout: Layout) -> None:
    steps = BringUp(layout).steps()
    assert {"dns", "gateway", "prometheus", "node", "apiserver", "etcd"} <= all_needs(steps, "forwarder")


def test_add_ons_can_be_put_back_on_a_running_node(layout: Layout) -> None:
    known: set[str] = set()
    for step in addon_steps(layout, images=False):
        assert step.needs <= known
        known.add(step.name)
    assert known == {"dns", "gateway controller", "gateway", "prometheus"}
