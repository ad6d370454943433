"""The five acts of the demo: what is applied, and what must come of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from sluice_dev.scene.scene import Scene

PROMOTION_SECONDS = 150
ROLLBACK_SECONDS = 150
QUIET_SECONDS = 12
"""How long a rejected revision that was applied again is watched: a rollout would have begun after less than one."""


@dataclass(frozen=True, slots=True)
class Act:
    """One act as it was played. begin, end: seconds since the epoch."""

    version: str
    revision: str
    title: str
    begin: float
    end: float


Announce = Callable[[str], None]


def first(scene: Scene, announce: Announce) -> Act:
    """v1: the first revision gets all traffic as soon as it is ready. The load starts after it."""
    title = "v1 serves"
    announce(title)
    begin = time.time()
    revision = scene.apply("v1")
    scene.serving(revision)
    return Act("v1", revision, title, begin, time.time())


def promoted(scene: Scene, announce: Announce) -> Act:
    """v2: a better model goes through the canary steps and becomes stable."""
    title = "v2 is better: promoted in steps"
    announce(title)
    begin = time.time()
    revision = scene.apply("v2")
    scene.serving(revision, PROMOTION_SECONDS)
    return Act("v2", revision, title, begin, time.time())


def rolled_back(scene: Scene, announce: Announce, version: str, title: str) -> Act:
    """A bad version gets some traffic and loses it again, for good."""
    announce(title)
    begin = time.time()
    revision = scene.apply(version)
    scene.rejected(revision, ROLLBACK_SECONDS)
    return Act(version, revision, title, begin, time.time())


def applied_again(scene: Scene, announce: Announce) -> Act:
    """v3 once more, as a GitOps tool would: it stays rejected and gets no request."""
    title = "v3 applied again: stays rejected"
    announce(title)
    begin = time.time()
    revision = scene.apply("v3")
    scene.recorder.wait(
        "Stalled says that v3 was rejected",
        lambda: scene.recorder.condition("Stalled")[:2] == ("True", "Rejected"),
        30,
    )
    quiet_until = time.time() + QUIET_SECONDS
    scene.recorder.wait(
        "the rejected revision is left alone",
        lambda: time.time() >= quiet_until or revision in scene.recorder.weights,
        QUIET_SECONDS + 5,
    )
    return Act("v3", revision, title, begin, time.time())
