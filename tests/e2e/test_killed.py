"""The operator is killed between two actions: rollouts end as they would have, no weight is ever wrong."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from sluice_dev.cluster import Cluster
from sluice_dev.scene.api import Api
from sluice_dev.scene.deployments import Step
from sluice_dev.scene.legal import wrong_weights
from sluice_dev.scene.operators import Succession, configured, leaderless, pods
from sluice_dev.scene.outage import stopped
from sluice_dev.scene.recorder import restarts
from sluice_dev.scene.scene import Scene
from sluice_dev.scene.timeline import seconds

pytestmark = [pytest.mark.e2e, pytest.mark.alone]
Play = Callable[..., Scene]
RATE, BOUND = 30.0, 400.0
SHORT = (Step(20, seconds=3, samples=10), Step(60, seconds=3, samples=10))
LONG = (Step(20, seconds=300, samples=5000), Step(60))
MARKER = "/tmp/failpoint"  # noqa: S108 - in the operator's container


def serving_v1(scene: Scene) -> str:
    """Given: v1 serves, under load."""
    stable = scene.apply("v1")
    scene.serving(stable)
    scene.start_load(RATE, BOUND)
    return stable


@pytest.fixture
def operator_with(cluster: Cluster) -> Iterator[Callable[[dict[str, str], int], None]]:
    """`operator_with(settings, replicas)`: the operator with more environment; as it was after the test."""
    with ExitStack() as stack:

        def begin(settings: dict[str, str], replicas: int) -> None:
            stack.enter_context(configured(cluster, settings, replicas))

        yield begin


DANGEROUS = ",".join(
    [
        "before-*-apply-HTTPRoute#1",  # the first of both rollouts
        "after-*-apply-HTTPRoute#1",  # a weight is on the route that no status tells of
        "after-*-apply-HTTPRoute#3",
        "after-*-apply-HTTPRoute#4",
        "before-*-mark",  # traffic was taken back, the revision's record does not tell yet
        "after-*-mark",
        "after-*-announce-RolledBack",
        "after-*-announce-Promoted",  # all traffic is the candidate's, and the status still calls it one
        "before-status#9",
    ]
)


def test_killed_at_the_most_dangerous_boundaries(
    play: Play, api: Api, operator_with: Callable[[dict[str, str], int], None]
) -> None:
    """One operator, killed at nine boundaries of a promotion and a rollback that go on at once."""
    scenes = {version: play(steps=SHORT) for version in ("v2", "v3")}
    stables = {version: serving_v1(scene) for version, scene in scenes.items()}
    operator_with({"SLUICE_FAILPOINT": DANGEROUS, "SLUICE_FAILPOINT_MARKER": MARKER}, 1)

    with Succession(api) as succession:
        revisions = {version: scene.apply(version) for version, scene in scenes.items()}
        scenes["v3"].rejected(revisions["v3"], 200)
        scenes["v2"].serving(revisions["v2"], 200)

    assert scenes["v2"].recorder.outcome(revisions["v2"]) == "Promoted"
    assert scenes["v3"].recorder.outcome(revisions["v3"]) == "RolledBack"
    assert succession.deaths >= 8
    for version, scene in scenes.items():
        rejection = scene.recorder.rejected(revisions[version])
        at = seconds(rejection["at"]) if rejection else None
        assert wrong_weights(scene.recorder.timeline, stables[version], revisions[version], (20, 60), at) == []


def test_killed_between_route_and_status_while_prometheus_is_gone(
    play: Play, cluster: Cluster, api: Api, operator_with: Callable[[dict[str, str], int], None]
) -> None:
    """The route alone tells the verdict then, and the next operator has no metrics to find it again."""
    scene = play(steps=LONG)
    stable = serving_v1(scene)
    operator_with({"SLUICE_FAILPOINT": "after-*-apply-HTTPRoute#2", "SLUICE_FAILPOINT_MARKER": MARKER}, 1)

    bad = scene.apply("v3")
    scene.recorder.wait("v3 has traffic", lambda: bad in scene.recorder.weights, 90)
    scene.recorder.wait("the traffic is back", lambda: scene.recorder.weights == {stable: 100}, 60)
    with ExitStack() as blindness:
        # Its next life could look Prometheus up before that is gone.
        with leaderless(api):
            blindness.enter_context(stopped(cluster))
            assert scene.recorder.rejected(bad) is None, "the operator wrote the status before it was killed"
        rejection = scene.rejected(bad, 60)
        assert rejection["reason"] == "RolledBack"
        assert scene.recorder.events("RolledBack")
        scene.recorder.stays("all traffic is v1's", lambda: scene.recorder.weights == {stable: 100}, 5)

    assert sum(restarts(pod) for pod in pods(api)) == 1
    assert scene.recorder.outcome(bad) == "RolledBack"
    assert scene.recorder.stable == stable
    assert wrong_weights(scene.recorder.timeline, stable, bad, (20, 60), seconds(rejection["at"])) == []
