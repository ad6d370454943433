"""Sluice is taken away as docs/how-to/install.md says: with its models, or so that they go on serving without it."""

from collections.abc import Callable, Iterator

import pytest
from rich.console import Console

from sluice_dev.cluster import Cluster
from sluice_dev.cluster.layout import Layout
from sluice_dev.demo.prepare import prepare
from sluice_dev.scene.install import NAMESPACE as OPERATOR_NAMESPACE
from sluice_dev.scene.install import OVERLAY, OWN_OVERLAY
from sluice_dev.scene.scene import Scene

pytestmark = [pytest.mark.e2e, pytest.mark.alone]
Play = Callable[..., Scene]
RATE, BOUND = 20.0, 600.0
ANSWERS = 100
"""Five seconds of requests: what deletes the children of a deleted owner takes less than one."""
WIDE = "customresourcedefinitions,clusterroles,clusterrolebindings"
OF_SLUICE = "app.kubernetes.io/part-of=sluice"


def serving_v1(scene: Scene) -> str:
    """Given: v1 serves, under load."""
    stable = scene.apply("v1")
    scene.serving(stable)
    scene.start_load(RATE, BOUND)
    return stable


def delete_all(cluster: Cluster, scene: Scene, *flags: str) -> None:
    """The documented command, in one namespace."""
    where = ("-n", scene.flight.namespace, "--timeout=60s")
    cluster.kubectl("delete", "modeldeployments", "--all", *where, *flags)


def pod_ids(scene: Scene) -> set[str]:
    """Its pods, each a different one after a restart by its Deployment."""
    return {pod["metadata"]["uid"] for pod in scene.recorder.pods()}


def serves_by_itself(scene: Scene, stable: str, pods: set[str]) -> None:
    """Then: no request fails, the pods are the same, and its objects have no owner any more."""
    answers = scene.answers(ANSWERS)
    assert [outcome for outcome in answers if outcome.failed] == []
    assert {outcome.version for outcome in answers} == {"v1"}
    assert pod_ids(scene) == pods
    namespace, name = scene.flight.namespace, scene.flight.name
    revision = f"{name}-{stable}"
    for kind, child in (("Deployment", revision), ("Service", revision), ("Service", name), ("HTTPRoute", name)):
        metadata = scene.api.get(kind, namespace, child)["metadata"]
        assert "ownerReferences" not in metadata
        assert "deletionTimestamp" not in metadata


def test_orphaned_children_go_on_serving(play: Play, cluster: Cluster) -> None:
    """`--cascade=orphan`: the ModelDeployment goes, what it made stays as it is, and the operator lets it be."""
    scene = play()
    stable = serving_v1(scene)
    pods = pod_ids(scene)

    delete_all(cluster, scene, "--cascade=orphan")
    scene.recorder.wait("the ModelDeployment is gone", lambda: not scene.recorder.resource, 30)

    serves_by_itself(scene, stable, pods)
    assert [moment.percent for moment in scene.recorder.timeline.weights] == [{stable: 100}]


@pytest.fixture
def install() -> Iterator[Callable[[], None]]:
    """`install()`: Sluice again, as the set-up of these tests does it; also after the test, whatever happens."""

    def again() -> None:
        prepare(Layout.here(), Console())

    yield again
    again()


def test_uninstall_and_install_again(play: Play, cluster: Cluster, install: Callable[[], None]) -> None:
    """Of Sluice nothing stays, and of its models those that were orphaned; installed again it works as before.

    Whatever other ModelDeployments the cluster has (the demo's) go with their CRD.
    """
    kept, gone = play(), play()
    stable, _ = serving_v1(kept), serving_v1(gone)
    pods = pod_ids(kept)

    delete_all(cluster, kept, "--cascade=orphan")
    delete_all(cluster, gone)
    gone.recorder.wait("nothing of it is left", lambda: not gone.leftovers(), 120)
    folder = Layout.here().checkout / (OVERLAY if cluster.embedded else OWN_OVERLAY)
    # The namespace takes what is in it away while kubectl still goes through the list.
    cluster.kubectl("delete", "-k", str(folder), "--ignore-not-found", "--timeout=240s", timeout=260)

    assert cluster.kubectl("get", WIDE, "-l", OF_SLUICE, "-o", "name") == ""
    assert kept.api.find("Namespace", "", OPERATOR_NAMESPACE) is None
    serves_by_itself(kept, stable, pods)

    install()
    gone.serving(gone.apply("v1"))
    serves_by_itself(kept, stable, pods)
