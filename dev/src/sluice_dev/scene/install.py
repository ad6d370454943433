"""Sluice itself in the development cluster: its images, its manifests, and the wait until it works."""

from __future__ import annotations

import json
from collections.abc import Callable

from sluice_dev.cluster import Cluster
from sluice_dev.cluster.layout import Layout
from sluice_dev.images import IMAGES, build_archives

NAMESPACE = "sluice-system"
OPERATOR = "sluice-operator"
LOADED = "loaded-images.json"
"""In the cluster's state folder, so it ends with the cluster: image -> key of the archive loaded last."""

Report = Callable[[str], None]


def load_images(cluster: Cluster, layout: Layout, report: Report) -> dict[str, str]:
    """Builds what changed and loads what the cluster does not have yet. Returns image name -> key of its content."""
    archives = build_archives(layout, list(IMAGES.values()), report)
    note = layout.state / LOADED
    loaded: dict[str, str] = json.loads(note.read_text()) if note.exists() else {}
    for name, archive in zip(IMAGES, archives, strict=True):
        if loaded.get(name) != archive.key:
            report(f"loads {archive.reference} into the cluster")
            cluster.load_image(archive.path)
            loaded[name] = archive.key
            note.write_text(json.dumps(loaded))
    return {name: archive.key for name, archive in zip(IMAGES, archives, strict=True)}


def install_operator(cluster: Cluster, layout: Layout, key: str, report: Report) -> None:
    """Applies the overlay for the development cluster and waits. key: of the operator's image.

    The image keeps its name while the code changes, so its key on the pod template is what rolls the pods.
    Raises CommandFailed.
    """
    report("applies manifests/overlays/dev")
    folder = layout.checkout / "manifests" / "overlays" / "dev"
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-k", str(folder))
    cluster.kubectl("wait", "--for=condition=Established", "crd/modeldeployments.sluice.dev", "--timeout=60s")
    patch = {"spec": {"template": {"metadata": {"annotations": {"sluice.dev/image-key": key}}}}}
    cluster.kubectl("patch", "deployment", OPERATOR, "-n", NAMESPACE, "--type=merge", "-p", json.dumps(patch))
    # A test or benchmark that was killed could not take its failpoints away, and an apply leaves what others added.
    left = ("SLUICE_FAILPOINT-", "SLUICE_FAILPOINT_MARKER-")
    cluster.kubectl("set", "env", f"deployment/{OPERATOR}", "-n", NAMESPACE, *left)
    report("waits for the operator")
    cluster.kubectl("rollout", "status", f"deployment/{OPERATOR}", "-n", NAMESPACE, "--timeout=180s", timeout=200)
