"""Sluice itself in the cluster at hand: its manifests, and the wait until it works."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from sluice_dev.cluster import Cluster
from sluice_dev.cluster.layout import Layout
from sluice_dev.cluster.own import OwnSettings
from sluice_dev.images.catalog import IMAGES
from sluice_dev.images.delivery import Delivered, by_reference
from sluice_dev.scene.api import Api, Object

NAMESPACE = "sluice-system"
OPERATOR = "sluice-operator"
OVERLAY = Path("manifests/overlays/dev")
OWN_OVERLAY = Path("build/own-cluster")
"""Written for a cluster of your own and left to be looked at: docs/how-to/install.md does the same by hand."""
RUNTIMES = Path("manifests/base/runtimes.yaml")

Report = Callable[[str], None]


def install_operator(cluster: Cluster, layout: Layout, images: Mapping[str, Delivered], report: Report) -> None:
    """Applies the manifests and waits. Raises ClusterError.

    An image keeps its name while the code changes, so its key on the pod template is what rolls the pods.
    """
    folder = layout.checkout / (OVERLAY if cluster.embedded else OWN_OVERLAY)
    if not cluster.embedded:
        folder.mkdir(parents=True, exist_ok=True)
        overlay = own_overlay(layout.checkout, images, OwnSettings.read().prometheus_url)
        (folder / "kustomization.yaml").write_text(yaml.safe_dump(overlay, sort_keys=False))
    report(f"applies {folder.relative_to(layout.checkout)}")
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-k", str(folder))
    cluster.kubectl("wait", "--for=condition=Established", "crd/modeldeployments.sluice.dev", "--timeout=60s")
    patch = {"spec": {"template": {"metadata": {"annotations": {"sluice.dev/image-key": images["operator"].key}}}}}
    cluster.kubectl("patch", "deployment", OPERATOR, "-n", NAMESPACE, "--type=merge", "-p", json.dumps(patch))
    # A test or benchmark that was killed could not take its failpoints away, and an apply leaves what others added.
    left = ("SLUICE_FAILPOINT-", "SLUICE_FAILPOINT_MARKER-")
    cluster.kubectl("set", "env", f"deployment/{OPERATOR}", "-n", NAMESPACE, *left)
    report("waits for the operator")
    cluster.kubectl("rollout", "status", f"deployment/{OPERATOR}", "-n", NAMESPACE, "--timeout=180s", timeout=200)


def own_overlay(checkout: Path, images: Mapping[str, Delivered], prometheus_url: str) -> Object:
    """The kustomization for a cluster of your own: the development overlay with other images and another Prometheus."""
    name, _, tag = images["operator"].reference.rpartition(":")
    server = images["model-server"].reference.rpartition(":")[0]
    container = {"name": "operator", "env": [{"name": "SLUICE_PROMETHEUS_URL", "value": prometheus_url}]}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": OPERATOR, "namespace": NAMESPACE},
        "spec": {"template": {"spec": {"containers": [container]}}},
    }
    runtimes: dict[str, Any] = yaml.safe_load((checkout / RUNTIMES).read_text())
    # To kustomize a row is one text: a patch replaces it as a whole, so it must be the whole row.
    runtimes["data"] = {key: row.replace("sluice/model-server:", f"{server}:") for key, row in runtimes["data"].items()}
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [os.path.relpath(OVERLAY, OWN_OVERLAY)],
        "images": [{"name": "sluice/operator", "newName": name, "newTag": tag}],
        "patches": [{"patch": yaml.safe_dump(patch, sort_keys=False)} for patch in (deployment, runtimes)],
    }


class ByReference(Api):
    """Manifests that call the project's images by their own names are applied with what the cluster calls them."""

    def __init__(self, cluster: Cluster, layout: Layout, images: Mapping[str, Delivered]) -> None:
        super().__init__(cluster.kubeconfig)
        self._references = {IMAGES[name].reference(layout.checkout): image.reference for name, image in images.items()}

    def apply(self, manifest: Object, manager: str = "kubectl") -> Object:
        """As Api.apply."""
        renamed: Object = by_reference(manifest, self._references)
        return super().apply(renamed, manager)
