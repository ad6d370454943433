"""Checks that are queries of the user's own, on a real Prometheus."""

from collections.abc import Callable
from typing import Any

import pytest

from sluice_dev.scene.api import Object
from sluice_dev.scene.deployments import Step
from sluice_dev.scene.scene import Scene

pytestmark = pytest.mark.e2e
Play = Callable[..., Scene]
RATE, BOUND = 30, 400
STEP = Step(20, seconds=5, samples=20)
ANSWERED = "sum(sluice_requests_total{$(candidate)})"
"""What the candidate has answered: grows while it has traffic."""
LONG_PAST = 12
"""Seconds after which the step would have been left if nothing held it: longer than minDuration and a measurement."""


def serving_v1(scene: Scene) -> str:
    """Given: v1 serves, under load."""
    stable = scene.apply("v1")
    scene.serving(stable)
    scene.start_load(RATE, BOUND)
    return stable


def asks(query: str, **limits: Any) -> dict[str, Any]:
    """An analysis with this check alone, measured each second."""
    check: Object = {"name": "own", "type": "Prometheus", "prometheus": {"query": query, "interval": "1s", **limits}}
    return {"checks": [check]}


def own(scene: Scene) -> dict[str, Any]:
    """What the status says of the check; empty before it says anything."""
    return next((check for check in scene.recorder.status.get("checks", ()) if check["name"] == "own"), {})


def held(scene: Scene, stable: str, candidate: str, verdict: str) -> None:
    """The candidate answered enough for its step, long ago, and keeps its weight: no more and no less."""
    recorder = scene.recorder
    recorder.wait(f"the check says {verdict}", lambda: scene.answered() and own(scene).get("verdict") == verdict, 60)
    scene.answers(2 * 100 * STEP.samples // STEP.weight)
    recorder.stays("it keeps its weight", lambda: recorder.weights == {stable: 80, candidate: 20}, LONG_PAST)
    assert own(scene)["verdict"] == verdict
    assert recorder.rejected(candidate) is None
    assert recorder.condition("Stalled")[0] == "False"


def test_without_a_value_or_with_a_doubtful_one_the_stage_is_held(play: Play) -> None:
    """A query that yields nothing, one whose value lies in the band, and then one that is content: promoted."""
    scene = play(steps=(STEP,))
    stable = serving_v1(scene)
    nothing = asks("sum(clicks_total{$(candidate)})", min="1")
    candidate = scene.apply("v2", analysis=nothing)
    scene.recorder.wait("v2 has traffic", lambda: candidate in scene.recorder.weights, 90)

    held(scene, stable, candidate, "NoData")
    assert not scene.recorder.events("Blind"), "users would be moved to and fro: docs/adr/0008"

    doubtful = asks("count(up{$(candidate)} == 1)", max="5", holdAbove="0")
    assert scene.apply("v2", analysis=doubtful) == candidate
    held(scene, stable, candidate, "Undecided")
    assert own(scene)["measurements"][-1]["outcome"] == "Inconclusive"
    assert own(scene)["message"] == "1, at most 5 allowed"

    content = asks("count(up{$(candidate)} == 1)", max="5")
    assert scene.apply("v2", analysis=content) == candidate
    scene.serving(candidate, 120)
    assert [moment.percent for moment in scene.recorder.timeline.weights] == [
        {stable: 100},
        {stable: 80, candidate: 20},
        {candidate: 100},
    ]


def test_a_failing_query_rolls_back(play: Play) -> None:
    """Two values outside are tolerated, the third is not; the rejection names the check and the value."""
    scene = play(steps=(Step(20, seconds=120, samples=1000), Step(60)))
    stable = serving_v1(scene)
    candidate = scene.apply("v2", analysis=asks(ANSWERED, max="30", failureLimit=2))

    rejection = scene.rejected(candidate, 120)

    assert rejection["reason"] == "CheckFailed"
    assert "check own failed" in rejection["message"]
    assert "at most 30 allowed (3 of 3 failed measurements)" in rejection["message"]
    assert [moment.percent for moment in scene.recorder.timeline.weights] == [
        {stable: 100},
        {stable: 80, candidate: 20},
        {stable: 100},
    ]
