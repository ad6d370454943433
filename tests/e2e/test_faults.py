"""Accidents of one ModelDeployment that are nobody's fault: beside other tests."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from sluice_dev.cluster import Cluster
from sluice_dev.scene.deployments import Step
from sluice_dev.scene.scene import Scene

pytestmark = pytest.mark.e2e
Play = Callable[..., Scene]


def test_evicted_candidate_is_not_rejected(play: Play, cluster: Cluster) -> None:
    """Its pod is evicted twice under weight, as by a node's drain: no exit is counted, and it is promoted."""
    scene = play(steps=(Step(20, seconds=6, samples=20),))
    stable = scene.apply("v1")
    scene.serving(stable)
    scene.start_load(30, 300)
    good = scene.apply("v2")

    for _ in range(2):
        scene.recorder.wait("v2 has traffic", lambda: good in scene.recorder.weights, 90)
        standing = [pod for pod in scene.recorder.pods(good) if "deletionTimestamp" not in pod["metadata"]]
        assert standing
        for pod in standing:
            evict(cluster, scene.flight.namespace, pod["metadata"]["name"])
        scene.recorder.wait("its traffic is back at v1", lambda: scene.recorder.weights == {stable: 100}, 60)

    scene.serving(good, 150)
    assert max(status.get("candidate", {}).get("exitsUnderWeight", 0) for _, status in told(scene)) == 0
    assert scene.recorder.status["history"][0]["outcome"] == "Promoted"
    assert not scene.recorder.status.get("rejected")


def told(scene: Scene) -> list[tuple[float, dict[str, Any]]]:
    """Every status that was seen."""
    return scene.recorder.timeline.statuses


def evict(cluster: Cluster, namespace: str, pod: str) -> None:
    """As `kubectl drain` does it, through the Eviction API."""
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod, "namespace": namespace},
    }
    where = f"/api/v1/namespaces/{namespace}/pods/{pod}/eviction"
    cluster.kubectl("create", "--raw", where, "-f", "-", input=json.dumps(eviction))
