"""How rollouts end: promoted, rolled back for each reason there is, rejected for good."""

from collections.abc import Callable

import pytest

from sluice.api.names import ANNOTATION_REJECTED, VERB_RETRY
from sluice_dev.scene.deployments import Step
from sluice_dev.scene.recorder import restarts
from sluice_dev.scene.scene import Scene

pytestmark = pytest.mark.e2e
Play = Callable[..., Scene]
RATE = 30.0
BOUND = 300.0
LONG = (Step(20, seconds=120, samples=1000), Step(60))
"""A first step that nothing good or bad leaves by itself within a test."""


def serving_v1(scene: Scene) -> str:
    """Given: v1 serves, under load."""
    stable = scene.apply("v1")
    scene.serving(stable)
    scene.start_load(RATE, BOUND)
    return stable


def shares(scene: Scene) -> list[dict[str, int]]:
    """Every distribution of the traffic that the route ever had."""
    return [moment.percent for moment in scene.recorder.timeline.weights]


def test_promoted_in_steps(play: Play) -> None:
    """A good version walks the steps, becomes stable, and the old one leaves; deletion leaves nothing behind."""
    scene = play()
    old = serving_v1(scene)

    new = scene.apply("v2")
    scene.serving(new)

    assert shares(scene) == [{old: 100}, {old: 80, new: 20}, {old: 40, new: 60}, {new: 100}]
    assert scene.recorder.status["history"][0]["outcome"] == "Promoted"
    assert scene.recorder.condition("Available")[0] == "True"
    assert scene.recorder.condition("Stalled")[0] == "False"
    scene.recorder.wait("the old revision is gone", lambda: not scene.recorder.pods(old), 90)
    service = scene.api.get("Service", scene.flight.namespace, scene.flight.name)
    assert service["spec"]["selector"]["sluice.dev/revision"] == new
    assert all(restarts(pod) == 0 for pod in scene.recorder.pods(new))

    scene.clear()
    assert scene.api.find("HTTPRoute", scene.flight.namespace, scene.flight.name) is None


def test_errors_roll_back_for_good(play: Play) -> None:
    """Half of the answers fail: back within the first step. Applied again it gets nothing; `retry` lets it try."""
    scene = play(steps=LONG)
    stable = serving_v1(scene)
    untouched = {pod["metadata"]["uid"] for pod in scene.recorder.pods(stable)}

    bad = scene.apply("v3")
    rejection = scene.rejected(bad, 90)

    assert rejection["reason"] == "CheckFailed"
    assert "check errors failed" in rejection["message"]
    assert shares(scene) == [{stable: 100}, {stable: 80, bad: 20}, {stable: 100}]
    assert [scene.recorder.condition(c)[0] for c in ("Available", "Ready", "Reconciling")] == ["True", "False", "False"]
    scene.recorder.wait(
        "an Event tells the evidence",
        lambda: any(rejection["message"] in message for message in scene.recorder.events("RolledBack")),
        10,
    )
    name, namespace = scene.flight.name, scene.flight.namespace
    route = scene.api.get("HTTPRoute", namespace, name)
    record = scene.api.get("ControllerRevision", namespace, f"{name}-{bad}")
    assert route["metadata"]["annotations"][ANNOTATION_REJECTED] == bad
    assert record["metadata"]["annotations"][ANNOTATION_REJECTED].startswith("CheckFailed")
    assert {pod["metadata"]["uid"] for pod in scene.recorder.pods(stable)} == untouched

    scene.apply("v1")
    scene.serving(stable)
    seen = len(shares(scene))
    scene.apply("v3")
    scene.recorder.wait(
        "the rejection is told again", lambda: scene.answered() and scene.recorder.condition("Stalled")[0] == "True", 30
    )
    scene.recorder.wait("its pods are gone", lambda: not scene.recorder.pods(bad), 90)
    assert len(shares(scene)) == seen
    assert not scene.recorder.candidate

    scene.annotate(VERB_RETRY, f"{bad}/1")
    scene.recorder.wait("it has traffic again", lambda: bad in scene.recorder.weights, 60)
    scene.rejected(bad, 60)


def test_slow_rolls_back(play: Play) -> None:
    """Every answer takes longer than the objective."""
    scene = play(steps=LONG)
    stable = serving_v1(scene)

    slow = scene.apply("v4")
    rejection = scene.rejected(slow, 90)

    assert rejection["reason"] == "CheckFailed"
    assert "check latency failed" in rejection["message"]
    assert shares(scene) == [{stable: 100}, {stable: 80, slow: 20}, {stable: 100}]


def test_exits_are_rejected_the_second_time(play: Play) -> None:
    """The first exit under live traffic only takes the traffic back; the stage starts again; the second one rejects."""
    scene = play(steps=LONG)
    stable = serving_v1(scene)

    dying = scene.apply("v5", faults={"exit_after": 20})
    rejection = scene.rejected(dying, 120)

    assert rejection["reason"] == "CandidateExited"
    taken_back = {stable: 100}
    assert shares(scene) == [taken_back, {stable: 80, dying: 20}, taken_back, {stable: 80, dying: 20}, taken_back]
    assert len(scene.recorder.events("StageRestarted")) == 1


def test_drained_candidate_is_not_rejected(play: Play) -> None:
    """A candidate's pod that is deleted under weight is nobody's fault: the stage starts again and it is promoted."""
    scene = play(steps=(Step(20, seconds=8, samples=20),))
    serving_v1(scene)
    good = scene.apply("v2")
    scene.recorder.wait("it has traffic", lambda: good in scene.recorder.weights, 90)

    for pod in scene.recorder.pods(good):
        scene.api.delete("Pod", scene.flight.namespace, pod["metadata"]["name"])
    scene.serving(good, 150)

    assert scene.recorder.rejected(good) is None
    assert scene.recorder.status["history"][0]["outcome"] == "Promoted"
