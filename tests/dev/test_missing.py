"""What is missing reaches people as the doctor's table, before anything is touched; never as a stack trace."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from rich.console import Console
from typer.testing import CliRunner

from sluice_dev.cluster import cli, lifecycle
from sluice_dev.cluster.errors import Missing
from sluice_dev.cluster.layout import Layout
from sluice_dev.images.cli import app as images

CONSOLE = Console(file=io.StringIO())


def an_ordinary_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)


def another_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.system", lambda: "Darwin")


def a_closed_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: not str(path).startswith("/run"))


LACKS = {"root": an_ordinary_user, "Linux": another_system, "writable folders": a_closed_folder}


@pytest.fixture(autouse=True)
def no_own_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("USE_EXISTING_CLUSTER", raising=False)


@pytest.mark.parametrize("begin", [lifecycle.up, lifecycle.down, lifecycle.set_up, lifecycle.ensure])
@pytest.mark.parametrize("lack", LACKS)
def test_nothing_is_touched_when_something_is_lacking(
    elsewhere: Layout, monkeypatch: pytest.MonkeyPatch, begin: Callable[[Layout, Console], object], lack: str
) -> None:
    LACKS[lack](monkeypatch)
    with pytest.raises(Missing) as missing:
        begin(elsewhere, CONSOLE)
    assert lack in [finding.name for finding in missing.value.findings]
    assert not elsewhere.run.exists()
    assert not elsewhere.state.exists()


def test_an_ordinary_user_is_told_of_everything_at_once(elsewhere: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    an_ordinary_user(monkeypatch)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(Missing) as missing:
        lifecycle.up(elsewhere, CONSOLE)
    names = [finding.name.partition(" ")[0] for finding in missing.value.findings]
    assert {"root", "Go", "system"} <= set(names)


@pytest.mark.parametrize("begin", [lifecycle.up, lifecycle.set_up])
def test_without_go_and_packages_no_cluster_is_begun(
    machine: Layout, monkeypatch: pytest.MonkeyPatch, begin: Callable[[Layout, Console], object]
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")  # no apt-get either
    with pytest.raises(Missing) as missing:
        begin(machine, CONSOLE)
    assert {"Go", "system"} <= {finding.name.partition(" ")[0] for finding in missing.value.findings}
    assert not machine.record.exists()


@pytest.mark.parametrize("command", ["up", "down", "status", "machine"])
def test_the_command_line_shows_the_table(elsewhere: Layout, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setattr(Layout, "here", lambda: elsewhere)
    an_ordinary_user(monkeypatch)
    ended = CliRunner().invoke(cli.app, [command])
    assert ended.exit_code == 1
    assert isinstance(ended.exception, SystemExit)
    assert "What the development cluster needs" in ended.stdout
    assert "user id 1000" in ended.stdout


def test_images_show_it_too(elsewhere: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """The checkout is the real one, as its files are the images' content; the cache is empty."""
    layout = Layout(Layout.here().checkout, elsewhere.cache, elsewhere.name)
    monkeypatch.setattr(Layout, "here", lambda: layout)
    an_ordinary_user(monkeypatch)
    ended = CliRunner().invoke(images, ["build", "operator"])
    assert ended.exit_code == 1
    assert isinstance(ended.exception, SystemExit)
    assert "user id 1000" in ended.stdout
