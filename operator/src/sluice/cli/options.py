"""The options that commands share, and what they mean."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from sluice.api.quantities import parse_duration, parse_percent
from sluice.cli.cluster import Cluster
from sluice.cli.errors import PluginError

NO_TERMINAL_WIDTH: Final = 120
"""Characters per line where nobody says how many there are: in a CI log."""

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the ModelDeployment.", show_default=False)]
Namespace = Annotated[
    str | None,
    typer.Option("--namespace", "-n", help="Namespace; absent: that of the context.", show_default=False),
]
Context = Annotated[
    str | None,
    typer.Option(help="Context of the kubeconfig; absent: the current one.", show_default=False),
]
Kubeconfig = Annotated[
    Path | None,
    typer.Option(help="A kubeconfig; absent: the files of $KUBECONFIG, else ~/.kube/config.", show_default=False),
]

STORE: Final = "monitoring/prometheus:9090"
"""The operator's own default (SLUICE_PROMETHEUS_URL), as a Service."""
Prometheus = Annotated[
    str,
    typer.Option(
        "--prometheus",
        help="The metrics store: its URL; or NAMESPACE/SERVICE:PORT (NAMESPACE/https:SERVICE:PORT), which is asked "
        "through the API server, with your right to services/proxy.",
    ),
]
PrometheusAccess = Annotated[
    Path | None,
    typer.Option(
        "--prometheus-access",
        help="Folder with what a store behind a URL is shown: token; username, password; ca.crt; tls.crt, tls.key; "
        "headers.yaml, as in the operator's Secret sluice-prometheus.",
        show_default=False,
    ),
]
Runtimes = Annotated[
    Path | None,
    typer.Option(
        "--runtimes",
        help="The runtime table, a manifest of its ConfigMap; absent: sluice-system/sluice-runtimes of the cluster.",
        show_default=False,
    ),
]


def connect(kubeconfig: Path | None, context: str | None) -> Cluster:
    """The cluster that is meant."""
    return Cluster.connect(kubeconfig, context)


def duration(text: str) -> timedelta:
    """`"10m"` -> ten minutes. Raises typer.BadParameter."""
    value = parse_duration(text)
    if not isinstance(value, timedelta) or not value:
        raise typer.BadParameter(f"{text!r} is no duration longer than 0, such as 30s or 1h30m")
    return value


def percentage(text: str) -> Decimal:
    """`"0.5%"` -> 0.005. Raises typer.BadParameter."""
    value = parse_percent(text)
    if not isinstance(value, Decimal) or not 0 <= value < 1:
        raise typer.BadParameter(f"{text!r} is no percentage below 100%, such as 0.5%")
    return value


def out() -> Console:
    """Standard output; wide where it is no terminal, so that logs and pipes are not cut."""
    console = Console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = NO_TERMINAL_WIDTH
    return console


def err() -> Console:
    """Standard error."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


@contextmanager
def explained() -> Iterator[None]:
    """An error of ours becomes one line on standard error; its exit status is set by `main`."""
    try:
        yield
    except PluginError as error:
        err().print(f"error: {error}", style="red", markup=False)
        raise
