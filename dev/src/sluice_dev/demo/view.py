"""What is seen while the demo runs: a picture that redraws itself on a terminal, lines elsewhere."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from sluice_dev.demo.traffic import Traffic
from sluice_dev.load.outcome import Outcome
from sluice_dev.scene.scene import Scene

STYLES = {"v1": "grey70", "v2": "green3", "v3": "red1", "v4": "orange1", "v5": "medium_purple1"}
BAR = 60
EVENTS = 9
PLAIN_EVERY = 10.0
"""Seconds between two lines about the traffic where there is no terminal."""
IN_ORDER = 0.5
"""Seconds for which a line waits for one of before it: Events come later than the status that ends an act."""


class View:
    """A context manager with a thread of its own, which ends with it. `act` says what is played now."""

    def __init__(self, console: Console, scene: Scene) -> None:
        self._console = console
        self._scene = scene
        self._traffic = Traffic()
        self._news: Callable[[], list[Outcome]] | None = None
        self._title = ""
        self._begin = time.time()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="view", daemon=True)
        self._told = 0
        self._weights = 0
        self._waiting: list[tuple[float, str]] = []
        """Lines with the time of what they tell, seconds since the epoch."""

    def __enter__(self) -> View:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def act(self, title: str) -> None:
        """A new act begins."""
        self._title = title
        self._waiting.append((time.time(), f"== {title}"))

    # --- drawing ---------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        if self._console.is_terminal:
            with Live(self._picture(), console=self._console, refresh_per_second=4) as live:
                while not self._ended.wait(0.25):
                    self._read()
                    live.update(self._picture())
            return
        spoken = time.time()
        while not self._ended.wait(0.25):
            self._read()
            if time.time() - spoken >= PLAIN_EVERY and self._traffic.requests:
                spoken = time.time()
                self._waiting.append((spoken, self._traffic.words()))
            self._lines(until=time.time() - IN_ORDER)
        self._lines(until=time.time())

    def _read(self) -> None:
        if self._news is None and self._scene.load is not None:
            self._news = self._scene.load.follow()
        if self._news is not None:
            self._traffic.take(self._news(), time.time())

    def _lines(self, until: float) -> None:
        """Prints what happened until then, in the order of time."""
        self._collect()
        for at, text in sorted(line for line in self._waiting if line[0] <= until):
            self._waiting.remove((at, text))  # in place: `act` appends from another thread
            said = f"{at - self._begin:6.1f} s  {text}"
            self._console.print(said, markup=False, highlight=False, soft_wrap=True)

    def _collect(self) -> None:
        timeline = self._scene.recorder.timeline
        for moment in timeline.weights[self._weights :]:
            shares = ", ".join(f"{self._name(r)} {w}%" for r, w in moment.percent.items())
            self._waiting.append((moment.at, f"   weights  {shares or 'none'}"))
        self._weights = len(timeline.weights)
        for told in timeline.told[self._told :]:
            self._waiting.append((told.at, f"   {told.reason}  {self._named(told.message)}"))
        self._told = len(timeline.told)

    def _picture(self) -> RenderableType:
        head = Text.assemble((f"{time.time() - self._begin:5.0f} s  ", "dim"), (self._title, "bold"))
        return Panel(
            Group(head, Text(), self._bar(), Text(), self._state(), Text(), self._numbers(), Text(), self._events()),
            title="Sluice",
            border_style="cyan",
        )

    def _bar(self) -> RenderableType:
        shares = self._scene.recorder.weights
        bar, words = Text("weights  "), Text("         ")
        for revision, weight in shares.items():
            name = self._name(revision)
            style = STYLES.get(name, "white")
            bar.append("█" * max(1, round(BAR * weight / 100)), style=style)
            words.append(f"{name} ({revision}) {weight}%   ", style=style)
        return Group(bar, words)

    def _state(self) -> RenderableType:
        recorder = self._scene.recorder
        table = Table.grid(padding=(0, 2))
        for kind in ("Reconciling", "Stalled"):
            status, reason, message = recorder.condition(kind)
            if status == "True":
                style = "red" if kind == "Stalled" else "cyan"
                table.add_row(Text(reason, style=style), Text(self._named(message)[:110]))
        for check in recorder.status.get("checks", ()):
            styles = {"Fail": "bold red", "Undecided": "green", "Certified": "bold green"}
            style = styles.get(check["verdict"], "yellow")
            words = f"{check.get('message', '')} ({check.get('evidence', '')})"
            table.add_row(Text(f"{check['name']}: {check['verdict']}", style=style), Text(words[:110]))
        return table

    def _numbers(self) -> RenderableType:
        table = Table(box=None, padding=(0, 3), pad_edge=False)
        for column in ("last second", "answers/s", "errors/s", "median", "99%"):
            table.add_column(column, justify="left" if column == "last second" else "right")
        for name, second in sorted(self._traffic.recent().items()):
            errors = Text(str(second.errors), style="bold red" if second.errors else "dim")
            table.add_row(
                Text(name or "no version", style=STYLES.get(name, "white")),
                str(second.answers),
                errors,
                f"{1000 * second.quantile(0.5):.0f} ms",
                f"{1000 * second.quantile(0.99):.0f} ms",
            )
        table.add_row("in all", str(self._traffic.requests), str(self._traffic.failures), "", "")
        return table

    def _events(self) -> RenderableType:
        table = Table.grid(padding=(0, 2))
        for told in deque(self._scene.recorder.timeline.told, maxlen=EVENTS):
            style = "red" if told.type == "Warning" else "default"
            table.add_row(
                Text(f"{told.at - self._begin:5.0f} s", style="dim"),
                Text(told.reason, style=style),
                Text(self._named(told.message)[:120]),
            )
        return table

    def _name(self, revision: str) -> str:
        return self._scene.versions.get(revision, revision)

    def _named(self, message: str) -> str:
        """The revision's version beside its hash: people remember v3, not 9c51e2d0."""
        for revision, version in self._scene.versions.items():
            message = message.replace(f"revision {revision}", f"{version} ({revision})")
        return message
