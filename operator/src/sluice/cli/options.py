"""The options that commands share, and what they mean."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from sluice.api.quantities import parse_duration
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


def connect(kubeconfig: Path | None, context: str | None) -> Cluster:
    """The cluster that is meant."""
    return Cluster.connect(kubeconfig, context)


def duration(text: str) -> timedelta:
    """`"10m"` -> ten minutes. Raises typer.BadParameter."""
    value = parse_duration(text)
    if not isinstance(value, timedelta) or not value:
        raise typer.BadParameter(f"{text!r} is no duration longer than 0, such as 30s or 1h30m")
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
