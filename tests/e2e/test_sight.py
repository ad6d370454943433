"""Prometheus hangs in the middle of rollouts: nothing is promoted, nothing is rejected for it, all goes on after it."""

from collections.abc import Callable
from typing import Any

import pytest

from sluice_dev.scene.api import Api
from sluice_dev.scene.deployments import Step
from sluice_dev.scene.freeze import frozen
from sluice_dev.scene.legal import wrong_weights
from sluice_dev.scene.scene import Scene
from sluice_dev.scene.timeline import seconds

pytestmark = [pytest.mark.e2e, pytest.mark.alone]
Play = Callable[..., Scene]


def test_hung_prometheus_good_and_bad_candidate(play: Play, api: Api) -> None:
    """Both are withdrawn after blindDeadline and wait; with sight the good one is promoted, the bad one rejected."""
    good_one, bad_one = (play(steps=(Step(20, seconds=25, samples=50),)) for _ in range(2))
    scenes = (good_one, bad_one)
    stables = {}
    for scene in scenes:
        stables[scene] = scene.apply("v1")
    for scene in scenes:
        scene.serving(stables[scene])
        scene.start_load(30, 400)
    [prometheus] = api.list("Pod", "monitoring", "app=prometheus")

    good = good_one.apply("v2", analysis=short_sighted(good_one))
    good_one.recorder.wait("v2's pods run", lambda: good_one.recorder.pods(good), 60)
    bad = bad_one.apply("v3", analysis=short_sighted(bad_one))
    for scene, revision in ((good_one, good), (bad_one, bad)):
        scene.recorder.wait("it has traffic", lambda s=scene, r=revision: r in s.recorder.weights, 90)
    assert good_one.recorder.status.get("history", [{}])[0].get("revision") != good, "v2 was promoted too early"

    with frozen(prometheus, "prometheus"):
        for scene in scenes:
            scene.recorder.wait("the traffic is back", lambda s=scene: s.recorder.weights == {stables[s]: 100}, 60)
            scene.recorder.wait("it says why", lambda s=scene: s.recorder.events("Blind"), 10)
            scene.recorder.wait("the condition says why", lambda s=scene: waits_for_sight(s), 30)
        for scene, revision in ((good_one, good), (bad_one, bad)):
            assert scene.recorder.rejected(revision) is None
            assert scene.recorder.candidate == revision
            assert scene.recorder.stable == stables[scene]

    rejection = bad_one.rejected(bad, 90)
    good_one.serving(good, 120)

    assert rejection["reason"] == "CheckFailed"
    assert good_one.recorder.events("StageRestarted")
    assert good_one.recorder.status["history"][0]["outcome"] == "Promoted"
    assert wrong_weights(good_one.recorder.timeline, stables[good_one], good, (20,)) == []
    assert wrong_weights(bad_one.recorder.timeline, stables[bad_one], bad, (20,), seconds(rejection["at"])) == []


def short_sighted(scene: Scene) -> dict[str, Any]:
    """Its checks, with a blindDeadline that a test can wait for."""
    return {"blindDeadline": "8s", "checks": list(scene.flight.checks)}


def waits_for_sight(scene: Scene) -> bool:
    """Reconciling names what is missing, and Prometheus' silence."""
    truth, reason, message = scene.recorder.condition("Reconciling")
    return truth == "True" and reason in ("WaitingForSight", "Blind") and "rometheus" in message
