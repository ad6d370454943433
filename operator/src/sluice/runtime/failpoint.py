"""Kills the operator at chosen boundaries between two actions, for tests that ask what a crash there leaves behind."""

import os
import signal
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Point:
    """pattern: of boundaries' names, `after-*-apply-HTTPRoute`. turn: kills at the turn-th time it is reached."""

    pattern: str
    turn: int = 1

    @classmethod
    def parse(cls, text: str) -> "Point":
        """`pattern` or `pattern#turn`. Raises ValueError for a turn that is no number."""
        pattern, _, turn = text.partition("#")
        return cls(pattern.strip(), int(turn or 1))

    def matches(self, reached: str) -> bool:
        """Is it one of this point's boundaries?"""
        return fnmatchcase(reached, self.pattern)


class Failpoint:
    """Callable with the name of each boundary that is reached.

    points: comma-separated, `after-*-apply-HTTPRoute#2, before-status`; None: never kills.
    marker: notes what was reached, a line each, before a kill; read again after a restart, so a point kills once.
        None: turns are counted from the start of the process.
    """

    def __init__(self, points: str | None, marker: Path | None) -> None:
        self._points = tuple(Point.parse(text) for text in (points or "").split(",") if text.strip())
        self._marker = marker
        self._reached = marker.read_text(encoding="utf-8").splitlines() if marker and marker.exists() else []
        if self._points:
            log.warning("SLUICE_FAILPOINT is set: this process kills itself; for tests only", points=points)

    def __call__(self, reached: str) -> None:
        """Kill this process, as the kernel would, if this is a point and its turn."""
        points = [point for point in self._points if point.matches(reached)]
        if not points:
            return
        self._note(reached)
        if any(point.turn == self._turn(point) for point in points):
            os.kill(os.getpid(), signal.SIGKILL)
            # Still here: the first process of a container cannot be killed from inside it (pid_namespaces(7)). Leaving
            # at once is the same to everybody else: no cleanup, connections closed by the kernel.
            os._exit(128 + signal.SIGKILL)

    def _note(self, reached: str) -> None:
        self._reached.append(reached)
        if self._marker:
            with self._marker.open("a", encoding="utf-8") as lines:
                lines.write(reached + "\n")

    def _turn(self, point: Point) -> int:
        return sum(point.matches(name) for name in self._reached)
