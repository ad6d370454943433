"""What the demo tells where there is no terminal."""

import io
import time
from types import SimpleNamespace
from typing import Any

from rich.console import Console

from sluice_dev.demo.view import View
from sluice_dev.scene.timeline import Told, Weights


def told(reason: str, at: float, words: str = "") -> Told:
    return Told(at, "Normal", reason, f"revision aa {words}")


def test_lines_come_in_the_order_of_what_they_tell_and_whole() -> None:
    """The Event and the weights of the first act are heard of only after the second has begun."""
    out, begin = io.StringIO(), time.time()
    timeline = SimpleNamespace(weights=[], told=[])
    scene: Any = SimpleNamespace(load=None, recorder=SimpleNamespace(timeline=timeline), versions={"aa": "v1"})
    with View(Console(file=out, force_terminal=False, width=80), scene) as view:
        view.act("first")
        ended = time.time()
        while time.time() == ended:
            pass
        view.act("second")
        timeline.told.append(told("Promoted", ended, "x" * 100))
        timeline.weights.append(Weights(begin - 1, {"aa": 100}))
    lines = out.getvalue().splitlines()
    assert [line.split("s  ", 1)[1].split() for line in lines] == [
        ["weights", "v1", "100%"],
        ["==", "first"],
        ["Promoted", "v1", "(aa)", "x" * 100],
        ["==", "second"],
    ]
