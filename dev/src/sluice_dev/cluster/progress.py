"""How the steps of a start are shown: a table that redraws itself on a terminal, lines elsewhere."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from sluice_dev.cluster.steps import Display, Step


@contextlib.contextmanager
def display(console: Console) -> Iterator[Display]:
    """The display that fits the console."""
    if console.is_terminal:
        with LiveDisplay(console) as live:
            yield live
    else:
        yield PlainDisplay(console)


class PlainDisplay:
    """One line per finished step, for logs and pipes; a long one says every half minute that it is alive."""

    quiet_for = 30.0

    def __init__(self, console: Console) -> None:
        self._console = console
        self._begin = time.monotonic()
        self._last: dict[str, float] = {}

    def started(self, step: Step) -> None:
        self._last[step.name] = time.monotonic()

    def detail(self, step: Step, text: str) -> None:
        now = time.monotonic()
        if now - self._last.get(step.name, now) >= self.quiet_for:
            self._last[step.name] = now
            self._line(f"… {step.title}: {text}")

    def ended(self, step: Step, seconds: float, error: BaseException | None) -> None:
        self._line(f"{'✗' if error else '✓'} {step.title} ({seconds:.1f} s)")

    def _line(self, text: str) -> None:
        said = f"{time.monotonic() - self._begin:6.1f} s  {text}"
        self._console.print(said, markup=False, highlight=False, soft_wrap=True)


@dataclass
class _Row:
    step: Step
    begin: float
    spinner: Spinner = field(default_factory=lambda: Spinner("dots"))
    detail: str = ""
    seconds: float | None = None
    failed: bool = False


class LiveDisplay:
    """The steps as a table that redraws itself on a terminal. A context manager."""

    def __init__(self, console: Console) -> None:
        self._rows: dict[str, _Row] = {}
        self._lock = threading.Lock()
        self._begin = time.monotonic()
        self._live = Live(get_renderable=self._render, console=console, refresh_per_second=8)

    def __enter__(self) -> LiveDisplay:
        self._live.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._live.__exit__(None, None, None)

    def started(self, step: Step) -> None:
        with self._lock:
            self._rows[step.name] = _Row(step, time.monotonic())

    def detail(self, step: Step, text: str) -> None:
        self._rows[step.name].detail = text

    def ended(self, step: Step, seconds: float, error: BaseException | None) -> None:
        row = self._rows[step.name]
        row.seconds, row.failed, row.detail = seconds, error is not None, ""

    def _render(self) -> RenderableType:
        table = Table.grid(padding=(0, 1))
        with self._lock:
            rows = list(self._rows.values())
        for row in rows:
            seconds = row.seconds if row.seconds is not None else time.monotonic() - row.begin
            mark: RenderableType = row.spinner
            if row.seconds is not None:
                mark = Text("✗", style="red") if row.failed else Text("✓", style="green")
            table.add_row(mark, row.step.title, Text(f"{seconds:6.1f} s", style="dim"), Text(row.detail, style="dim"))
        return Group(table, Text(f"  {time.monotonic() - self._begin:.0f} s", style="bold"))
