"""Prometheus goes away in the middle of rollouts: none is promoted or rejected for it, and all goes on after it."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import pytest

from sluice_dev.cluster import Cluster
from sluice_dev.scene.deployments import Step
from sluice_dev.scene.legal import wrong_weights
from sluice_dev.scene.outage import hung, stopped
from sluice_dev.scene.scene import Scene
from sluice_dev.scene.timeline import seconds

pytestmark = [pytest.mark.e2e, pytest.mark.alone]
Play = Callable[..., Scene]


@pytest.mark.parametrize("outage", [stopped, hung])
def test_good_and_bad_candidate(
    play: Play, cluster: Cluster, outage: Callable[[Cluster], AbstractContextManager[None]]
) -> None:
    """Both lose their traffic after blindDeadline; with sight the good one is promoted, the bad one rejected."""
    good_one, bad_one = (play(steps=(Step(20, seconds=25, samples=50),)) for _ in range(2))
    scenes = (good_one, bad_one)
    stables = {scene: scene.apply("v1") for scene in scenes}
    for scene in scenes:
        scene.serving(stables[scene])
    good_one.start_load(30, 400)

    # Without requests the bad one does nothing wrong as long as somebody looks.
    bad = bad_one.apply("v3", analysis=short_sighted(bad_one))
    bad_one.recorder.wait("v3 has traffic", lambda: bad in bad_one.recorder.weights, 90)
    good = good_one.apply("v2", analysis=short_sighted(good_one))
    good_one.recorder.wait("v2 has traffic", lambda: good in good_one.recorder.weights, 90)

    with outage(cluster):
        assert good_one.recorder.stable == stables[good_one], "v2 was promoted before anybody was blind"
        bad_one.start_load(30, 400)
        for scene in scenes:
            scene.recorder.wait("the traffic is back", partial(has_all, scene, stables[scene]), 60)
            scene.recorder.wait("it says why", partial(scene.recorder.events, "Blind"), 10)
            scene.recorder.wait("the condition says why", partial(waits_for_sight, scene), 30)
        for scene, revision in ((good_one, good), (bad_one, bad)):
            assert scene.recorder.rejected(revision) is None
            assert scene.recorder.candidate == revision
            assert scene.recorder.stable == stables[scene]

    rejection = bad_one.rejected(bad, 90)
    good_one.serving(good, 180)

    assert rejection["reason"] == "CheckFailed"
    assert bad_one.recorder.stable == stables[bad_one]
    assert good_one.recorder.events("StageRestarted")
    assert good_one.recorder.status["history"][0]["outcome"] == "Promoted"
    assert wrong_weights(good_one.recorder.timeline, stables[good_one], good, (20,)) == []
    assert wrong_weights(bad_one.recorder.timeline, stables[bad_one], bad, (20,), seconds(rejection["at"])) == []


def short_sighted(scene: Scene) -> dict[str, Any]:
    """Its checks, with a blindDeadline that a test can wait for."""
    return {"blindDeadline": "8s", "checks": list(scene.flight.checks)}


def has_all(scene: Scene, revision: str) -> bool:
    """All traffic is a revision's."""
    return scene.recorder.weights == {revision: 100}


def waits_for_sight(scene: Scene) -> bool:
    """Reconciling names what is missing, and Prometheus' silence."""
    truth, reason, message = scene.recorder.condition("Reconciling")
    return truth == "True" and reason in ("WaitingForSight", "Blind") and "rometheus" in message
