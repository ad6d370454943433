"""The command line of the project's images."""

from __future__ import annotations

import time
from typing import Annotated

import typer
from rich.console import Console

from sluice_dev.cluster import ClusterError, NotRunning, current_cluster, uses_existing
from sluice_dev.cluster.cli import plain_errors
from sluice_dev.cluster.layout import Layout
from sluice_dev.cluster.own import NEEDS_REGISTRY
from sluice_dev.images.build import build_archives, build_for_registry, build_into_cluster
from sluice_dev.images.catalog import IMAGES

app = typer.Typer(help=__doc__, pretty_exceptions_enable=False)
console = Console()

Names = Annotated[list[str] | None, typer.Argument(help=f"{', '.join(IMAGES)}; all when absent")]
Registry = Annotated[str, typer.Option(help="registry and path to name them after, such as registry.example/sluice")]
Base = Annotated[str, typer.Option(help="with a registry: the image to stand on, instead of python:3.11-slim")]
Push = Annotated[bool, typer.Option(help="send them to the registry")]


@app.callback()
def images() -> None:
    """Build the project's images."""


@app.command()
def build(names: Names = None, registry: Registry = "", base: Base = "", push: Push = False) -> None:
    """Build the images. Without a registry: for the development cluster, and into it if it runs."""
    if unknown := set(names or ()) - IMAGES.keys():
        raise typer.BadParameter(f"no image is called {', '.join(sorted(unknown))}; there are {', '.join(IMAGES)}")
    chosen = [IMAGES[name] for name in names or IMAGES]
    layout = Layout.here()
    begin = time.monotonic()

    def report(text: str) -> None:
        console.print(f"{time.monotonic() - begin:6.1f} s  {text}", highlight=False, markup=False)

    with plain_errors():
        if registry:
            for reference in build_for_registry(layout, chosen, registry, push=push, base_image=base, report=report):
                console.print(reference, highlight=False)
            return
        if uses_existing():
            raise ClusterError(NEEDS_REGISTRY)
        try:
            cluster = current_cluster()
        except NotRunning:
            archives = build_archives(layout, chosen, report)
        else:
            archives = build_into_cluster(cluster, layout, chosen, report)
        for archive in archives:
            report(f"{archive.reference} ({archive.key})")
