"""What is missing is a row of a table with a remedy."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from sluice_dev.cluster import doctor
from sluice_dev.cluster.errors import Finding, Missing
from sluice_dev.cluster.layout import Layout

LAYOUT = Layout(Path("/checkout"), Path("/cache"))


def test_the_highest_go_line_counts() -> None:
    assert doctor.required_go(["module a\n\ngo 1.26\n", "module b\n\ngo 1.26.7\n", "go 1.9\n"]) == (1, 26, 7)


def test_everything_that_is_missing_is_raised_at_once() -> None:
    checks = [
        lambda _: Finding("Linux", "Linux 6"),
        lambda _: Finding("root", "user id 1000", "run it as root"),
        lambda _: Finding("Go", "none", "install it"),
    ]
    with pytest.raises(Missing) as missing:
        doctor.require(LAYOUT, checks)
    assert [finding.name for finding in missing.value.findings] == ["root", "Go"]


def test_the_table_shows_what_to_do() -> None:
    out = io.StringIO()
    Console(file=out, width=120).print(doctor.table([Finding("root", "user id 1000", "run it as root")]))
    assert all(words in out.getvalue() for words in ("✗", "root", "user id 1000", "run it as root"))


def test_an_ordinary_user_is_told_two_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    found = doctor.root(LAYOUT)
    assert not found.ok
    assert "as root" in found.remedy
    assert "USE_EXISTING_CLUSTER=1" in found.remedy


@pytest.mark.parametrize("tools", ["", "/nowhere"])
def test_a_machine_without_go_is_told_where_to_get_it(monkeypatch: pytest.MonkeyPatch, tools: str) -> None:
    monkeypatch.setenv("PATH", tools)
    assert "go.dev/dl" in doctor.go(Layout.here()).remedy


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    found = doctor.disk(Layout(tmp_path, tmp_path), needed=10**9)
    assert not found.ok
    assert "SLUICE_CACHE" in found.remedy
