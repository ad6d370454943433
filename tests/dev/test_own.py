"""A cluster of your own is used as it is: nothing embedded is started, and what cannot work there says so."""

from __future__ import annotations

import io
import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console
from typer.testing import CliRunner

from sluice_dev.cluster import Cluster, ClusterError, Missing, NotRunning, cli, current_cluster, doctor, lifecycle
from sluice_dev.cluster.access import reached
from sluice_dev.cluster.layout import Layout
from sluice_dev.cluster.own import OwnSettings, uses_existing
from sluice_dev.images.cli import app as images

CRD = "httproutes.gateway.networking.k8s.io"
GROUP = "/apis/apiextensions.k8s.io"
PAGES: dict[str, Any] = {
    "/version": {"gitVersion": "v1.34.1+k3s1", "major": "1", "minor": "34"},
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": []},
    "/apis": {
        "kind": "APIGroupList",
        "apiVersion": "v1",
        "groups": [
            {
                "name": "apiextensions.k8s.io",
                "versions": [{"groupVersion": "apiextensions.k8s.io/v1", "version": "v1"}],
                "preferredVersion": {"groupVersion": "apiextensions.k8s.io/v1", "version": "v1"},
            }
        ],
    },
    f"{GROUP}/v1": {
        "kind": "APIResourceList",
        "groupVersion": "apiextensions.k8s.io/v1",
        "resources": [
            {
                "name": "customresourcedefinitions",
                "singularName": "customresourcedefinition",
                "kind": "CustomResourceDefinition",
                "shortNames": ["crd", "crds"],
                "verbs": ["get", "list"],
            }
        ],
    },
    f"{GROUP}/v1/customresourcedefinitions/{CRD}": {
        "kind": "CustomResourceDefinition",
        "apiVersion": "apiextensions.k8s.io/v1",
        "metadata": {"name": CRD, "annotations": {"gateway.networking.k8s.io/bundle-version": "v1.4.0"}},
    },
}
"""The few answers of an API server that the doctor asks for, by path."""


@pytest.fixture
def pages() -> dict[str, Any]:
    """What the API server of `own` answers; a test may change it."""
    return dict(PAGES)


@pytest.fixture
def own(pages: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The kubeconfig of a cluster of one's own, which the environment asks for."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = pages.get(self.path.partition("?")[0])
            missing = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}
            content = json.dumps(missing if page is None else page).encode()
            self.send_response(404 if page is None else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    monkeypatch.setenv("HOME", str(tmp_path))  # kubectl keeps what it learnt of a server there
    yield kubeconfig(tmp_path, f"http://127.0.0.1:{server.server_port}", monkeypatch)
    server.shutdown()
    server.server_close()


def kubeconfig(folder: Path, server: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Written, and named by the environment."""
    path = folder / "own.kubeconfig"
    context = {"cluster": "own", "user": "own"}
    content = {
        "clusters": [{"name": "own", "cluster": {"server": server}}],
        "users": [{"name": "own", "user": {}}],
        "contexts": [{"name": "own", "context": context}],
        "current-context": "own",
    }
    path.write_text(yaml.safe_dump(content))
    monkeypatch.setenv("USE_EXISTING_CLUSTER", "1")
    monkeypatch.setenv("KUBECONFIG", str(path))
    return path


@pytest.mark.parametrize(
    ("text", "meant"),
    [("1", True), ("true", True), ("YES", True), ("0", False), ("false", False), ("no", False), ("", False)],
)
def test_only_a_yes_asks_for_it(monkeypatch: pytest.MonkeyPatch, text: str, meant: bool) -> None:
    monkeypatch.setenv("USE_EXISTING_CLUSTER", text)
    assert uses_existing() is meant


def test_it_is_looked_at_and_nothing_embedded_is_started(own: Path, elsewhere: Layout) -> None:
    """Also where there is neither root nor Go: the machine need not be able to run a cluster."""
    cluster = lifecycle.ensure(elsewhere, Console(file=io.StringIO()))
    lifecycle.set_up(elsewhere, Console(file=io.StringIO()))
    assert cluster == Cluster(own)
    assert not cluster.embedded
    assert not elsewhere.run.exists()
    assert not elsewhere.state.exists()


@pytest.mark.parametrize(
    ("path", "page", "row"),
    [
        ("/version", {"gitVersion": "v1.32.4"}, ("Kubernetes 1.33 or newer", "v1.32.4")),
        (f"{GROUP}/v1/customresourcedefinitions/{CRD}", None, ("Gateway API 1.4 or newer", "none")),
    ],
)
def test_what_it_lacks_is_a_row_of_the_table(
    own: Path, pages: dict[str, Any], elsewhere: Layout, path: str, page: Any, row: tuple[str, str]
) -> None:
    pages[path] = page
    with pytest.raises(Missing) as missing:
        lifecycle.ensure(elsewhere, Console(file=io.StringIO()))
    assert [(finding.name, finding.found) for finding in missing.value.findings] == [row]


def test_one_that_does_not_answer_is_told_in_kubectls_words(
    elsewhere: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubeconfig(tmp_path, "http://127.0.0.1:9", monkeypatch)
    found = doctor.kubernetes(elsewhere)
    assert found.found == "no answer"
    assert "127.0.0.1:9 was refused" in found.remedy


@pytest.mark.parametrize(("value", "words"), [("", "it is not set"), ("/nowhere/config", "/nowhere/config is not one")])
def test_without_a_kubeconfig_it_is_asked_for(monkeypatch: pytest.MonkeyPatch, value: str, words: str) -> None:
    monkeypatch.setenv("USE_EXISTING_CLUSTER", "1")
    monkeypatch.setenv("KUBECONFIG", value)
    with pytest.raises(NotRunning, match=words):
        current_cluster()


def test_prometheus_is_asked_for_where_it_is_used_only(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLUICE_PROMETHEUS_URL", raising=False)
    assert current_cluster().kubectl("version", "-o", "json")
    with pytest.raises(ClusterError, match="add SLUICE_PROMETHEUS_URL=") as asked:
        OwnSettings.read({"REGISTRY": "registry.example/team"})
    assert "REGISTRY=" not in str(asked.value)


def test_all_that_is_missing_is_asked_for_at_once() -> None:
    with pytest.raises(ClusterError, match=r"add REGISTRY=.*add SLUICE_PROMETHEUS_URL="):
        OwnSettings.read({})


@pytest.mark.parametrize(
    "use",
    [
        lambda cluster: cluster.node_argv(["true"]),
        lambda cluster: cluster.prometheus_loopback_url,
        lambda cluster: cluster.load_image(Path("archive.tar")),
    ],
    ids=["the node's namespace", "Prometheus through loopback", "an image without a registry"],
)
def test_what_only_the_embedded_cluster_has_says_so(use: Any) -> None:
    with pytest.raises(ClusterError, match=r"docs/how-to/own-cluster\.md"):
        use(Cluster(Path("kubeconfig")))


def test_loads_go_to_a_gateway_that_is_reached_from_here() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert reached("Gateway gateway/public", "localhost", port) == ("127.0.0.1", port)
    with pytest.raises(ClusterError, match=rf"Gateway gateway/public .* localhost:{port}, which .* does not reach"):
        reached("Gateway gateway/public", "localhost", port)


@pytest.mark.parametrize("command", ["up", "status"])
def test_the_command_line_looks_at_it(
    own: Path, elsewhere: Layout, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr(Layout, "here", lambda: elsewhere)
    ended = CliRunner().invoke(cli.app, [command])
    assert ended.exit_code == 0
    assert str(own) in ended.stdout.replace("\n", "")


def test_it_is_never_taken_away(own: Path, elsewhere: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Layout, "here", lambda: elsewhere)
    ended = CliRunner().invoke(cli.app, ["down"])
    assert ended.exit_code == 1
    assert "never taken away" in " ".join(ended.stdout.split())


def test_its_images_want_a_registry(own: Path) -> None:
    ended = CliRunner().invoke(images, ["build"])
    assert ended.exit_code == 1
    assert "add REGISTRY=host/path" in " ".join(ended.stdout.split())
