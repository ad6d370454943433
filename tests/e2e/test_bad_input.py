"""What cannot work is said with a reason; what serves goes on serving, and what is not ours is left alone."""

from collections.abc import Callable

import pytest

from sluice_dev.scene.deployments import Step
from sluice_dev.scene.scene import Scene

pytestmark = pytest.mark.e2e
Play = Callable[..., Scene]


def stalled(scene: Scene, reason: str, seconds: float = 60, says: str = "") -> str:
    """Waits for Stalled with a reason and these words in its message; the message."""

    def is_so() -> bool:
        status, because, message = scene.recorder.condition("Stalled")
        return (status, because) == ("True", reason) and says in message

    scene.recorder.wait(f"Stalled/{reason} {says}", is_so, seconds)
    return scene.recorder.condition("Stalled")[2]


def serving_v1(scene: Scene) -> str:
    """Given: v1 serves."""
    stable = scene.apply("v1")
    scene.serving(stable)
    return stable


def only_v1(scene: Scene, stable: str) -> None:
    """Then: nothing but v1 ever had traffic, and it still serves."""
    assert [moment.percent for moment in scene.recorder.timeline.weights] == [{stable: 100}]
    assert scene.recorder.condition("Available")[0] == "True"


def test_image_that_does_not_exist(play: Play) -> None:
    """No weight; after progressDeadline Stalled says what the kubelet says."""
    scene = play(more={"progressDeadline": "20s"})
    stable = serving_v1(scene)

    container = {"name": "model", "image": "sluice.example/none:1"}
    scene.apply("v2", template={"spec": {"containers": [container]}})

    stalled(scene, "NotReadyInTime", 120, says="sluice.example/none:1")
    only_v1(scene, stable)


def test_missing_gateway(play: Play) -> None:
    """The gateway's name is in the message."""
    scene = play()
    gateway = {"parentRefs": [{"name": "nowhere", "namespace": "gateway"}], "hostnames": [scene.flight.host]}
    scene.apply("v1", traffic={"gateway": gateway})
    assert "nowhere" in stalled(scene, "GatewayNotFound")


def test_bad_query(play: Play) -> None:
    """Prometheus refuses it: weight 0, and the check is named."""
    query = {"query": "sum((up", "max": "1", "interval": "2s"}
    scene = play(
        steps=(Step(20, seconds=120),),
        checks=({"name": "broken", "type": "Prometheus", "prometheus": query},),
    )
    stable = serving_v1(scene)
    new = scene.apply("v2")
    message = stalled(scene, "QueryError", 90)
    assert "broken" in message
    assert new not in scene.recorder.weights
    assert scene.recorder.rejected(new) is None
    only_v1(scene, stable)


def test_foreign_service_of_the_same_name(play: Play) -> None:
    """It is not touched, and the conflict is told."""
    scene = play()
    namespace, name = scene.flight.namespace, scene.flight.name
    foreign = scene.api.apply(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"selector": {"app": "something-else"}, "ports": [{"port": 9}]},
        }
    )
    scene.apply("v1")
    assert f"Service {name}" in stalled(scene, "NameConflict")
    now = scene.api.get("Service", namespace, name)
    assert now["metadata"]["resourceVersion"] == foreign["metadata"]["resourceVersion"]


def test_model_with_another_digest(play: Play) -> None:
    """The fetcher refuses it; the pod's own words are in Stalled."""
    scene = play(more={"progressDeadline": "20s"})
    stable = serving_v1(scene)
    wrong = scene.flight.manifest("v2")["spec"]["model"] | {"digest": f"sha256:{'0' * 64}"}
    scene.apply("v2", model=wrong)
    stalled(scene, "NotReadyInTime", 120, says="digest")
    only_v1(scene, stable)
