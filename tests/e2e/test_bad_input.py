"""What cannot work is told as a condition and an Event; what serves goes on serving, what is not ours is left alone."""

import json
from collections.abc import Callable, Iterator

import pytest

from sluice_dev.cluster import Cluster
from sluice_dev.scene.api import Object
from sluice_dev.scene.deployments import Step, revision_of
from sluice_dev.scene.scene import Scene

pytestmark = pytest.mark.e2e
Play = Callable[..., Scene]
RATE, BOUND = 10.0, 400.0
ANSWERS = 20
"""Two seconds of requests."""
GATEWAY_API = "gateway.networking.k8s.io/v1"
PUBLIC: Object = {"name": "public", "namespace": "gateway"}


def serving_v1(scene: Scene) -> str:
    """Given: v1 serves, under load."""
    stable = scene.apply("v1")
    scene.serving(stable)
    scene.start_load(RATE, BOUND)
    return stable


def stalled(scene: Scene, reason: str, seconds: float = 60, says: str = "") -> str:
    """Waits for Stalled with a reason and these words in its message, and for the Event of it; the message."""

    def is_so() -> bool:
        status, because, message = scene.recorder.condition("Stalled")
        return (status, because) == ("True", reason) and says in message

    def warned() -> bool:
        told = scene.recorder.timeline.told
        return any((event.type, event.reason) == ("Warning", reason) and event.message for event in told)

    scene.recorder.wait(f"Stalled/{reason} {says}", is_so, seconds)
    scene.recorder.wait(f"an Event warns of {reason}", warned, 10)
    return scene.recorder.condition("Stalled")[2]


def only_v1(scene: Scene, stable: str) -> None:
    """Then: nothing but v1 ever had traffic, and it still answers."""
    assert {outcome.version for outcome in scene.answers(ANSWERS) if not outcome.failed} == {"v1"}
    assert [moment.percent for moment in scene.recorder.timeline.weights] == [{stable: 100}]
    assert scene.recorder.condition("Available")[0] == "True"


def gateways(scene: Scene) -> list[str]:
    """Names of the Gateways that the route is attached to."""
    route = scene.api.get("HTTPRoute", scene.flight.namespace, scene.flight.name)
    return [ref["name"] for ref in route["spec"]["parentRefs"]]


def through(scene: Scene, *parents: Object) -> Object:
    """spec.traffic with these parentRefs."""
    return {"gateway": {"parentRefs": list(parents), "hostnames": [scene.flight.host]}}


def foreign_service(namespace: str, name: str) -> Object:
    """Somebody else's."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"selector": {"app": "something-else"}, "ports": [{"port": 9}]},
    }


def test_image_that_does_not_exist(play: Play) -> None:
    """No weight; after progressDeadline Stalled says what the kubelet says."""
    scene = play(more={"progressDeadline": "20s"})
    stable = serving_v1(scene)

    container = {"name": "model", "image": "sluice.example/none:1"}
    scene.apply("v2", template={"spec": {"containers": [container]}})

    stalled(scene, "NotReadyInTime", 120, says="sluice.example/none:1")
    only_v1(scene, stable)


def test_model_with_another_digest(play: Play) -> None:
    """The fetcher refuses it; the pod's own words are in Stalled."""
    scene = play(more={"progressDeadline": "20s"})
    stable = serving_v1(scene)

    wrong = scene.flight.manifest("v2")["spec"]["model"] | {"digest": f"sha256:{'0' * 64}"}
    scene.apply("v2", model=wrong)

    stalled(scene, "NotReadyInTime", 120, says="digest")
    only_v1(scene, stable)


@pytest.mark.parametrize(
    ("promql", "words"),
    [
        ("sum((up", "cannot be read"),
        ("sum(up{$(candidate)}) / sum(up)", "the selector up reads other namespaces"),
        ('label_replace(up{$(candidate)}, "a", "", "b", "(")', "Prometheus refuses the query"),
    ],
    ids=["no PromQL", "another namespace", "refused by Prometheus"],
)
def test_bad_query(play: Play, promql: str, words: str) -> None:
    """Weight 0, and the check is named."""
    query = {"query": promql, "max": "1", "interval": "2s"}
    scene = play(
        steps=(Step(20, seconds=120),),
        checks=({"name": "broken", "type": "Prometheus", "prometheus": query},),
    )
    stable = serving_v1(scene)

    new = scene.apply("v2")

    said = stalled(scene, "QueryError", 90)
    assert "broken" in said
    assert words in said
    assert scene.recorder.rejected(new) is None
    only_v1(scene, stable)


@pytest.mark.parametrize(
    ("parent", "reason"),
    [
        ({"name": "nowhere", "namespace": "gateway"}, "GatewayNotFound"),
        ({**PUBLIC, "sectionName": "nowhere"}, "ListenerNotFound"),
    ],
)
def test_missing_gateway_or_listener(play: Play, parent: Object, reason: str) -> None:
    """Moving a serving ModelDeployment to it and on to v2: what is missing is named, v1's route stays as it was."""
    scene = play()
    stable = serving_v1(scene)

    new = scene.apply("v2", traffic=through(scene, parent))

    assert "nowhere" in stalled(scene, reason)
    assert not scene.recorder.pods(new)
    assert gateways(scene) == ["public"]
    only_v1(scene, stable)


@pytest.fixture
def unknown_class(cluster: Cluster) -> Iterator[Callable[[str], str]]:
    """`unknown_class(name)`: a GatewayClass whose controller nobody tried with Sluice; gone after the test."""
    made = []

    def make(name: str) -> str:
        manifest = {
            "apiVersion": GATEWAY_API,
            "kind": "GatewayClass",
            "metadata": {"name": name},
            "spec": {"controllerName": "gateway.example/unheard-of"},
        }
        cluster.kubectl("apply", "-f", "-", input=json.dumps(manifest))
        made.append(name)
        return name

    yield make
    for name in made:
        cluster.kubectl("delete", "gatewayclass", name, "--wait=false")


def own_gateway(scene: Scene, gateway_class: str, name: str, **listener: object) -> None:
    """Given: a Gateway in the scene's namespace."""
    manifest = {
        "apiVersion": GATEWAY_API,
        "kind": "Gateway",
        "metadata": {"name": name, "namespace": scene.flight.namespace},
        "spec": {
            "gatewayClassName": gateway_class,
            "listeners": [{"name": "http", "port": 80, "protocol": "HTTP", **listener}],
        },
    }
    scene.cluster.kubectl("apply", "-f", "-", input=json.dumps(manifest))


def test_gateway_of_an_unknown_controller(play: Play, unknown_class: Callable[[str], str]) -> None:
    """Moving a serving ModelDeployment to it and on to v2: told with the controller's name, v1's route as it was."""
    scene = play()
    own_gateway(scene, unknown_class(scene.flight.namespace), "odd")
    stable = serving_v1(scene)

    new = scene.apply("v2", traffic=through(scene, {"name": "odd"}))

    assert "gateway.example/unheard-of" in stalled(scene, "UnsupportedByGateway")
    assert not scene.recorder.pods(new)
    assert gateways(scene) == ["public"]
    only_v1(scene, stable)


def test_route_that_a_gateway_refuses(play: Play) -> None:
    """A second Gateway that lets nobody attach: its own words are told, v2 gets nothing, the first one goes on."""
    scene = play()
    nobody = {"from": "Selector", "selector": {"matchLabels": {"sluice.example/attaches": "nobody"}}}
    own_gateway(scene, "eg", "narrow", allowedRoutes={"namespaces": nobody})
    stable = serving_v1(scene)

    new = scene.apply("v2", traffic=through(scene, PUBLIC, {"name": "narrow"}))

    message = stalled(scene, "RouteNotAccepted")
    assert "narrow" in message
    assert "NotAllowedByListeners" in message
    assert gateways(scene) == ["public", "narrow"]
    assert scene.recorder.rejected(new) is None
    only_v1(scene, stable)


def test_foreign_service_of_the_same_name(play: Play) -> None:
    """Somebody takes over the Service that is named like the ModelDeployment: it stays theirs, the conflict is told."""
    scene = play()
    stable = serving_v1(scene)
    namespace, name = scene.flight.namespace, scene.flight.name

    theirs = {"metadata": {"labels": None, "ownerReferences": None}, "spec": {"selector": {"app": "something-else"}}}
    foreign = scene.api.patch("Service", namespace, name, theirs)

    assert f"Service {name}" in stalled(scene, "NameConflict")
    assert untouched(scene, foreign)
    only_v1(scene, stable)


def test_foreign_service_of_the_new_revisions_name(play: Play) -> None:
    """It was there first: it is not touched, and v2 gets nothing."""
    scene = play()
    stable = serving_v1(scene)
    name = f"{scene.flight.name}-{revision_of(scene.flight.manifest('v2'))}"
    foreign = scene.api.apply(foreign_service(scene.flight.namespace, name))

    scene.apply("v2")

    assert f"Service {name}" in stalled(scene, "NameConflict")
    assert untouched(scene, foreign)
    only_v1(scene, stable)


def untouched(scene: Scene, foreign: Object) -> bool:
    """Nobody has written it since."""
    metadata = foreign["metadata"]
    now = scene.api.get(foreign["kind"], metadata["namespace"], metadata["name"])
    return bool(now["metadata"]["resourceVersion"] == metadata["resourceVersion"])
