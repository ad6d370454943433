"""Checks on the gateway's own counts: what a server that hangs never tells."""

from collections.abc import Callable

import pytest

from sluice_dev.scene.deployments import Step
from sluice_dev.scene.scene import Scene

pytestmark = pytest.mark.e2e
Play = Callable[..., Scene]
RATE = 30.0
BOUND = 300.0
REACHED = {"name": "reached", "type": "Rate", "rate": {"source": "Gateway", "max": "5%"}}
HANGS = {"delay_seconds": 60.0}
"""Longer than a gateway or a client waits. Probes and scrapes are answered all the while."""


def serving_v1(scene: Scene) -> str:
    """Given: v1 serves, under load."""
    stable = scene.apply("v1")
    scene.serving(stable)
    scene.start_load(RATE, BOUND)
    return stable


def test_hanging_candidate_is_rolled_back(play: Play) -> None:
    """No request to it is answered in time. The gateway's check is its only one, so what is named does not depend on
    how the server counts what it was not allowed to finish."""
    scene = play(steps=(Step(20, seconds=120, samples=1000), Step(60)), checks=(REACHED,))
    stable = serving_v1(scene)

    hanging = scene.apply("v2", faults=HANGS)
    rejection = scene.rejected(hanging, 150)

    assert rejection["reason"] == "CheckFailed"
    assert rejection["message"].startswith("check reached failed: ")
    shares = [moment.percent for moment in scene.recorder.timeline.weights]
    assert shares == [{stable: 100}, {stable: 80, hanging: 20}, {stable: 100}]


def test_answering_candidate_is_promoted(play: Play) -> None:
    """Seen, counted and certified by the gateway's counts alone."""
    scene = play(checks=(REACHED,))
    serving_v1(scene)

    good = scene.apply("v2")
    scene.serving(good, 240)

    assert scene.recorder.rejected(good) is None
    assert scene.recorder.status["history"][0]["outcome"] == "Promoted"
