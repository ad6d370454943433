"""A spec without checks: errors and latency compared with stable, promoted on certificates only."""

from collections.abc import Callable

import pytest

from sluice_dev.scene.deployments import Step
from sluice_dev.scene.scene import Scene

pytestmark = pytest.mark.e2e
Play = Callable[..., Scene]
RATE = 60.0
DELAY = {"delay_seconds": 0.02, "delay_sigma": 0.5}
"""Answers as a model would give them: on a busy machine those of a tiny one are mostly the machine's."""
FIVE_MINUTES = 300
"""Of stable's answers, without its own warm-up, are needed before a slow-down can be told."""


def test_taken_back_by_errors_and_promoted_on_certificates(play: Play) -> None:
    """One that fails a fifth of its requests goes at once; one as good as stable is promoted once both are sure."""
    scene = play(steps=(Step(50, seconds=5, samples=100),), more={"analysis": {}, "progressDeadline": "20m"})
    stable = scene.apply("v1", faults=DELAY)
    scene.serving(stable)
    scene.start_load(RATE, 2400)

    bad = scene.apply("v2", faults={**DELAY, "error_share": 0.2})
    rejection = scene.rejected(bad, 150)
    assert rejection["reason"] == "CheckFailed"
    assert "check errors failed" in rejection["message"]
    assert "stable" in rejection["message"]

    good = scene.apply("v2", faults=DELAY)
    scene.serving(good, 2 * FIVE_MINUTES + 600)

    assert scene.recorder.outcome(good) == "Promoted"
    told = [
        {check["name"]: check["verdict"] for check in status["checks"]}
        for _, status in scene.recorder.timeline.statuses
        if status.get("candidate", {}).get("revision") == good and status.get("checks")
    ]
    assert {"errors": "Certified", "latency": "Certified"} in told
    assert {"errors": "Undecided", "latency": "Undecided"} in told
    assert [moment.percent for moment in scene.recorder.timeline.weights] == [
        {stable: 100},
        {stable: 50, bad: 50},
        {stable: 100},
        {stable: 50, good: 50},
        {good: 100},
    ]
