"""What is shown while somebody waits: a page that redraws itself, lines, or JSON."""

import json
from datetime import datetime
from types import TracebackType
from typing import Protocol

from rich.console import Console
from rich.live import Live
from rich.text import Text

from sluice.cli.rollout import Rollout
from sluice.cli.show.document import document
from sluice.cli.show.line import line
from sluice.cli.show.page import page


class View(Protocol):
    """A context manager. `show` may be called as often as time passes; `end` prints what must stay."""

    def __enter__(self) -> "View": ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def show(self, rollout: Rollout, now: datetime) -> None: ...

    def lost(self, message: str) -> None: ...

    def end(self, rollout: Rollout, now: datetime) -> None: ...


class LivePage:
    """For a terminal: the page, drawn anew in its place. It stays as it was last."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, auto_refresh=False, vertical_overflow="crop")

    def __enter__(self) -> "LivePage":
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, rollout: Rollout, now: datetime) -> None:
        self._live.update(page(rollout, now), refresh=True)

    def lost(self, message: str) -> None:
        self._live.update(Text(f"{message}\ntrying again ...", style="yellow"), refresh=True)

    def end(self, rollout: Rollout, now: datetime) -> None:
        self.show(rollout, now)


class Lines:
    """For a log: a line with the time whenever something changed, and the page at the end."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last = Text()

    def __enter__(self) -> "Lines":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def show(self, rollout: Rollout, now: datetime) -> None:
        said = line(rollout, now)
        if said != self._last:
            self._last = said
            self._console.print(Text(f"{now.astimezone():%H:%M:%S}  ").append(said), soft_wrap=True)

    def lost(self, message: str) -> None:
        said = Text(f"{message}; trying again", style="yellow")
        if said != self._last:
            self._last = said
            self._console.print(said, soft_wrap=True)

    def end(self, rollout: Rollout, now: datetime) -> None:
        self._console.print()
        self._console.print(page(rollout, now))


class Documents(Lines):
    """For programs: a JSON document per change, each on a line of its own; or only the last one.

    every: False leaves out all but the last.
    """

    def __init__(self, console: Console, *, every: bool) -> None:
        super().__init__(console)
        self._every = every
        self._told: object = None

    def show(self, rollout: Rollout, now: datetime) -> None:
        if self._every and rollout != self._told:
            self._told = rollout
            self._write(rollout, now)

    def lost(self, message: str) -> None:
        return None

    def end(self, rollout: Rollout, now: datetime) -> None:
        if not self._every:
            self._write(rollout, now)

    def _write(self, rollout: Rollout, now: datetime) -> None:
        self._console.file.write(json.dumps(document(rollout, now)) + "\n")
        self._console.file.flush()
