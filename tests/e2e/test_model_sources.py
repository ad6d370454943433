"""Models from a claim and from a bucket that asks who comes, one of them ONNX: what pods of a real cluster fetch."""

import base64
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from e2e.conftest import Installed
from sluice_dev.cluster import Cluster, ClusterError
from sluice_dev.modelbench.graphs import matrix_graph
from sluice_dev.scene.api import Object
from sluice_dev.scene.scene import Scene
from sluice_dev.scene.store import IMAGE
from sluice_model_server.manifest import read_manifest
from sluice_model_server.packing import pack
from sluice_model_server.trust import load_trusted

pytestmark = pytest.mark.e2e
Play = Callable[..., Scene]
RATE, BOUND = 30.0, 400.0
CLAIM, BUCKET, READER, STRANGER = "models", "bucket", "reader", "stranger"
ASKS = f"""
import http.server

class Bucket(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        if "Credential={READER}/" in self.headers.get("Authorization", ""):
            super().do_GET()
        else:
            self.send_error(403)

http.server.ThreadingHTTPServer(("", 8000), lambda *a: Bucket(*a, directory="/models")).serve_forever()
"""
"""Lists and answers what lies below /models to who signs as the reader; it does not look at the signature itself."""


@pytest.fixture
def claimed(installed: Installed, tmp_path: Path) -> Iterator[Path]:
    """A folder of the node that a claim may be made of; the pods of the model server read it as another user."""
    if not installed.cluster.embedded:
        raise ClusterError("the claim of this test is a folder of this machine: it needs the embedded cluster")
    folder = Path("/var/lib") / f"sluice-e2e-{tmp_path.name}"
    folder.mkdir(mode=0o755)
    yield folder
    shutil.rmtree(folder)


def apply(cluster: Cluster, *objects: Object) -> None:
    cluster.kubectl("apply", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))


def claim(namespace: str, folder: Path) -> tuple[Object, Object]:
    """A volume of that folder and the claim on it."""
    name, size = f"{namespace}-{CLAIM}", {"storage": "1Mi"}
    common = {"accessModes": ["ReadOnlyMany"], "storageClassName": ""}
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            **common,
            "capacity": size,
            "hostPath": {"path": str(folder), "type": "Directory"},
            "claimRef": {"namespace": namespace, "name": CLAIM},
        },
    }
    wanted = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": CLAIM, "namespace": namespace},
        "spec": {**common, "resources": {"requests": size}, "volumeName": name},
    }
    return volume, wanted


def bucket(namespace: str, files: Path, key: str) -> tuple[Object, ...]:
    """A server that speaks S3 as far as reading goes, with these files below `key`, and the Secrets of two who ask."""
    labels, metadata = {"app": BUCKET}, {"name": BUCKET, "namespace": namespace}
    content = {file.name: base64.b64encode(file.read_bytes()).decode() for file in files.iterdir()}
    container = {
        "name": "bucket",
        "image": IMAGE,
        "command": ["python3", "-c", ASKS],
        "ports": [{"containerPort": 8000}],
        "readinessProbe": {"tcpSocket": {"port": 8000}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}},
        "volumeMounts": [{"name": "files", "mountPath": f"/models/{key}"}],
    }
    pod = {"containers": [container], "volumes": [{"name": "files", "configMap": {"name": BUCKET}}]}
    template = {"metadata": {"labels": labels}, "spec": pod}
    return (
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "binaryData": content},
        *(keys(namespace, who) for who in (READER, STRANGER)),
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata,
            "spec": {"selector": {"matchLabels": labels}, "template": template},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {"selector": labels, "ports": [{"port": 8000}]},
        },
    )


def keys(namespace: str, who: str) -> Object:
    """A Secret of that name, with the access key of that name."""
    content = {
        "AWS_ACCESS_KEY_ID": who,
        "AWS_SECRET_ACCESS_KEY": "unread",
        "AWS_ENDPOINT_URL": f"http://{BUCKET}.{namespace}:8000",
    }
    metadata = {"name": who, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": content}


def packed_graph(installed: Installed, to: Path) -> str:
    """v1 of the demo as ONNX; returns its digest."""
    folder = installed.models / "v1"
    manifest, _ = read_manifest(folder)
    estimator = load_trusted(folder / manifest.model_file.path, max_bytes=1 << 30)
    columns = [column.name for column in manifest.columns or ()]
    return pack(matrix_graph(estimator, len(columns)), to, name=manifest.name, version="onnx", columns=columns)


def test_a_claim_then_a_bucket_with_keys(play: Play, installed: Installed, claimed: Path) -> None:
    """An ONNX model of a claim serves. The bucket is asked with keys that do not open it, then with others: the same
    revision, which could not start, goes on."""
    scene = play(more={"progressDeadline": "20s"})
    namespace = scene.flight.namespace
    digest = packed_graph(installed, claimed / "flight-delay" / "onnx")
    for path in claimed.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    apply(installed.cluster, *claim(namespace, claimed))
    try:
        graph = scene.apply("v1", model={"uri": f"pvc://{CLAIM}/flight-delay/onnx/manifest.json", "digest": digest})
        scene.serving(graph)
        scene.start_load(RATE, BOUND)
        assert {outcome.version for outcome in scene.answers(20) if not outcome.failed} == {"onnx"}

        apply(installed.cluster, *bucket(namespace, installed.models / "v2", "flights/v2"))
        installed.cluster.kubectl("rollout", "status", f"deployment/{BUCKET}", "-n", namespace, "--timeout=120s")
        digest = installed.index["versions"]["v2"]["digest"]
        model = {"uri": "s3://flights/v2/manifest.json", "digest": digest}
        asked = scene.apply("v2", model={**model, "secretRef": {"name": STRANGER}})
        scene.recorder.wait(
            "Stalled says that these keys do not open it",
            lambda: "access denied; the Secret" in scene.recorder.condition("Stalled")[2],
            120,
        )
        assert scene.apply("v2", model={**model, "secretRef": {"name": READER}}) == asked
        scene.serving(asked, 240)
        assert {outcome.version for outcome in scene.answers(20) if not outcome.failed} == {"v2"}
    finally:
        installed.cluster.kubectl("delete", "pv", f"{namespace}-{CLAIM}", "--wait=false")
