"""Prometheus answers, but badly, in the middle of rollouts: not knowing is not failing, and it all goes on after it.

A Prometheus that is gone or hangs altogether: test_sight.py.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial

import pytest

from sluice_dev.cluster import Cluster
from sluice_dev.scene.deployments import CHECKS, Step
from sluice_dev.scene.legal import wrong_weights
from sluice_dev.scene.scene import Scene
from sluice_dev.scene.spoiled import Spoiled, spoiled
from sluice_dev.scene.timeline import seconds

pytestmark = [pytest.mark.e2e, pytest.mark.alone]
Play = Callable[..., Scene]
RATE, BOUND = 30, 900
STEP = Step(20, seconds=25, samples=50)
"""Longer than it takes to spoil what it rests on."""
SPOILED = {
    "slow": "did not answer|took longer",
    "unavailable": "503",
    "empty": "no fresh metrics of it",
    "nan": "is no number",
    "partial": "store-2 did not answer",
}
"""How the answers are spoiled -> what the operator says of it."""
COUNTED = re.compile(r"([0-9]+) of ([0-9]+) requests failed")


@pytest.fixture(scope="module")
def store(cluster: Cluster) -> Iterator[Spoiled]:
    """The store that the operator asks."""
    with spoiled(cluster) as one:
        yield one


def serving_v1(play: Play) -> tuple[Scene, str]:
    """Given: v1 serves; a stage that is not left soon, and a blindDeadline that a test can wait for."""
    scene = play(steps=(STEP,), more={"analysis": {"blindDeadline": "8s", "checks": list(CHECKS)}})
    stable = scene.apply("v1")
    scene.serving(stable)
    return scene, stable


def test_spoiled_answers_take_the_traffic_back_and_reject_nobody(play: Play, store: Spoiled) -> None:
    """Two rollouts meet them one after the other. One candidate is bad: while the last is spoiled it begins to fail."""
    (good_one, good_stable), (bad_one, bad_stable) = serving_v1(play), serving_v1(play)
    good_one.start_load(RATE, BOUND)
    # Without requests it does nothing wrong, and does not leave its stage.
    bad = bad_one.apply("v3")
    good = good_one.apply("v2")

    for rounds, (way, words) in enumerate(SPOILED.items(), start=1):
        bad_one.recorder.wait(f"v3 has traffic before it is {way}", partial(has_traffic, bad_one, bad), 120)
        good_one.recorder.wait(f"v2 has traffic before it is {way}", partial(has_traffic, good_one, good), 120)
        with store.spoil(way):
            assert good_one.recorder.stable == good_stable, f"v2 was promoted before it was {way}"
            if rounds == len(SPOILED):
                bad_one.start_load(RATE, BOUND)
            blinded(good_one, good_stable, good, words)
            blinded(bad_one, bad_stable, bad, words)
        good_one.recorder.wait(f"the stage starts again after {way}", partial(restarted, good_one, good, rounds), 90)

    rejection = bad_one.rejected(bad, 90)
    good_one.serving(good, 180)

    assert rejection["reason"] == "CheckFailed"
    assert bad_one.recorder.stable == bad_stable
    assert good_one.recorder.outcome(good) == "Promoted"
    assert wrong_weights(good_one.recorder.timeline, good_stable, good, (20,)) == []
    assert wrong_weights(bad_one.recorder.timeline, bad_stable, bad, (20,), seconds(rejection["at"])) == []


def restarted(scene: Scene, candidate: str, times: int) -> bool:
    """It was given its traffic anew so often."""
    return sum(candidate in moment.percent for moment in scene.recorder.timeline.weights) > times


def has_traffic(scene: Scene, revision: str) -> bool:
    """The route gives it some."""
    return revision in scene.recorder.weights


def blinded(scene: Scene, stable: str, candidate: str, words: str) -> None:
    """Its traffic goes back, Event and condition say why, and it is neither promoted nor rejected."""
    recorder, said = scene.recorder, re.compile(words)
    recorder.wait(f"the traffic is back: {words}", lambda: recorder.weights == {stable: 100}, 60)
    recorder.wait(f"an Event says {words}", lambda: any(said.search(m) for m in recorder.events("Blind")), 10)
    recorder.wait(f"the condition says {words}", lambda: waits_for_sight(scene), 30)
    recorder.stays(
        "it waits for sight", lambda: recorder.weights == {stable: 100} and recorder.candidate == candidate, 5
    )
    assert recorder.rejected(candidate) is None
    assert recorder.stable == stable


def waits_for_sight(scene: Scene) -> bool:
    """Reconciling says that it is about the metrics."""
    truth, reason, _ = scene.recorder.condition("Reconciling")
    return truth == "True" and reason in ("WaitingForSight", "Blind")


def test_two_replicas_with_different_clocks_count_once(play: Play, store: Spoiled) -> None:
    """They answer in turns, 7 s apart: the good one is promoted on what it did once, the bad one is rejected."""
    with ExitStack() as stack:
        (scene, stable), (bad_scene, bad_stable) = serving_v1(play), serving_v1(play)
        stack.enter_context(store.spoil("replicas"))
        load = scene.start_load(RATE, BOUND)
        bad_scene.start_load(RATE, BOUND)
        good, bad = scene.apply("v2"), bad_scene.apply("v3")
        rejection = bad_scene.rejected(bad, 120)
        scene.serving(good, 180)
        load.stop()

    assert rejection["reason"] == "CheckFailed"
    assert bad_scene.recorder.stable == bad_stable
    assert not scene.recorder.events("Blind")
    answered = sorted(outcome.end for outcome in load.outcomes() if outcome.version == "v2")
    for at, counted in counts(scene, good):
        assert counted <= sum(end <= at for end in answered)
    assert wrong_weights(scene.recorder.timeline, stable, good, (20,)) == []


def counts(scene: Scene, candidate: str) -> list[tuple[float, int]]:
    """(when it was told, requests of the candidate that are evidence) of each status of its rollout."""
    found = []
    for at, status in scene.recorder.timeline.statuses:
        if status.get("candidate", {}).get("revision") == candidate:
            for check in status.get("checks", ()):
                if told := COUNTED.search(check.get("message", "")):
                    found.append((at, int(told[2])))
    assert found, "no status told how many requests were counted"
    return found
