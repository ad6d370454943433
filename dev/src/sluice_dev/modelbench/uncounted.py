"""The model server with counting taken out, to see what counting costs: `python -m ... DIR PORT`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from sluice_model_server import serve
from sluice_model_server.metrics import Metrics
from sluice_model_server.settings import Settings

_KEPT = ("model", "render")


def _nothing(*_: Any, **__: Any) -> None:
    """Instead of counting."""


if __name__ == "__main__":
    for name, member in list(vars(Metrics).items()):
        if callable(member) and not name.startswith("_") and name not in _KEPT:
            setattr(Metrics, name, _nothing)
    serve.serve(Path(sys.argv[1]), int(sys.argv[2]), Settings())
