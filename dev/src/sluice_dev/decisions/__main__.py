"""`make bench-decisions`: exit status 1 when a row does not hold."""

from __future__ import annotations

from math import sqrt
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

import sluice.core.analysis
import sluice.core.forecast
import sluice.core.metrics
from sluice_dev.bench.figures import Result, Target
from sluice_dev.cluster.layout import Layout
from sluice_dev.decisions.campaign import Played, Store, campaign, code_key
from sluice_dev.decisions.cells import CELLS, WHOLE, Cell
from sluice_dev.decisions.picture import draw

SOURCES: Final = (
    *(Path(package.__path__[0]) for package in (sluice.core.analysis, sluice.core.forecast)),
    Path(sluice.core.metrics.__file__),
    Path(__file__).parent,
)
"""Code that the figures depend on."""
QUICK_WORLDS = 1000
FALSE_WORLDS = 10_000
POWER_WORLDS = 1000


def target_of(cell: Cell, played: Played) -> Target:
    """The cell's figure beside its limit."""
    words = {
        "false": "false rollbacks",
        "found": "found",
        "bad": "bad requests, median",
        "soon": "seconds, median",
        "certified": "minutes until certified, median",
        "certified-worse": "falsely certified",
    }[cell.question]
    value = played.median if cell.question in ("bad", "soon", "certified") else played.share
    return Target(f"{cell.name}: {words}", value, cell.limit, least=cell.question == "found")


def pooled(played: list[Played]) -> Target:
    """The 95% upper bound of the share of false rollbacks over all cells (Wilson)."""
    n, k, z = sum(p.rollouts for p in played), sum(p.hits for p in played), 1.645
    share = k / n
    upper = (share + z**2 / (2 * n) + z * sqrt(share * (1 - share) / n + z**2 / (4 * n**2))) / (1 + z**2 / n)
    return Target("all false-alarm cells together: upper 95% bound", upper, 0.01)


def main(
    quick: Annotated[bool, typer.Option(help=f"{QUICK_WORLDS} rollouts a cell instead of {FALSE_WORLDS}")] = False,
) -> None:
    """Simulated rollouts, judged by the operator's own code. Can be interrupted: it goes on where it was."""
    console, layout = Console(), Layout.here()
    folder = layout.checkout / "build" / "bench"
    store = Store(folder / "decisions" / code_key(SOURCES))
    worlds = {cell.name: FALSE_WORLDS if cell in WHOLE and not quick else POWER_WORLDS for cell in CELLS}
    result = Result("Decisions about errors and latency, simulated")
    false: list[Played] = []
    for count in sorted(set(worlds.values())):
        for cell, played in campaign([c for c in CELLS if worlds[c.name] == count], count, store):
            target = target_of(cell, played)
            result.targets.append(target)
            result.details[cell.name] = {"rollouts": played.rollouts, "hits": played.hits, "median": played.median}
            if cell.question == "false":
                false.append(played)
            console.print(f"{'met   ' if target.met else 'MISSED'} {target.name}: {target.value:.4g}", highlight=False)
    result.targets.append(pooled(false))
    result.write(folder / "decisions.json")
    draw(result.targets, folder / "decisions.png")
    result.show(console)
    console.print("written to build/bench/decisions.json and decisions.png", highlight=False)
    raise typer.Exit(0 if result.met else 1)


if __name__ == "__main__":
    typer.run(main)
