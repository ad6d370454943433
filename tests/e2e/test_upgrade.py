"""Another image of the operator takes over, which renders pods differently."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from sluice_dev.cluster import Cluster
from sluice_dev.cluster.layout import Layout
from sluice_dev.images import IMAGES, build_archives
from sluice_dev.scene.api import Api, Object
from sluice_dev.scene.deployments import Step
from sluice_dev.scene.next_version import ANNOTATION, REFERENCE, VALUE, write_next_version
from sluice_dev.scene.operators import image_of, leader, of_image, pods
from sluice_dev.scene.recorder import restarts
from sluice_dev.scene.scene import Scene

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


@pytest.fixture
def next_version(cluster: Cluster, tmp_path: Path) -> str:
    """An image in the cluster whose operator renders pods with one annotation more; its reference."""
    [built] = build_archives(Layout.here(), [IMAGES["operator"]], lambda _: None)
    archive = tmp_path / "next.tar"
    write_next_version(built.path, archive)
    cluster.load_image(archive)
    archive.unlink()
    return REFERENCE


def test_upgrade_restarts_no_pod_and_starts_no_rollout(
    play: Play, cluster: Cluster, api: Api, next_version: str
) -> None:
    """It takes over one that serves and one in the middle of a stage; only what is new is rendered by it."""
    rolling, resting = play(steps=LONG), play(steps=LONG)
    stable, idle = serving_v1(rolling), resting.apply("v1")
    resting.serving(idle)
    candidate = rolling.apply("v2")
    rolling.recorder.wait("v2 has traffic", lambda: candidate in rolling.recorder.weights, 90)
    before = {scene: (pod_ids(scene), templates(scene), rollouts(scene)) for scene in (rolling, resting)}

    with of_image(cluster, next_version):
        rolling.recorder.wait("the next version leads", lambda: led_by(api) == next_version, 60)
        for scene in (rolling, resting):
            # A change that concerns no revision: its observation tells that the new operator has looked at the object.
            scene.api.patch(
                "ModelDeployment", scene.flight.namespace, scene.flight.name, {"spec": {"scaleDownDelay": "7s"}}
            )
        for scene in (rolling, resting):
            scene.recorder.wait("the new operator has looked", partial(looked, scene), 60)
        rolling.recorder.stays(
            "v2 keeps its share", lambda: rolling.recorder.weights == {stable: 80, candidate: 20}, 10
        )

        assert resting.recorder.weights == {idle: 100}
        for scene, was in before.items():
            assert (pod_ids(scene), templates(scene), rollouts(scene)) == was
            assert sum(restarts(pod) for pod in scene.recorder.pods()) == 0
        assert rolling.recorder.candidate == candidate
        assert not resting.recorder.candidate

        # Without this the test would prove nothing: a new revision is rendered differently, the old one is not.
        new = f"{resting.flight.name}-{resting.apply('v2')}"
        resting.recorder.wait("the next version makes pods", lambda: new in templates(resting), 60)
        rendered = templates(resting)
        assert rendered.pop(new)["metadata"]["annotations"][ANNOTATION] == VALUE
        assert rendered == before[resting][1]
        assert all(ANNOTATION not in template["metadata"].get("annotations", {}) for template in rendered.values())


def led_by(api: Api) -> str:
    """Image of the operator that leads; empty if none does."""
    name = leader(api)
    return next((image_of(pod) for pod in pods(api) if pod["metadata"]["name"] == name), "")


def looked(scene: Scene) -> bool:
    """The status belongs to the spec."""
    return bool(scene.recorder.status.get("observedGeneration") == scene.recorder.resource["metadata"]["generation"])


def pod_ids(scene: Scene) -> set[str]:
    """Its pods, each a different one after a restart by its Deployment."""
    return {pod["metadata"]["uid"] for pod in scene.recorder.pods()}


def templates(scene: Scene) -> dict[str, Object]:
    """Pod templates by Deployment."""
    found = scene.api.list("Deployment", scene.flight.namespace)
    return {item["metadata"]["name"]: item["spec"]["template"] for item in found}


def rollouts(scene: Scene) -> int:
    """How often one was begun."""
    return len(scene.recorder.events("RolloutStarted"))
