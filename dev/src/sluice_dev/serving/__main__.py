"""`make bench-drain`, `make bench-soak`: exit status 1 when a target is missed."""

from __future__ import annotations

import signal
import tempfile
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from rich.console import Console

from sluice_dev.bench.figures import Result
from sluice_dev.cluster.layout import Layout
from sluice_dev.serving import drain, soak

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
console = Console()


@app.command("drain")
def run_drain(rounds: Annotated[int, typer.Option(min=1, help="How often a server is told to end.")] = 50) -> None:
    """Servers that are told to end under 500 requests/s lose none."""
    with tempfile.TemporaryDirectory() as folder:
        _finish("drain", drain.run(rounds, Path(folder), console))


@app.command("soak")
def run_soak(minutes: Annotated[float, typer.Option(min=0.1, help="How long.")] = 30.0) -> None:
    """A server at full speed neither fails nor grows."""
    with tempfile.TemporaryDirectory() as folder:
        _finish("soak", soak.run(60 * minutes, Path(folder), console))


def _finish(name: str, result: Result) -> None:
    result.write(Layout.here().checkout / "build" / "bench" / f"{name}.json")
    console.print()
    result.show(console)
    console.print(result.details["outcomes"], highlight=False)
    console.print(f"written to build/bench/{name}.json", highlight=False)
    raise typer.Exit(0 if result.met else 1)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # whatever ends it, its servers end with it
    uvloop.install()
    app()
