"""What the demo tells people to try next is true: the manifest can be applied, and asks for a revision that is new."""

import subprocess
from typing import Any

import pytest
import yaml

from sluice.api.v1alpha1 import Spec
from sluice_dev.demo.afterwards import NEXT, next_manifest, traffic_command, words
from sluice_dev.scene.deployments import Flight, revision_of
from sluice_dev.scene.store import NAMESPACE

FAULTS: dict[str, Any] = {"v3": {"error_share": 0.5}, "v4": {"delay_seconds": 0.6}, "v5": {"exit_after": 100}}
INDEX: dict[str, Any] = {
    "request_path": "/v2/models/flight-delay/infer",
    "versions": {
        name: {"digest": f"sha256:{str(number) * 64}", "title": f"model {number}", "faults": FAULTS.get(name, {})}
        for number, name in enumerate(("v1", "v2", "v3", "v4", "v5"), 1)
    },
}
FLIGHT = Flight(NAMESPACE, INDEX, replicas=3, more={"scaleDownDelay": "15s"})


@pytest.fixture
def manifest() -> Any:
    return yaml.safe_load(next_manifest(FLIGHT, INDEX))


def test_it_asks_the_demos_object_for_a_model_of_the_demos_store(manifest: Any) -> None:
    """The real address and the real digest, and the same name: a rollout, not a second deployment."""
    assert (manifest["metadata"]["namespace"], manifest["metadata"]["name"]) == (FLIGHT.namespace, FLIGHT.name)
    model = Spec.model_validate(manifest["spec"]).model
    assert model.uri == f"http://model-store.{NAMESPACE}/{NEXT}/manifest.json"
    assert model.digest == INDEX["versions"][NEXT]["digest"]


def test_it_is_a_revision_that_the_demo_did_not_reject(manifest: Any) -> None:
    """And its server behaves."""
    played = {revision_of(FLIGHT.manifest(version)) for version in INDEX["versions"]}
    assert revision_of(manifest) not in played
    assert "SLUICE_MODEL_FAULTS" not in str(manifest)


def test_its_comments_name_the_other_models() -> None:
    """Address and digest of each, to be put into spec.model."""
    text = next_manifest(FLIGHT, INDEX)
    for version, entry in INDEX["versions"].items():
        assert f"http://model-store.{NAMESPACE}/{version}/manifest.json" in text
        assert entry["digest"] in text


def test_the_words_name_files_and_revision_as_they_are() -> None:
    """And each command once."""
    told = words(
        FLIGHT, "8b21de07", folder="build/demo", kubeconfig="/k", programs="/bin", gateway="http://127.0.0.1:1"
    )
    for command in (
        "kubectl apply --server-side -f build/demo/next.yaml",
        f"kubectl events -n {NAMESPACE} --for modeldeployment/flight-delay",
        f"kubectl sluice status flight-delay -n {NAMESPACE} --watch",
        f"kubectl sluice retry flight-delay 8b21de07 -n {NAMESPACE}",
        traffic_command(FLIGHT, "http://127.0.0.1:1", "build/demo/models/rows.jsonl"),
    ):
        assert told.count(command) == 1


def test_the_traffic_is_a_command_that_a_shell_understands() -> None:
    """Parsed, not run."""
    command = traffic_command(FLIGHT, "http://127.0.0.1:1", "rows.jsonl")
    subprocess.run(["bash", "-n", "-c", command], check=True)
    assert f"'Host: {FLIGHT.host}'" in command
    assert "http://127.0.0.1:1/v2/models/flight-delay/infer;" in command
