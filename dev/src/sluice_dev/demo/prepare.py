"""All that the demo needs and a fresh machine does not have: cluster, images, models, store, operator.

`make install` does just this: `python -m sluice_dev.demo.prepare`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from sluice_dev.cluster import Cluster, ClusterError, lifecycle
from sluice_dev.cluster.cli import plain_errors
from sluice_dev.cluster.layout import Layout
from sluice_dev.cluster.own import OwnSettings
from sluice_dev.cluster.progress import display
from sluice_dev.cluster.steps import Report, Step, run_steps
from sluice_dev.images.delivery import Delivered, deliver_images
from sluice_dev.scene.install import ByReference, install_operator
from sluice_dev.scene.store import install_store

INDEX = "index.json"


def prepare(layout: Layout, console: Console) -> tuple[Cluster, dict[str, Any]]:
    """Leaves a cluster that runs Sluice of this checkout and serves the demo's models; a minute when it does already.

    Returns the cluster and index.json of the models. Raises ClusterError.
    """
    cluster = lifecycle.ensure(layout, console)
    if not cluster.embedded:
        OwnSettings.read()  # told now what is missing, not after minutes of building
    models = models_folder(layout)
    images: dict[str, Delivered] = {}
    steps = [
        Step("models", "models are trained on the flights of 2013", lambda report: _train(models, report)),
        Step(
            "images", "images are in the cluster", lambda report: images.update(deliver_images(cluster, layout, report))
        ),
        Step(
            "store",
            "the model store serves them",
            lambda _: install_store(cluster, ByReference(cluster, layout, images), models, read_index(models)),
            frozenset({"models", "images"}),
        ),
        Step(
            "operator",
            "Sluice runs",
            lambda report: install_operator(cluster, layout, images, report),
            frozenset({"images"}),
        ),
    ]
    with display(console) as shown:
        run_steps(steps, shown)
    return cluster, read_index(models)


def models_folder(layout: Layout) -> Path:
    """Where the trained models lie."""
    return layout.checkout / "build" / "demo" / "models"


def read_index(models: Path) -> dict[str, Any]:
    """index.json of the models."""
    index: dict[str, Any] = json.loads((models / INDEX).read_text())
    return index


def _train(models: Path, report: Report) -> None:
    """In a process of its own: scikit-learn's memory is given back, and its threads disturb nobody."""
    training = subprocess.Popen(
        [sys.executable, "-m", "sluice_dev.demo.models", "--into", str(models)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    words: list[str] = []
    with training:
        for line in training.stdout or ():
            words.append(line.rstrip())
            report(words[-1][:80])
    if training.returncode != 0:
        raise ClusterError("the demo's models could not be trained:\n" + "\n".join(words[-20:]))


def main() -> None:
    """Install Sluice of this checkout, and the store of the demo's models, in the cluster at hand."""
    console = Console()
    with plain_errors():
        cluster, _ = prepare(Layout.here(), console)
    console.print(f"\nSluice runs. export KUBECONFIG={cluster.kubeconfig}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    typer.run(main)
