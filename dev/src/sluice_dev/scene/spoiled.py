"""The operator asks a metrics store that answers badly on demand; the real one again afterwards."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sluice_dev.cluster import Cluster
from sluice_dev.scene import bad_answers, store
from sluice_dev.scene.api import Api, Object
from sluice_dev.scene.operators import configured, environment

NAME = "bad-store"
SETTING = "SLUICE_PROMETHEUS_URL"


class Spoiled:
    """The means to tell the store what it shall do: a key of `bad_answers.WAYS`."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster = cluster
        self._address = f"/api/v1/namespaces/{namespace}/pods/{NAME}:{bad_answers.PORT}/proxy/spoil"

    def how(self, way: str) -> None:
        """From the next question on. Raises CommandFailed."""
        self._cluster.kubectl("get", "--raw", f"{self._address}?how={way}", timeout=30)

    @contextmanager
    def spoil(self, way: str) -> Iterator[None]:
        """For as long as one looks on; good answers afterwards, whatever happens."""
        try:
            self.how(way)
            yield
        finally:
            self.how("not")


@contextmanager
def spoiled(cluster: Cluster) -> Iterator[Spoiled]:
    """The operator asks through a pod that passes everything on until it is told to spoil it. Raises CommandFailed.

    Its image is the model store's, which has a Python; the real store is the one that the operator is set to.
    """
    api, namespace = Api(cluster.kubeconfig), f"e2e-{NAME}-{secrets.token_hex(2)}"
    served = cluster.get("deployment", store.STORE, "-n", store.NAMESPACE)
    image = served["spec"]["template"]["spec"]["containers"][0]["image"]
    try:
        api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        for manifest in _manifests(namespace, image, environment(cluster)[SETTING]):
            api.apply(manifest)
        cluster.kubectl("wait", "--for=condition=Ready", f"pod/{NAME}", "-n", namespace, "--timeout=120s")
        with configured(cluster, {SETTING: f"http://{NAME}.{namespace}:{bad_answers.PORT}"}):
            yield Spoiled(cluster, namespace)
    finally:
        api.delete("Namespace", "", namespace)


def _manifests(namespace: str, image: str, upstream: str) -> Iterator[Object]:
    metadata = {"name": NAME, "namespace": namespace, "labels": {"app": NAME}}
    program = Path(bad_answers.__file__)
    yield {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {program.name: program.read_text()}}
    yield {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 1,
            "containers": [
                {
                    "name": "store",
                    "image": image,
                    "command": ["python3", f"/program/{program.name}", upstream],
                    "ports": [{"name": "http", "containerPort": bad_answers.PORT}],
                    "readinessProbe": {"httpGet": {"path": "/spoil", "port": "http"}, "periodSeconds": 1},
                    "resources": {"requests": {"cpu": "20m", "memory": "32Mi"}},
                    "volumeMounts": [{"name": "program", "mountPath": "/program"}],
                }
            ],
            "volumes": [{"name": "program", "configMap": {"name": NAME}}],
        },
    }
    yield {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {"selector": {"app": NAME}, "ports": [{"name": "http", "port": bad_answers.PORT}]},
    }
