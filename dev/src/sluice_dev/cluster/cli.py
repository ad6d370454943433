"""The command line of the development cluster."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console

from sluice_dev.cluster import doctor as checks
from sluice_dev.cluster import lifecycle
from sluice_dev.cluster.access import Cluster, current_cluster, kubectl_program
from sluice_dev.cluster.errors import ClusterError, Missing
from sluice_dev.cluster.layout import Layout
from sluice_dev.cluster.own import GUIDE, uses_existing

app = typer.Typer(help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False)
console = Console()
_PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True}


@contextmanager
def plain_errors() -> Iterator[None]:
    """Errors of the tool reach people as sentences or as the doctor's table; anything else is a bug."""
    try:
        yield
    except Missing as missing:
        console.print(checks.table(missing.findings))
        raise typer.Exit(1) from missing
    except ClusterError as error:
        console.print(f"error: {error}", style="red", markup=False, highlight=False)
        raise typer.Exit(1) from error


@app.command()
def up() -> None:
    """Start the cluster of this checkout; at once when it is running already. One of your own is only looked at."""
    with plain_errors():
        cluster = lifecycle.ensure(Layout.here(), console)
        _summary(cluster)


@app.command()
def down() -> None:
    """Take the cluster away, and whatever a killed run left."""
    with plain_errors():
        if uses_existing():
            raise ClusterError(
                "USE_EXISTING_CLUSTER is set, and a cluster of your own is never taken away. Without it this takes the "
                f"embedded cluster away; {GUIDE} says how to uninstall Sluice from yours"
            )
        lifecycle.down(Layout.here(), console)


@app.command()
def status() -> None:
    """Say what runs; exit status 1 unless all of it does."""
    with plain_errors():
        layout = Layout.here()
        if uses_existing():
            _summary(lifecycle.ensure(layout, console))
            return
        checks.require(layout, checks.FIRST)
        health = lifecycle.examine(layout)
        if health.owner is None:
            console.print("no cluster is running: make cluster")
            raise typer.Exit(1)
        if health.owner != layout.checkout:
            console.print(f"a cluster of {health.owner} is running; `make cluster` here replaces it")
            raise typer.Exit(1)
        for name in health.dead:
            console.print(f"{name} is dead: see {layout.logs / name}.log")
        for name in health.unready:
            console.print(f"{name} is not ready")
        if not health.api:
            console.print("it did not come up completely, or its API server does not answer: make cluster")
        if not health.node_up(layout) or health.unready:
            raise typer.Exit(1)
        _summary(current_cluster())


@app.command()
def doctor() -> None:
    """Say in one table what this machine lacks, and how to get it; with USE_EXISTING_CLUSTER=1 what yours lacks."""
    findings = checks.examine(Layout.here())
    console.print(checks.table(findings))
    raise typer.Exit(0 if all(finding.ok for finding in findings) else 1)


@app.command()
def machine() -> None:
    """Install the system packages that are missing; fail with the doctor's table when the cluster could not start."""
    with plain_errors():
        lifecycle.set_up(Layout.here(), console)


@app.command()
def kubeconfig() -> None:
    """Print the path of the kubeconfig: export KUBECONFIG=$(python -m sluice_dev.cluster kubeconfig)."""
    with plain_errors():
        print(current_cluster().kubeconfig)


@app.command(context_settings=_PASS_ON)
def kubectl(context: typer.Context) -> None:
    """Run kubectl on the cluster."""
    with plain_errors():
        checks.require(Layout.here(), [checks.kubectl])
        program = str(kubectl_program())
        os.execv(program, [program, f"--kubeconfig={current_cluster().kubeconfig}", *context.args])  # noqa: S606


@app.command(name="exec", context_settings=_PASS_ON)
def exec_(context: typer.Context, program: Annotated[str, typer.Argument(help="program to run")]) -> None:
    """Run a program inside the node's network namespace, where Service and pod addresses work."""
    with plain_errors():
        argv = current_cluster().node_argv([program, *context.args])
        os.execvp(argv[0], argv)  # noqa: S606


def _summary(cluster: Cluster) -> None:
    console.print(f"kubectl     export KUBECONFIG={cluster.kubeconfig}", highlight=False, soft_wrap=True)
    if not cluster.embedded:
        console.print(f"It is your own: {GUIDE} says what works on it.", highlight=False)
        return
    console.print(f"gateway     {cluster.gateway_loopback_url}", highlight=False)
    console.print(f"Prometheus  {cluster.prometheus_loopback_url}", highlight=False)
