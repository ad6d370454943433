"""`kubectl sluice plan`: what to expect of a rollout before anyone deploys it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from sluice.cli.bars import bar
from sluice.cli.errors import Refused
from sluice.cli.manifests import read_document, spec_of
from sluice.cli.options import duration, explained, out, percentage
from sluice.cli.spans import rough as span

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from sluice.core.forecast.outlook import Outlook, Regression, StageOutlook

BAR: Final = 10
"""Characters of a full bar."""


def plan(
    filename: Annotated[
        Path, typer.Option("--filename", "-f", help="Manifest of a ModelDeployment; - for standard input.")
    ],
    rps: Annotated[float, typer.Option(min=0.0, help="Requests/s that the route gets, of both revisions together.")],
    error_rate: Annotated[str, typer.Option(help="Share of stable's requests that fail, e.g. 0.5%.")] = "0.1%",
    scrape_interval: Annotated[str, typer.Option(help="Time between two scrapes of a pod, e.g. 2s.")] = "5s",
    rollouts: Annotated[int, typer.Option(min=50, max=20_000, help="Simulated rollouts for each row.")] = 400,
    png: Annotated[Path | None, typer.Option(help="Also draw it into this file (needs matplotlib).")] = None,
) -> None:
    """Say beforehand how long a rollout takes, which regressions it catches, and what they cost.

    Rollouts are simulated and judged by the operator's own tests: two pods of one revision differ by 20%, and an hour
    of stable's history is known. Regressions are of errors; certificates of errors and of latency are waited for. Exit
    status: 0; 1 a manifest that is wrong or has no check on errors; 3 a file that cannot be read.
    """
    from sluice.core.forecast.outlook import NoErrorsCheck, outlook  # noqa: PLC0415 - numpy would slow every command

    share, scrape = float(percentage(error_rate)), duration(scrape_interval).total_seconds()
    with explained():
        try:
            found = outlook(spec_of(read_document(filename)), rps, share, scrape=max(scrape, 1.0), worlds=rollouts)
        except NoErrorsCheck as error:
            raise Refused(str(error)) from error
        console = out()
        show(console, found)
        if png is not None:
            draw(found, png)
            console.print(f"drawn into {png}", highlight=False)


def show(console: Console, found: "Outlook") -> None:
    """Tables for people."""
    console.print(stages_table(found))
    if found.regressions:
        console.print(regressions_table(found))
        console.print(f"An equal candidate is rolled back in {found.false_rollback:.1%} of the simulated rollouts.")
    for words in found.advice:
        console.print(f"[yellow]![/] {words}", highlight=False)


def stages_table(found: "Outlook") -> Table:
    """How long each stage takes, and what it waits for."""
    table = Table(title=f"Stages: at least {span(found.seconds)} to promotion", title_justify="left")
    for column in ("stage", "weight", "pods", "requests/s", "takes", "waits for"):
        table.add_column(column, justify="left" if column in ("stage", "waits for") else "right")
    for stage in found.stages:
        table.add_row(
            stage.name, f"{stage.weight}%", str(stage.pods), f"{stage.rate:.3g}", span(stage.seconds), _waits(stage)
        )
    return table


def regressions_table(found: "Outlook") -> Table:
    """Which candidates are taken back, when, and what they cost."""
    table = Table(title="What is caught, and the bad requests until then: median (90%)", title_justify="left")
    for column in ("candidate", "fails", "rolled back", "after", "in stage", "bad (90%)"):
        table.add_column(column, justify="left" if column in ("candidate", "in stage") else "right")
    for one in found.regressions:
        table.add_row(
            one.name,
            f"{one.share:.2%}",
            f"{bar(one.found, BAR)} {one.found:>4.0%}",
            span(one.seconds),
            one.stage or "-",
            f"{one.bad:.0f} ({one.bad_most:.0f})",
        )
    return table


def _waits(stage: "StageOutlook") -> str:
    """What a stage waits for: `"minDuration"`, `"certificate of latency"`."""
    return f"{stage.by} of {stage.of}" if stage.of else stage.by


def draw(found: "Outlook", path: Path) -> None:
    """The regressions as a picture: how often each is caught, and what it costs. Raises Refused."""
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 - a picture is the only thing that needs it
    except ImportError as missing:
        raise Refused("--png needs matplotlib: pip install matplotlib") from missing
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    shown = found.regressions[::-1]
    _bars(left, shown, [100 * one.found for one in shown], "rolled back, % of rollouts")
    left.set_xlim(0, 100)
    _bars(right, shown, [one.bad for one in shown], "bad requests, median (line: to 90%)")
    right.hlines(range(len(shown)), [one.bad for one in shown], [one.bad_most for one in shown], color="black")
    figure.savefig(path, dpi=120)


def _bars(axes: "Axes", shown: Sequence["Regression"], values: list[float], label: str) -> None:
    axes.barh(range(len(shown)), values, color="#4477aa")
    axes.set_yticks(range(len(shown)), [one.name for one in shown])
    axes.set_xlabel(label)
    axes.spines[["top", "right"]].set_visible(False)
