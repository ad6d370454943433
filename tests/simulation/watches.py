"""How news of the cluster reaches the operator: in order for each kind, late, sometimes twice, sometimes never."""

from collections.abc import Callable
from random import Random
from typing import Any

from simulation.clockwork import Agenda
from simulation.process import EVERYTHING, Process
from sluice.api import names


class Watches:
    """The watch streams of all processes.

    processes: those that listen now. slow: seconds of delay by kind. lossy: kinds whose events are lost.
    """

    def __init__(self, agenda: Agenda, random: Random, processes: Callable[[], list[Process]]) -> None:
        self._agenda = agenda
        self._random = random
        self._processes = processes
        self._next: dict[tuple[str, str], float] = {}
        self.slow: dict[str, float] = {}
        self.lossy: set[str] = set()
        self.repeating = False

    def heard(self, change: str, kind: str, obj: dict[str, Any]) -> None:
        """The API server has an event."""
        labels = obj["metadata"].get("labels") or {}
        if kind in ("Event", "Lease") or kind in self.lossy:
            return
        if kind not in EVERYTHING and labels.get(names.LABEL_MANAGED_BY) != names.MANAGED_BY:
            return
        for process in self._processes():
            delay = self._random.uniform(0.002, 0.02) + self.slow.get(kind, 0.0)
            at = max(self._next.get((process.name, kind), 0.0), self._agenda.now + delay)
            self._next[process.name, kind] = at
            self._deliver(process, at, change, kind, obj)
            if self.repeating and self._random.random() < 0.3:
                self._deliver(process, at + 0.5, change, kind, obj)

    def _deliver(self, process: Process, at: float, change: str, kind: str, obj: dict[str, Any]) -> None:
        self._agenda.at(at, lambda: process.told(change, kind, obj))
