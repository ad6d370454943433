"""The model server with counting taken out, to see what counting costs: `python -m ... DIR PORT`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from sluice_model_server.metrics import Metrics
from sluice_model_server.observer import Observer
from sluice_model_server.profile import Profile
from sluice_model_server.serve import serve
from sluice_model_server.settings import Settings


class NoObserver(Observer):
    """Counts nothing."""

    def observe(self, rows: Any, prediction: Any) -> None:
        """Nothing."""


class NoMetrics(Metrics):
    """Counts nothing."""

    def watch(self, profile: Profile | None, classes: tuple[Any, ...] | None) -> Observer:
        return NoObserver(profile, classes)

    def predicted(self, rows: int) -> None:
        """Nothing."""

    def started(self) -> None:
        """Nothing."""

    def answered(self, code: int, seconds: float, *, mirrored: bool = False) -> None:
        """Nothing."""


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]), Settings(), NoMetrics())
