"""How is a load started inside the node's network namespace, watched while it runs, and stopped?"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import orjson

from sluice_dev.cluster import Cluster
from sluice_dev.load.effort import EFFORT_SUFFIX, Effort
from sluice_dev.load.outcome import Outcome, follow_outcomes, read_outcomes

STOP_SECONDS = 20.0
"""Longer than the 10 s that a request may take."""


class LoadFailed(Exception):
    """The load generator ended by itself or did not end when told to."""


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """path, host: of each request. bodies: a file with a request body per line. rate: requests/s. seconds: bound.

    out: where the outcomes go; what is there is replaced.
    """

    path: str
    host: str
    bodies: Path
    rate: float
    seconds: float
    out: Path


class Load:
    """A running load. A context manager: leaving it stops the load."""

    def __init__(self, cluster: Cluster, plan: LoadPlan, gateway: tuple[str, int]) -> None:
        """gateway: address and port inside the node's namespace."""
        self._plan = plan
        plan.out.parent.mkdir(parents=True, exist_ok=True)
        plan.out.unlink(missing_ok=True)
        self._log = plan.out.with_suffix(".log")
        with self._log.open("wb") as log:
            self._process: subprocess.Popen[Any] = cluster.node_exec(
                _argv(plan, gateway), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def __enter__(self) -> Load:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(STOP_SECONDS)

    def follow(self) -> Callable[[], list[Outcome]]:
        """Outcomes since the call before, from the load's beginning on, for one reader: each has a place of its own.

        A call raises LoadFailed if the generator is gone before it was stopped.
        """
        written = follow_outcomes(self._plan.out)

        def news() -> list[Outcome]:
            self.check()
            return written()

        return news

    def check(self) -> None:
        """Raises LoadFailed, with the generator's words, if it ended before it was stopped."""
        if self._process.poll() is not None:
            raise LoadFailed(
                f"the load ended with status {self._process.returncode}; its bound is {self._plan.seconds:g} s: "
                f"{self._log.read_text()[-2000:]}"
            )

    def stop(self) -> Effort:
        """Ends it cleanly: requests under way are waited for. Raises LoadFailed."""
        self._process.terminate()
        try:
            status = self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired as late:
            self._process.kill()
            self._process.wait()
            raise LoadFailed(f"the load did not end within {STOP_SECONDS:g} s") from late
        if status != 0:
            raise LoadFailed(f"the load ended with status {status}: {self._log.read_text()[-2000:]}")
        return self.effort()

    def outcomes(self) -> list[Outcome]:
        """All requests so far, in the order in which they were due."""
        return sorted(read_outcomes(self._plan.out), key=lambda outcome: outcome.number)

    def effort(self) -> Effort:
        """How the generator itself did; only after its end."""
        return Effort(**orjson.loads(self._plan.out.with_suffix(self._plan.out.suffix + EFFORT_SUFFIX).read_bytes()))


def _argv(plan: LoadPlan, gateway: tuple[str, int]) -> list[str]:
    address, port = gateway
    options = {
        "--address": address,
        "--port": str(port),
        "--path": plan.path,
        "--host": plan.host,
        "--bodies": str(plan.bodies),
        "--rate": f"{plan.rate:g}",
        "--seconds": f"{plan.seconds:g}",
        "--out": str(plan.out),
        "--parent": str(os.getpid()),
    }
    program = [sys.executable, "-m", "sluice_dev.load", *(word for pair in options.items() for word in pair)]
    # It needs a tenth of a core, but on time: what it sends late looks like a slow server. Without the right to it
    # `nice` says so and goes on.
    return ["nice", "-n", "-5", *program]
