"""`make bench-NAME`, one of Name: exit status 1 when a target is missed."""

from __future__ import annotations

import signal
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console

from sluice_dev.bench import exits, faults, healthy, killed, latency, promote, rollback, scrapes
from sluice_dev.bench.boundaries import NotReached
from sluice_dev.cluster.cli import plain_errors
from sluice_dev.cluster.layout import Layout
from sluice_dev.demo.prepare import models_folder, prepare
from sluice_dev.scene.recorder import NotInTime
from sluice_dev.scene.story import story

console = Console()
BROKEN_OFF = 130
"""Exit status after Ctrl-C, as shells have it."""


class Name(StrEnum):
    """The benchmarks."""

    PROMOTE = "promote"
    ROLLBACK = "rollback"
    EXITS = "exits"
    FAULTS = "faults"
    LATENCY = "latency"
    SCRAPES = "scrapes"
    HEALTHY = "healthy"
    KILLED = "killed"


BENCHES = {
    Name.PROMOTE: promote,
    Name.ROLLBACK: rollback,
    Name.EXITS: exits,
    Name.FAULTS: faults,
    Name.LATENCY: latency,
    Name.SCRAPES: scrapes,
    Name.HEALTHY: healthy,
    Name.KILLED: killed,
}


def main(name: Annotated[Name, typer.Argument(help="which benchmark")]) -> None:
    """Run a benchmark on the development cluster; ten minutes to half an hour."""
    # what a shell runs in the background ignores SIGINT, and SIGTERM would leave the operator as it was set here
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    layout = Layout.here()
    folder, bench = layout.checkout / "build" / "bench", BENCHES[name]
    with plain_errors():
        cluster, index = prepare(layout, console)
        try:
            result = bench.run(cluster, index, models_folder(layout), folder / f"{name}.jsonl", console)
        except (NotInTime, NotReached) as late:
            for namespace in bench.NAMESPACES:
                console.print(story(cluster, namespace), markup=False, highlight=False)
            console.print(f"\n{late}", style="bold red", markup=False)
            raise typer.Exit(1) from late
        except KeyboardInterrupt:
            console.print(f"broken off; {', '.join(bench.NAMESPACES)}: taken away", highlight=False)
            cluster.kubectl("delete", "namespace", *bench.NAMESPACES, "--ignore-not-found", "--wait=false")
            raise typer.Exit(BROKEN_OFF) from None
    result.write(folder / f"{name}.json")
    result.show(console)
    console.print(f"written to build/bench/{name}.json", highlight=False)
    raise typer.Exit(0 if result.met else 1)


if __name__ == "__main__":
    typer.run(main)
