"""Another operator takes over, which would render pods differently."""

import json
from collections.abc import Callable, Iterator

import pytest

from sluice_dev.cluster import Cluster
from sluice_dev.scene.api import Object
from sluice_dev.scene.deployments import Step
from sluice_dev.scene.install import NAMESPACE as OPERATOR_NAMESPACE
from sluice_dev.scene.operators import configured
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
def runtime_row(cluster: Cluster) -> Iterator[Callable[[], None]]:
    """`runtime_row()` changes how pods of the runtime sluice-sklearn are rendered; as it was after the test."""
    where, key = ("configmap", "sluice-runtimes", "-n", OPERATOR_NAMESPACE), "sluice-sklearn.yaml"
    row = cluster.get(*where)["data"][key]

    def write(text: str) -> None:
        cluster.kubectl("patch", *where, "--type=merge", "-p", json.dumps({"data": {key: text}}))

    yield lambda: write(f"{row.rstrip()}\nenv: {{SLUICE_RENDERED: differently}}\n")
    write(row)


def test_upgrade_restarts_no_pod_and_starts_no_rollout(
    play: Play, cluster: Cluster, runtime_row: Callable[[], None]
) -> None:
    """A new operator that would render pods differently takes over one that serves and one in the middle of a stage."""
    rolling, resting = play(steps=LONG), play(steps=LONG)
    stable, idle = serving_v1(rolling), resting.apply("v1")
    resting.serving(idle)
    candidate = rolling.apply("v2")
    rolling.recorder.wait("v2 has traffic", lambda: candidate in rolling.recorder.weights, 90)
    before = {scene: (pod_ids(scene), deployments(scene), events(scene)) for scene in (rolling, resting)}

    runtime_row()
    with configured(cluster, {"SLUICE_LOG_LEVEL": "DEBUG"}):
        for scene in (rolling, resting):
            # A change that concerns no revision: its observation tells that the new operator has looked at the object.
            scene.api.patch(
                "ModelDeployment", scene.flight.namespace, scene.flight.name, {"spec": {"scaleDownDelay": "7s"}}
            )
        for scene in (rolling, resting):
            scene.recorder.wait("the new operator has looked", lambda s=scene: looked(s), 60)
        rolling.recorder.stays(
            "v2 keeps its share", lambda: rolling.recorder.weights == {stable: 80, candidate: 20}, 10
        )

    assert resting.recorder.weights == {idle: 100}
    for scene, was in before.items():
        assert (pod_ids(scene), deployments(scene), events(scene)) == was
        assert sum(restarts(pod) for pod in scene.recorder.pods()) == 0
    assert rolling.recorder.candidate == candidate
    assert not resting.recorder.candidate


def looked(scene: Scene) -> bool:
    """The status belongs to the spec."""
    return bool(scene.recorder.status.get("observedGeneration") == scene.recorder.resource["metadata"]["generation"])


def pod_ids(scene: Scene) -> set[str]:
    """Its pods, each a different one after a restart by its Deployment."""
    return {pod["metadata"]["uid"] for pod in scene.recorder.pods()}


def deployments(scene: Scene) -> dict[str, Object]:
    """Pod templates by Deployment."""
    found = scene.api.list("Deployment", scene.flight.namespace)
    return {item["metadata"]["name"]: item["spec"]["template"] for item in found}


def events(scene: Scene) -> int:
    """How often a rollout was begun."""
    return len(scene.recorder.events("RolloutStarted"))
