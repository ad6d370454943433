"""What is applied to a cluster of your own, rendered by kubectl itself: by our overlay, and by the one in the guide."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from sluice.core.runtimes import Runtime
from sluice_dev.cluster.access import kubectl_program
from sluice_dev.cluster.layout import Layout
from sluice_dev.images.delivery import Delivered
from sluice_dev.scene.install import OWN_OVERLAY, own_overlay

IMAGES = {name: Delivered(f"registry.example/team/{name}:0.1.0", "key") for name in ("operator", "model-server")}
PROMETHEUS = "http://prometheus.metrics:9090"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The manifests of this checkout, and nothing else."""
    for folder in ("manifests", "crds"):
        shutil.copytree(Layout.here().checkout / folder, tmp_path / "sluice" / folder)
    return tmp_path / "sluice"


def rendered(folder: Path) -> dict[tuple[str, str], Any]:
    """(kind, name) -> object, as `kubectl apply -k` would apply it."""
    done = subprocess.run(
        [kubectl_program(), "kustomize", folder], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return {(one["kind"], one["metadata"]["name"]): one for one in yaml.load_all(done.stdout, yaml.CSafeLoader)}


def own(checkout: Path) -> Path:
    """The overlay for a cluster of your own, written as `make install` does."""
    folder = checkout / OWN_OVERLAY
    folder.mkdir(parents=True)
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(own_overlay(checkout, IMAGES, PROMETHEUS)))
    return folder


def by_hand(checkout: Path) -> Path:
    """The overlay that docs/how-to/install.md tells people to write, next to their checkout called `sluice`."""
    guide = (Layout.here().checkout / "docs/how-to/install.md").read_text()
    [overlay] = [
        block for block in re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL) if "kind: Kustomization" in block
    ]
    folder = checkout.parent / "my-sluice"
    folder.mkdir()
    (folder / "kustomization.yaml").write_text(overlay)
    return folder


@pytest.mark.parametrize("overlay", [own, by_hand])
def test_the_operator_comes_from_the_registry_and_asks_your_prometheus(checkout: Path, overlay: Any) -> None:
    """Its other settings stay as they are."""
    base = rendered(checkout / "manifests/base")["Deployment", "sluice-operator"]
    deployment = rendered(overlay(checkout))["Deployment", "sluice-operator"]
    [before], [after] = (one["spec"]["template"]["spec"]["containers"] for one in (base, deployment))
    assert re.fullmatch(r"registry\.example/\w+/operator:0\.1\.0", after["image"])
    settings = {variable["name"]: variable.get("value") for variable in after["env"]}
    assert settings["SLUICE_PROMETHEUS_URL"] != "http://prometheus.monitoring:9090"
    assert {variable["name"] for variable in before["env"]} <= settings.keys()
    assert after["resources"] == before["resources"]


@pytest.mark.parametrize("overlay", [own, by_hand])
def test_the_runtime_table_differs_in_its_images_only(checkout: Path, overlay: Any) -> None:
    """A patch of a row replaces it as a whole: what it leaves out is lost, the resources too."""
    key = ("ConfigMap", "sluice-runtimes")
    rows = [rendered(folder)[key]["data"] for folder in (checkout / "manifests/base", overlay(checkout))]
    assert rows[0].keys() == rows[1].keys()
    before, after = (Runtime.model_validate(yaml.safe_load(row["sluice-sklearn.yaml"])) for row in rows)
    assert re.fullmatch(r"registry\.example/\w+/model-server:0\.1\.0", after.image_for("0.1.0"))
    assert after.image == after.fetcher
    assert after.model_copy(update={"image": before.image, "fetcher": before.fetcher}) == before
