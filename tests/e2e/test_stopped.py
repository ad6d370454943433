"""The leader is stopped for half a minute, as on a hung machine, and wakes up."""

import time
from collections.abc import Callable

import pytest

from sluice_dev.cluster import Cluster
from sluice_dev.scene.api import Api
from sluice_dev.scene.deployments import Step
from sluice_dev.scene.freeze import frozen
from sluice_dev.scene.legal import wrong_weights
from sluice_dev.scene.operators import leader, metrics, pods, value
from sluice_dev.scene.recorder import restarts
from sluice_dev.scene.scene import Scene
from sluice_dev.scene.timeline import seconds

pytestmark = [pytest.mark.e2e, pytest.mark.alone]
Play = Callable[..., Scene]
RATE, BOUND = 30.0, 400.0
LONG = (Step(20, seconds=300, samples=5000), Step(60))


def serving_v1(scene: Scene) -> str:
    """Given: v1 serves, under load."""
    stable = scene.apply("v1")
    scene.serving(stable)
    scene.start_load(RATE, BOUND)
    return stable


def test_stopped_leader_wakes_up_and_raises_nothing(play: Play, cluster: Cluster, api: Api) -> None:
    """SIGSTOP for 30 s as v3 gets its traffic; the standby takes it back; SIGCONT: the weight stays 0."""
    scene = play(steps=LONG)
    stable = serving_v1(scene)
    scene.recorder.wait("there is a leader", lambda: leader(api), 30)
    name = leader(api)
    [pod] = [pod for pod in pods(api) if pod["metadata"]["name"] == name]

    bad = scene.apply("v3")
    scene.recorder.wait("v3 has traffic", lambda: bad in scene.recorder.weights, 90)
    begin = time.monotonic()
    with frozen(pod, "operator"):
        rejection = scene.rejected(bad, 60)
        assert leader(api) not in ("", name)
        scene.recorder.wait("it was stopped for 30 s", lambda: time.monotonic() - begin >= 30, 35)

    scene.recorder.wait(
        "it answers again", lambda: value(metrics(cluster, name), "sluice_operator_polls_total") > 0, 20
    )
    scene.recorder.stays("all traffic is v1's", lambda: scene.recorder.weights == {stable: 100}, 6)
    assert value(metrics(cluster, name), "sluice_operator_leader") == 0
    assert [restarts(p) for p in pods(api) if p["metadata"]["name"] == name] == [restarts(pod)]
    assert scene.recorder.outcome(bad) == "RolledBack"
    assert wrong_weights(scene.recorder.timeline, stable, bad, (20, 60), seconds(rejection["at"])) == []
