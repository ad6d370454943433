"""Which cluster runs on this machine, and how to reach it.

The record is written before the first thing is started, so that a killed run is found by the next one,
also by one of another checkout.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Record:
    """checkout: whose cluster it is. ports: service name -> loopback port, filled once the forwarder runs.
    processes: daemon name -> (pid, start time in clock ticks since boot); both together name one process for good.
    """

    checkout: str
    ports: dict[str, int] = dataclasses.field(default_factory=dict)
    processes: dict[str, tuple[int, int]] = dataclasses.field(default_factory=dict)
    ready: bool = False

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".new")
        draft.write_text(json.dumps(dataclasses.asdict(self), indent=2))
        draft.replace(path)


def read_record(path: Path) -> Record | None:
    """The record at `path`, or None when no cluster was started since the machine was."""
    try:
        raw = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    return Record(
        checkout=raw["checkout"],
        ports=raw["ports"],
        processes={name: (pid, started) for name, (pid, started) in raw["processes"].items()},
        ready=raw["ready"],
    )
