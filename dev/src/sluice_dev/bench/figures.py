"""Figures and the targets they are held against."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Target:
    """name: what is measured, with its unit. least: True if more is better, else the limit is a most."""

    name: str
    value: float
    limit: float
    least: bool = False

    @property
    def met(self) -> bool:
        return self.value >= self.limit if self.least else self.value <= self.limit


@dataclass(slots=True)
class Result:
    """What one benchmark found. details: whatever helps to understand it."""

    title: str
    targets: list[Target] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def met(self) -> bool:
        return all(target.met for target in self.targets)

    def write(self, path: Path) -> None:
        """As JSON: title, met, targets, details."""
        path.parent.mkdir(parents=True, exist_ok=True)
        targets = [{**asdict(target), "met": target.met} for target in self.targets]
        content = {"title": self.title, "met": self.met, "targets": targets, "details": self.details}
        path.write_text(json.dumps(content, indent=2) + "\n")

    def show(self, console: Console) -> None:
        table = Table(title=self.title, title_justify="left")
        for column in ("", "measured", "target", ""):
            table.add_column(column)
        for target in self.targets:
            bound = f"{'>=' if target.least else '<='} {target.limit:g}"
            mark = "[green]met[/]" if target.met else "[bold red]missed[/]"
            table.add_row(target.name, f"{target.value:g}", bound, mark)
        console.print(table)


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, 90% and largest of some figures; empty without figures."""
    ordered = sorted(values)
    if not ordered:
        return {}
    middle = ordered[len(ordered) // 2]
    if len(ordered) % 2 == 0:
        middle = (ordered[len(ordered) // 2 - 1] + middle) / 2
    ninth = ordered[min(len(ordered) - 1, int(0.9 * len(ordered)))]
    return {"median": round(middle, 3), "p90": round(ninth, 3), "max": round(ordered[-1], 3)}
