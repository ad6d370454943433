"""Operator and model server never import each other: what both must call the same is held equal here."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from sklearn.linear_model import LinearRegression

from sluice.api import names as operator_names
from sluice.api.v1alpha1 import ModelSource, SecretRef, Spec
from sluice.core.analysis.questions import spellings
from sluice.core.metrics import LATENCY_BOUNDS
from sluice.core.model_source import MODEL_DIR, PVC_DIR
from sluice.core.rendering import DRAIN_SECONDS, GRACE_SECONDS, pod_template
from sluice.core.revision import inputs_of
from sluice.core.runtimes import Runtime
from sluice_dev.generate import ROOT
from sluice_model_server import names as server_names
from sluice_model_server.app import ModelApp
from sluice_model_server.cli import app
from sluice_model_server.credentials import KEYS
from sluice_model_server.faults import FaultPlan, Faults
from sluice_model_server.lifecycle import Lifecycle
from sluice_model_server.load import load_model
from sluice_model_server.metrics import Metrics
from sluice_model_server.packing import pack
from sluice_model_server.settings import Settings

COMMANDS = typer.main.get_command(app)


@pytest.fixture(scope="module")
def row() -> Runtime:
    """The model server's row of the runtime table, as it is shipped."""
    config_map = yaml.safe_load((ROOT / "manifests/base/runtimes.yaml").read_text())
    return Runtime.model_validate(yaml.safe_load(config_map["data"]["sluice-sklearn.yaml"]))


@pytest.fixture(scope="module")
def spec() -> Spec:
    """The smallest example, its model behind plain http: the fetcher wants such a host named."""
    manifest = yaml.safe_load((ROOT / "manifests/examples/minimal.yaml").read_text())
    manifest["spec"]["model"]["uri"] = "http://store.models:8000/1/manifest.json"
    return Spec.model_validate(manifest["spec"])


@pytest.fixture(scope="module")
def pod(spec: Spec, row: Runtime) -> dict[str, Any]:
    """The pod that the operator makes of both."""
    rendered: dict[str, Any] = pod_template("flight-delay", inputs_of(spec), row)["spec"]
    return rendered


@pytest.fixture
def exposition() -> list[str]:
    """/metrics of a model server that answered one request with 404."""
    metrics = Metrics()
    metrics.started()
    metrics.answered(404, 0.02)
    return metrics.render().decode().splitlines()


def parsed(args: list[str]) -> dict[str, Any]:
    """What the server's own command line makes of these arguments. Raises for one that it does not know."""
    command: Any = COMMANDS.commands[args[0]]  # type: ignore[attr-defined]
    parameters: dict[str, Any] = command.make_context(args[0], args[1:]).params
    return parameters


def test_the_fetcher_understands_what_the_operator_tells_it(pod: dict[str, Any], spec: Spec) -> None:
    """The address, the digest, the shared folder, and the one host that may be asked over plain http."""
    parameters = parsed(pod["initContainers"][0]["args"])
    assert (parameters["uri"], parameters["digest"]) == (spec.model.uri, spec.model.digest)
    assert str(parameters["into"]) == MODEL_DIR
    assert parameters["allow_host"] == ["store.models"]


def test_the_fetcher_finds_a_claim_and_a_secret_where_the_pod_mounts_them(row: Runtime, spec: Spec) -> None:
    """By the fetcher's own default for claims, and by the argument for the Secret."""
    secret = {"name": "models-s3"}
    for uri, more in (("pvc://models/m/manifest.json", {}), ("s3://models/m/manifest.json", {"secretRef": secret})):
        model = ModelSource.model_validate({"uri": uri, "digest": spec.model.digest, **more})
        changed = spec.model_copy(update={"model": model})
        pod = pod_template("m", inputs_of(changed), row)["spec"]
        (fetch,) = pod["initContainers"]
        parameters = parsed(fetch["args"])
        mounted = fetch["volumeMounts"][1]["mountPath"]
        assert mounted == (str(parameters["credentials"]) if more else f"{parameters['pvc_dir']}/models")
    assert str(PVC_DIR) == str(parameters["pvc_dir"])


def test_a_secret_is_described_by_the_keys_that_the_fetcher_reads() -> None:
    """`kubectl explain` names them all."""
    described = SecretRef.model_fields["name"].description or ""
    assert [key for key in KEYS if key not in described] == []


def test_the_server_serves_from_the_folder_and_at_the_port_that_the_pod_has(pod: dict[str, Any]) -> None:
    """No argument but those of the row."""
    server = pod["containers"][0]
    parameters = parsed(server["args"])
    assert str(parameters["directory"]) in [mount["mountPath"] for mount in server["volumeMounts"]]
    assert parameters["port"] == server["ports"][0]["containerPort"]


def test_the_server_knows_its_revision(pod: dict[str, Any], spec: Spec, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the variable that the operator sets."""
    for variable in pod["containers"][0]["env"]:
        monkeypatch.setenv(variable["name"], variable["value"])
    assert Settings().revision == inputs_of(spec).revision


def test_the_gateway_names_the_revision_in_the_header_that_the_server_reads() -> None:
    """In lower case, as HTTP/1.1 headers reach an ASGI application."""
    header = operator_names.REVISION_HEADER
    assert header.encode() == server_names.REVISION_HEADER
    assert header.islower()


def test_the_bounds_of_the_latency_histogram_are_the_same(row: Runtime) -> None:
    """A latency objective must be one of them."""
    assert LATENCY_BOUNDS == server_names.LATENCY_BOUNDS_SECONDS
    assert row.metrics.bounds == server_names.LATENCY_BOUNDS_SECONDS


@pytest.mark.parametrize("bound", [*LATENCY_BOUNDS, float("inf")])
def test_the_operators_query_finds_the_bucket_as_the_server_writes_it(
    row: Runtime, exposition: list[str], bound: float
) -> None:
    """`le` is text to Prometheus: 1 and 1.0 are two series."""
    buckets = [re.match(rf'{row.metrics.latency}_bucket{{le="([^"]+)"}} ', line) for line in exposition]
    found = [bucket[1] for bucket in buckets if bucket and re.fullmatch(spellings(bound), bucket[1])]
    assert len(found) == 1
    assert float(found[0]) == bound


def test_requests_are_counted_under_the_name_and_label_of_the_runtime_table(
    row: Runtime, exposition: list[str]
) -> None:
    """The codes that exist from the first scrape on, and the one that was answered."""
    counted = [re.match(rf'{row.metrics.requests}{{{row.metrics.code_label}="(\d+)"}} ', line) for line in exposition]
    codes = {series[1] for series in counted if series}
    assert codes == {*server_names.CODES_BORN_AT_START, "404"}
    assert [code for code in sorted(codes) if re.fullmatch(row.metrics.failure_pattern, code)] == ["500"]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_probes_and_scrapes_reach_pages_of_the_server(row: Runtime, method: str, tmp_path: Path) -> None:
    """Live and not ready while the model has not answered its probe; 404 would be a path that it does not know."""
    pack(LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0]), tmp_path, name="m", version="1")
    settings = Settings()
    faults = Faults(FaultPlan(), background_error_share=0, host="pod")
    server = ModelApp(load_model(tmp_path, max_bytes=1 << 30), settings, Metrics(), Lifecycle(), faults)
    answers = {path: await status(server, method, path) for path in (row.live_path, row.ready_path, row.metrics_path)}
    assert answers == {row.live_path: 200, row.ready_path: 503, row.metrics_path: 200}


async def status(server: ModelApp, method: str, path: str) -> int:
    """The status code of one request without a body."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    await server({"type": "http", "method": method, "path": path, "headers": []}, receive, send)
    code: int = sent[0]["status"]
    return code


def test_a_pod_has_time_to_finish_what_it_has_begun() -> None:
    """preStop, then the server's own drain and its last requests, within the grace of the pod."""
    settings = Settings()
    assert DRAIN_SECONDS + settings.drain_seconds + settings.finish_seconds < GRACE_SECONDS
