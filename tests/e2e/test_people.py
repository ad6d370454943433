"""What people do while a rollout is under way: change their mind, pause, abort, retry, take it all away."""

import time
from collections.abc import Callable

import pytest

from sluice.api.names import VERB_ABORT, VERB_RETRY
from sluice_dev.scene.deployments import Step
from sluice_dev.scene.scene import Scene

pytestmark = pytest.mark.e2e
Play = Callable[..., Scene]
RATE = 30.0
BOUND = 300.0
HELD = 8.0
"""Seconds for which something is seen not to happen; it would happen after less than half of that."""
LONG = (Step(20, seconds=120, samples=1000), Step(60))
SHORT = {"type": "Canary", "canary": {"steps": [Step(20, seconds=2, samples=10).manifest()]}}


def trying_v2(play: Play) -> tuple[Scene, str, str]:
    """Given: v1 is stable, v2 has its first share of the traffic and would keep it for long. (scene, v1, v2)"""
    scene = play(steps=LONG)
    stable = scene.apply("v1")
    scene.serving(stable)
    scene.start_load(RATE, BOUND)
    candidate = scene.apply("v2")
    scene.recorder.wait("v2 has traffic", lambda: scene.recorder.weights == {stable: 80, candidate: 20}, 90)
    return scene, stable, candidate


def test_newer_spec_supersedes(play: Play) -> None:
    """The newer version starts from the first step; never have three revisions traffic; v1 stays stable till then."""
    scene, stable, old = trying_v2(play)

    new = scene.apply("v4", faults={}, strategy=SHORT)
    scene.recorder.wait("v2 is out", lambda: old not in scene.recorder.weights, 30)
    assert scene.recorder.stable == stable
    scene.serving(new)

    assert [entry["outcome"] for entry in scene.recorder.status["history"][:2]] == ["Promoted", "Superseded"]
    assert scene.recorder.rejected(old) is None
    assert all(len(moment.percent) <= 2 for moment in scene.recorder.timeline.weights)
    assert {stable: 80, new: 20} in [moment.percent for moment in scene.recorder.timeline.weights]


def test_back_at_stable_ends_the_rollout(play: Play) -> None:
    """The spec goes back to what serves: traffic goes back, nothing failed."""
    scene, stable, old = trying_v2(play)

    scene.apply("v1")
    scene.serving(stable, 30)

    assert scene.recorder.weights == {stable: 100}
    assert scene.recorder.status["history"][0]["outcome"] == "Cancelled"
    assert scene.recorder.rejected(old) is None
    assert scene.recorder.condition("Stalled")[0] == "False"


def test_paused_starts_and_raises_nothing(play: Play) -> None:
    """Paused before: no pod of the new version. Paused on the way: the weight stays, and can still be taken back."""
    scene = play(steps=(Step(20, seconds=3, samples=10), Step(60, seconds=3, samples=10)))
    stable = scene.apply("v1")
    scene.serving(stable)
    scene.start_load(RATE, BOUND)

    new = scene.apply("v2", paused=True)
    scene.recorder.wait("it says so", lambda: scene.recorder.condition("Reconciling")[1] == "Paused", 30)
    seen_until(scene, "a pod of v2 while paused", lambda: bool(scene.recorder.pods(new)))

    scene.apply("v2", paused=False)
    scene.recorder.wait("v2 has traffic", lambda: new in scene.recorder.weights, 90)
    scene.apply("v2", paused=True)
    seen_until(scene, "a higher weight while paused", lambda: scene.recorder.weights != {stable: 80, new: 20})

    scene.annotate(VERB_ABORT, f"{new}/1")
    assert scene.rejected(new, 30)["reason"] == "Aborted"


def test_abort_and_retry(play: Play) -> None:
    """`abort` takes the traffic back for good; `retry` lets the same revision start again, up to its promotion."""
    scene, stable, candidate = trying_v2(play)

    scene.annotate(VERB_ABORT, f"{candidate}/1")
    assert scene.rejected(candidate, 30)["reason"] == "Aborted"
    assert scene.recorder.weights == {stable: 100}

    scene.apply("v2", strategy=SHORT)
    scene.annotate(VERB_RETRY, f"{candidate}/1")
    scene.serving(candidate)
    assert [entry["outcome"] for entry in scene.recorder.status["history"][:2]] == ["Promoted", "RolledBack"]


def test_deletion_leaves_nothing(play: Play) -> None:
    """In the middle of a rollout, too."""
    scene, _, _ = trying_v2(play)
    scene.clear()
    assert scene.leftovers() == []


def seen_until(scene: Scene, what: str, happens: Callable[[], bool]) -> None:
    """Looks on for HELD seconds, at every change; fails as soon as it happens."""
    end = time.monotonic() + HELD
    scene.recorder.wait(f"no {what}", lambda: happens() or time.monotonic() >= end, HELD + 5)
    assert not happens(), what
