"""Does an operator that is killed every 20 s judge as one that is left alone, and count each request once?

Both replicas are killed at once (SIGKILL), so that no memory is left: all evidence is read again each time.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from sluice_dev.bench.evidence import counted_part, counted_twice, told_counts
from sluice_dev.bench.figures import Result, Target, spread
from sluice_dev.bench.kept import Kept, programs_key
from sluice_dev.bench.side_by_side import side_by_side
from sluice_dev.cluster import Cluster
from sluice_dev.load.accesslog import AccessLog, GatewayRequest
from sluice_dev.scene.api import Api
from sluice_dev.scene.deployments import Flight, Step
from sluice_dev.scene.killer import Killer
from sluice_dev.scene.legal import wrong_weights
from sluice_dev.scene.operators import Succession
from sluice_dev.scene.recorder import NotInTime
from sluice_dev.scene.scene import Scene
from sluice_dev.scene.timeline import Timeline, seconds

NAMESPACES = tuple(f"bench-killed-{number}" for number in range(1, 5))
RATE = 50.0
"""Requests/s of each namespace."""
REPLICAS = 3
STEPS = (Step(20, seconds=30, samples=100), Step(33, seconds=30, samples=200))
WEIGHTS = [step.weight for step in STEPS]
CHECKS = ({"name": "errors", "type": "Rate", "rate": {"versusStable": {}}},)
ANALYSIS = {"checks": list(CHECKS), "evidenceDeadline": "60s", "onDeadline": "Promote"}
MORE = {"scaleDownDelay": "2s", "analysis": ANALYSIS}
BASE, WORSE = 0.01, 0.12
KINDS: Final = {"good": (BASE, "Promoted"), "bad": (WORSE, "RolledBack")}
"""Kind of candidate -> share of its answers that fail, and how it must end."""
EVERY_SECONDS = 20.0
UNDER_WAY_SECONDS = 5.0
"""A scrape of stable that a rollout begins in the middle of counts as a whole: two intervals, and a busy machine."""
ROLLOUTS = 20
LIMIT_SECONDS = 900
LOAD_SECONDS = 7000


@dataclass(frozen=True, slots=True)
class Rollout:
    """kind: a key of KINDS. kills: of the operator while it went on. twice: what was counted that the gateway has not
    logged, in words. counted: part of the candidate's requests that were evidence when it was last told. evidence: in
    words, at the end."""

    kind: str
    disturbed: bool
    outcome: str
    kills: int
    seconds: float
    counted: float
    evidence: str
    twice: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """It ended as its kind must."""
        return self.outcome == KINDS[self.kind][1]


@dataclass(frozen=True, slots=True)
class Task:
    """number: makes its revision one that never was. kind: a key of KINDS."""

    number: int
    kind: str
    disturbed: bool


TASKS = (
    *(Task(number, kind, disturbed=False) for number, kind in enumerate(KINDS, start=1)),
    *(Task(101 + number, list(KINDS)[number % len(KINDS)], disturbed=True) for number in range(ROLLOUTS)),
)
"""One of each kind that nobody disturbs, then the others."""


def run(cluster: Cluster, index: dict[str, Any], models: Path, out: Path, console: Console) -> Result:
    """Two rollouts that nobody disturbs and 20 under kills, about 20 minutes; goes on where it was broken off."""
    kept = Kept(out.with_suffix(".kept"), programs_key())
    done = [Rollout(**one) for one in kept.rounds]
    left = remaining(done)
    if done and left:
        console.print(f"{len(done)} of {len(TASKS)} were played before", highlight=False)

    def ended(one: Rollout) -> None:
        done.append(one)
        kept.add(asdict(one))
        summary(done).write(out.with_suffix(".json"))
        words = "; ".join([f"{one.counted:.0%} of its requests counted", one.evidence, *one.twice, *one.wrong])
        console.print(f"{one.kind}: {one.outcome} in {one.seconds:.0f} s, {one.kills} kills; {words}", highlight=False)

    with ExitStack() as stack:
        acts = []
        for namespace in NAMESPACES[: len(left)]:
            flight = Flight(namespace, index, replicas=REPLICAS, steps=STEPS, more=MORE)
            scene = stack.enter_context(Scene(cluster, flight, models, out.with_name(f"{namespace}.jsonl")))
            scene.clear()
            acts.append(Act(scene, scene.access_log()))
        for act, stable in [(act, _apply(act.scene, "good", 0)) for act in acts]:
            act.scene.serving(stable, LIMIT_SECONDS)
            act.scene.start_load(RATE, LOAD_SECONDS)
        for one in side_by_side(acts, [task for task in left if not task.disturbed], Act.play):
            ended(one)
        with Killer(Api(cluster.kubeconfig), EVERY_SECONDS) as killer, Succession(Api(cluster.kubeconfig)):
            for act in acts:
                act.kills = killer.moments
            for one in side_by_side(acts, [task for task in left if task.disturbed], Act.play):
                ended(one)
        for act in acts:
            act.scene.clear()
    kept.forget()
    return summary(done)


def remaining(done: Sequence[Rollout]) -> list[Task]:
    """The tasks but as many of each sort as have been played."""
    played = [(one.kind, one.disturbed) for one in done]
    left = []
    for task in TASKS:
        sort = (task.kind, task.disturbed)
        if sort in played:
            played.remove(sort)
        else:
            left.append(task)
    return left


def _apply(scene: Scene, kind: str, number: int) -> str:
    return scene.apply("v1", faults={"error_share": KINDS[kind][0], "seed": number})


@dataclass(slots=True)
class Act:
    """A scene on which one rollout after the other is played. kills: moments, seconds since the epoch; it grows.

    logged: what the gateway's log told lately.
    """

    scene: Scene
    log: AccessLog
    kills: Sequence[float] = ()
    logged: list[GatewayRequest] = field(default_factory=list)

    def logged_since(self, moment: float) -> list[GatewayRequest]:
        """Requests that began then or later. What began earlier is forgotten. moment: seconds since the epoch."""
        self.logged = [request for request in (*self.logged, *self.log.read()) if request.start >= moment]
        return self.logged

    def play(self, task: Task) -> Rollout:
        recorder, begin = self.scene.recorder, time.time()
        stable, first = recorder.stable, max(0, len(recorder.timeline.weights) - 1)
        self.logged_since(begin - UNDER_WAY_SECONDS)
        revision = _apply(self.scene, task.kind, task.number)
        outcome = "NotEnded"
        with suppress(NotInTime):
            recorder.wait("the rollout ends", lambda: recorder.outcome(revision), LIMIT_SECONDS)
            outcome = recorder.outcome(revision)
        end = time.time()
        # The gateway's log is at most 0.1 s behind; a second later nothing of this rollout can still be missing.
        recorder.wait("the gateway's log is complete", lambda: time.time() >= end + 1, 5)
        requests = self.logged_since(begin - UNDER_WAY_SECONDS)
        rejection = recorder.rejected(revision)
        told = told_counts(recorder.timeline, revision, rejection)
        at = seconds(rejection["at"]) if rejection else None
        weights = Timeline(weights=recorder.timeline.weights[first:])
        return Rollout(
            task.kind,
            task.disturbed,
            outcome,
            kills=sum(begin <= moment <= end for moment in self.kills),
            seconds=round(end - begin, 1),
            counted=counted_part(told, requests, revision),
            evidence=rejection["message"] if rejection else "",
            twice=counted_twice(told, requests, revision, stable),
            wrong=wrong_weights(weights, stable, revision, WEIGHTS, at),
        )


def summary(rollouts: Sequence[Rollout]) -> Result:
    """The figures of these rollouts beside their targets."""
    killed = [one for one in rollouts if one.disturbed]
    return Result(
        "Rollouts whose operator is killed every 20 s",
        [
            Target("rollouts under kills", len(killed), ROLLOUTS, least=True),
            Target("rollouts that no kill met", sum(not one.kills for one in killed), 0),
            Target("undisturbed ones that ended otherwise than they must", _ended_otherwise(rollouts, False), 0),
            Target("those under kills that ended otherwise", _ended_otherwise(rollouts, True), 0),
            Target("times that more was counted than the gateway logged", sum(len(one.twice) for one in rollouts), 0),
            Target("wrong weights", sum(len(one.wrong) for one in rollouts), 0),
        ],
        {
            "kills": sum(one.kills for one in killed),
            "seconds, undisturbed": spread([one.seconds for one in rollouts if not one.disturbed]),
            "seconds under kills, good": spread([one.seconds for one in killed if one.kind == "good"]),
            "seconds under kills, bad": spread([one.seconds for one in killed if one.kind == "bad"]),
            "least part counted": min((one.counted for one in rollouts), default=0.0),
            "rollouts": [asdict(one) for one in rollouts],
        },
    )


def _ended_otherwise(rollouts: Sequence[Rollout], disturbed: bool) -> int:
    return sum(one.disturbed is disturbed and not one.good for one in rollouts)
