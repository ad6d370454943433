"""What the plugin's tests share: an API server on loopback, and the commands as a person calls them."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from sluice.cli import app, following
from sluice.cli.commands import status, verbs
from unit.operator.cli.fake_api import FakeApi

Run = Callable[..., tuple[int, str, str]]


def kubeconfig(url: str, context: str = "lab", **more: str) -> dict[str, object]:
    """A kubeconfig with one context."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": context,
        "clusters": [{"name": context, "cluster": {"server": url}}],
        "users": [{"name": context, "user": {"token": "secret"}}],
        "contexts": [{"name": context, "context": {"cluster": context, "user": context, **more}}],
    }


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """None of the machine's kubeconfigs, proxies and terminals; and a stream that ticks fast."""
    for variable in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(following, "TICK", 0.05)
    monkeypatch.setattr(following, "AGAIN", (0.05,))


@pytest.fixture
def haste(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deadlines of commands pass ten times as fast; nothing else does."""
    for command in (status, verbs):
        monkeypatch.setattr(command, "time", SimpleNamespace(monotonic=lambda: 10 * time.monotonic()))


@pytest.fixture
def api() -> Iterator[FakeApi]:
    """Empty."""
    with FakeApi() as served:
        yield served


@pytest.fixture
def lab(api: FakeApi, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeApi:
    """The same, as the context `lab` with the namespace `shop` of $KUBECONFIG."""
    path = tmp_path / "lab.yaml"
    path.write_text(yaml.safe_dump(kubeconfig(api.url, namespace="shop")))
    monkeypatch.setenv("KUBECONFIG", str(path))
    return api


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """`run("status", "flights")` -> (exit status, standard output, standard error)."""

    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            app.main(arguments)
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return call
