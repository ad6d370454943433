"""The model store of demo and tests: a static file server in the cluster, its files in ConfigMaps.

ConfigMaps and not a folder of the machine, so that it is the same on any cluster; the models are below 300 KB.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from sluice_dev.cluster import Cluster
from sluice_dev.scene.api import Api, Object

NAMESPACE = "sluice-demo"
"""The overlay for the development cluster allows plain http to the store of this namespace."""
STORE = "model-store"
IMAGE = "sluice/model-server:0.1.0"
"""Any image with Python would do; this one is there."""


def model_uri(version: str) -> str:
    """Address of a version's manifest, from inside the cluster."""
    return f"http://{STORE}.{NAMESPACE}/{version}/manifest.json"


def install_store(cluster: Cluster, api: Api, models: Path, index: dict[str, Any]) -> None:
    """Brings the models into the cluster and waits until they are served. Raises ApiError, CommandFailed."""
    api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    for version in index["versions"]:
        api.apply(_files(version, models / version))
    for manifest in (_deployment(list(index["versions"]), index["key"]), _service()):
        api.apply(manifest)
    cluster.kubectl("rollout", "status", f"deployment/{STORE}", "-n", NAMESPACE, "--timeout=120s")


def _files(version: str, folder: Path) -> Object:
    content = {file.name: base64.b64encode(file.read_bytes()).decode() for file in sorted(folder.iterdir())}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": f"model-{version}", "namespace": NAMESPACE},
        "binaryData": content,
    }


def _deployment(versions: list[str], key: str) -> Object:
    labels = {"app": STORE}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": STORE, "namespace": NAMESPACE},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {
                # The key changes with the models: a new pod sees all new files at once.
                "metadata": {"labels": labels, "annotations": {"sluice.dev/models": key[:16]}},
                "spec": {
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    "containers": [
                        {
                            "name": "files",
                            "image": IMAGE,
                            "command": ["python3", "-m", "http.server", "8000", "--directory", "/models"],
                            "ports": [{"name": "http", "containerPort": 8000}],
                            "readinessProbe": {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 1},
                            "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}},
                            "volumeMounts": [
                                {"name": version, "mountPath": f"/models/{version}"} for version in versions
                            ],
                        }
                    ],
                    "volumes": [{"name": v, "configMap": {"name": f"model-{v}"}} for v in versions],
                },
            },
        },
    }


def _service() -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": STORE, "namespace": NAMESPACE},
        "spec": {"selector": {"app": STORE}, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]},
    }
