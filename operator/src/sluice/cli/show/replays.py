"""What a past rollout would have come to, in a table and in sentences."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.table import Table

from sluice.cli.spans import rough as span

if TYPE_CHECKING:
    from sluice.core.replay import Replayed

MINUTES: Final = 120
"""Seconds from which on a tenth of one says nothing."""


@dataclass(frozen=True, slots=True)
class Past:
    """A rollout as the status tells of it. stable: the revision that served meanwhile. until: its end, or now. told:
    what became of it, in words."""

    revision: str
    stable: str
    started_at: datetime
    until: datetime
    told: str

    @property
    def seconds(self) -> float:
        """How long it took, or has taken so far."""
        return (self.until - self.started_at).total_seconds()


def show(console: Console, label: str, past: Past, replays: "Mapping[str, Replayed]") -> None:
    """What happened, what would have, and what each check said. label: of the ModelDeployment. replays: by their
    settings' name."""
    first = next(iter(replays.values()))
    console.print(
        f"{label}: revision {past.revision} against stable {past.stable}, from {past.started_at:%F %T} UTC "
        f"for {since(past.seconds)}; it answered {first.requests} requests",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    table = Table(title="Judged again", title_justify="left")
    for column in ("settings", "check", "on fail", "at the end", "failed after", "certified after", "nearest"):
        table.add_column(column, justify="right" if column.endswith("after") or column == "nearest" else "left")
    for name, replayed in replays.items():
        for told in replayed.checks:
            table.add_row(
                name,
                told.last.name,
                told.last.on_fail.value,
                f"{told.last.verdict.value}: {told.last.message}",
                since(told.failed_at),
                since(told.certified_at) if told.last.required else "not required",
                f"{min(told.nearest, 1):.0%}",
            )
        table.add_section()
    console.print(table)
    console.print(f"happened: {past.told}", highlight=False, markup=False, soft_wrap=True)
    for name, replayed in replays.items():
        console.print(f"{name}: {outcome(replayed)}", highlight=False, markup=False, soft_wrap=True)


def outcome(replayed: "Replayed") -> str:
    """In a sentence, what the settings would have decided."""
    if (failed := replayed.rolled_back) is not None:
        return f"rolled back after {since(failed.failed_at)}: {failed.last.name} failed"
    waits = [told.last.name for told in replayed.checks if told.last.required and told.certified_at is None]
    said = f"not rolled back in these {since(replayed.seconds)}"
    if waits:
        return f"{said}; not certified: {', '.join(waits)}, so it would not have been promoted"
    if replayed.certified_at is None:
        return f"{said}; no check needs a certificate"
    return f"{said}; all that is required was certified after {since(replayed.certified_at)}"


def since(seconds: float | None) -> str:
    """Seconds since the rollout's start: `9.5 s`, `12 min`; `-` for never."""
    if seconds is None:
        return "-"
    return f"{seconds:.1f} s" if seconds < MINUTES else span(seconds)
