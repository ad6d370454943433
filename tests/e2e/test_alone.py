"""What needs the cluster alone: zero loss, and operators killed at random."""

import random
import time
from collections.abc import Callable
from functools import partial

import pytest

from sluice_dev.scene.api import Api
from sluice_dev.scene.deployments import Step
from sluice_dev.scene.install import NAMESPACE as OPERATOR_NAMESPACE
from sluice_dev.scene.recorder import restarts
from sluice_dev.scene.scene import Scene

pytestmark = [pytest.mark.e2e, pytest.mark.alone]
Play = Callable[..., Scene]
STEPS = (Step(10, seconds=5, samples=50), Step(50, seconds=5, samples=50))
OPERATORS = "app.kubernetes.io/name=sluice-operator"
KILLS = 10


def serving_v1(scene: Scene, rate: float) -> str:
    """Given: v1 serves, under load."""
    stable = scene.apply("v1")
    scene.serving(stable)
    scene.start_load(rate, 600)
    return stable


def test_promotion_loses_no_request(play: Play) -> None:
    """200 requests/s, three replicas, half of the requests on new connections: not one fails, no pod starts again."""
    scene = play(replicas=3, steps=STEPS)
    old = serving_v1(scene, 200)
    assert scene.load is not None

    new = scene.apply("v2")
    scene.serving(new)
    scene.recorder.wait("the old revision is gone", lambda: not scene.recorder.pods(old), 90)
    effort = scene.load.stop()

    failed = [outcome for outcome in scene.load.outcomes() if outcome.failed]
    assert not failed, f"{len(failed)} of {effort.requests}, generator late by {effort.max_lag:.2f} s: {failed[:5]}"
    assert sum(restarts(pod) for pod in scene.recorder.pods(new)) == 0


@pytest.mark.parametrize(("version", "outcome"), [("v2", "Promoted"), ("v3", "RolledBack")])
def test_operators_killed_at_random(play: Play, api: Api, version: str, outcome: str) -> None:
    """Its pods are deleted with grace 0 again and again: the rollout ends as it would have, no weight is ever wrong."""
    choice = random.Random(version)
    scene = play(steps=STEPS)
    stable = serving_v1(scene, 30)
    new = scene.apply(version)

    kills = 0
    while kills < KILLS and not ended(scene, new):
        pods = [p for p in api.list("Pod", OPERATOR_NAMESPACE, OPERATORS) if not p["metadata"].get("deletionTimestamp")]
        for pod in pods:
            api.delete("Pod", OPERATOR_NAMESPACE, pod["metadata"]["name"], grace=0)
        kills += 1
        scene.recorder.wait("the next kill", partial(due, scene, new, time.monotonic() + choice.uniform(2, 9)), 15)
    scene.recorder.wait(f"v1 or {version} ends", lambda: ended(scene, new), 240)

    assert scene.recorder.status["history"][0]["outcome"] == outcome
    allowed = [{stable: 100}, {stable: 90, new: 10}, {stable: 50, new: 50}, {new: 100}]
    seen = [moment.percent for moment in scene.recorder.timeline.weights]
    assert all(percent in allowed for percent in seen), seen
    if outcome == "RolledBack":
        assert max(percent.get(new, 0) for percent in seen) == 10
        assert scene.recorder.rejected(new) is not None
    else:
        scene.serving(new, 60)


def due(scene: Scene, revision: str, moment: float) -> bool:
    """It is time, or too late."""
    return time.monotonic() >= moment or ended(scene, revision)


def ended(scene: Scene, revision: str) -> bool:
    """The rollout of this revision is in the history."""
    history = scene.recorder.status.get("history", ())
    return any(entry["revision"] == revision and entry["outcome"] != "Superseded" for entry in history)
