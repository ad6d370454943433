"""The figures of a campaign as one picture: each as a part of its limit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from sluice_dev.bench.figures import Target


def draw(targets: Sequence[Target], path: Path) -> None:
    """A row for each target: where it stands between 0 and its limit; red beyond it. A least is drawn the other way."""
    figure = Figure(figsize=(10, 0.28 * len(targets) + 1), layout="constrained")
    axes = figure.subplots()
    parts = [(t.limit / t.value if t.value else 2.0) if t.least else t.value / t.limit for t in targets]
    colors = ["#4477aa" if t.met else "#cc3311" for t in targets]
    rows = range(len(targets), 0, -1)
    axes.barh(rows, [min(part, 2.0) for part in parts], color=colors)
    axes.axvline(1, color="black", linewidth=1)
    axes.set_yticks(rows, [t.name for t in targets], fontsize=7)
    axes.set_xlim(0, 2)
    axes.set_xlabel("part of what is allowed (1 is the limit)")
    axes.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
