"""What is to be expected of a rollout, as tables and as a picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sluice.cli.bars import bar
from sluice.cli.errors import Refused
from sluice.cli.spans import rough as span

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from sluice.core.forecast.expected import Outlook, Regression, StageOutlook

BAR: Final = 10
"""Characters of a full bar."""


def show(console: Console, found: "Outlook") -> None:
    """Tables for people."""
    console.print(stages_table(found))
    if found.regressions:
        console.print(regressions_table(found))
    if found.slowdowns:
        console.print(slowdowns_table(found))
    if found.regressions:
        console.print(f"An equal candidate is rolled back in {found.false_rollback:.1%} of the simulated rollouts.")
    for advice in found.advice:
        console.print(f"[yellow]![/] {escape(advice)}", highlight=False)


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


def slowdowns_table(found: "Outlook") -> Table:
    """Which slow candidates are taken back, when, and how many requests they answer until then."""
    table = Table(title="Slow-downs, and the candidate's requests until then: median (90%)", title_justify="left")
    for column in ("candidate", "rolled back", "after", "in stage", "requests (90%)"):
        table.add_column(column, justify="left" if column in ("candidate", "in stage") else "right")
    for one in found.slowdowns:
        table.add_row(
            one.name,
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
    """What is caught as a picture: how often, and what it costs. Raises Refused."""
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 - a picture is the only thing that needs it
    except ImportError as missing:
        raise Refused("--png needs matplotlib: pip install matplotlib") from missing
    figure = Figure(figsize=(10, 1.2 + 0.42 * (len(found.regressions) + len(found.slowdowns))), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    shown = (*found.slowdowns[::-1], *found.regressions[::-1])
    _bars(left, shown, [100 * one.found for one in shown], "rolled back, % of rollouts")
    left.set_xlim(0, 100)
    _bars(right, shown, [one.bad for one in shown], "requests until then (failed; slow: all), median and 90%")
    right.set_xscale("symlog", linthresh=10)
    right.hlines(range(len(shown)), [one.bad for one in shown], [one.bad_most for one in shown], color="black")
    figure.suptitle(f"At least {span(found.seconds)} to promotion; false rollbacks: {found.false_rollback:.1%}")
    figure.savefig(path, dpi=120)


def _bars(axes: "Axes", shown: Sequence["Regression"], values: list[float], label: str) -> None:
    axes.barh(range(len(shown)), values, color="#4477aa")
    axes.set_yticks(range(len(shown)), [one.name for one in shown])
    axes.set_xlabel(label)
    axes.spines[["top", "right"]].set_visible(False)
