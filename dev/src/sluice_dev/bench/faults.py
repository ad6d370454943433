"""Do rollouts end as they should when the operator dies? Killed at every boundary, and its leader deleted 30 times."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import chain, count, cycle
from pathlib import Path
from typing import Any

from rich.console import Console

from sluice_dev.bench.boundaries import Occurrence, between, fired, occurrences, points_of, spared
from sluice_dev.bench.figures import Result, Target
from sluice_dev.cluster import Cluster
from sluice_dev.cluster.errors import CommandFailed
from sluice_dev.scene.api import Object
from sluice_dev.scene.deployments import Flight, Step
from sluice_dev.scene.freeze import crash
from sluice_dev.scene.install import NAMESPACE as OPERATOR_NAMESPACE
from sluice_dev.scene.legal import wrong_weights
from sluice_dev.scene.operators import Succession, configured, leader, pods
from sluice_dev.scene.recorder import ready
from sluice_dev.scene.scene import Scene
from sluice_dev.scene.timeline import Timeline, seconds

NAMESPACE = "bench-faults"
NAMESPACES = (NAMESPACE,)
RATE = 30.0
STEPS = (Step(20, seconds=3, samples=10), Step(60, seconds=3, samples=10))
WEIGHTS = [step.weight for step in STEPS]
MORE = {"scaleDownDelay": "3s"}
LIMIT_SECONDS = 900
"""For one rollout whose operator is killed dozens of times."""
LOAD_SECONDS = 7000
DELETIONS = 30
ATTEMPTS = 3
"""A kill can keep a rollout from a later boundary: those that no rollout has died at yet get another one."""
STRIKES = 6
"""Losses of one candidate whose operator is killed meanwhile. What a retreat does after its route write is not done
by a successor, so each of its announcements and of its restart's needs a loss of its own."""
MARKER = "/tmp/failpoint"  # noqa: S108 - in the operator's container
ONLY_NOTED = "*#1000000000"
PROMOTED, ROLLED_BACK, SUPERSEDED = "Promoted", "RolledBack", "Superseded"


@dataclass(slots=True)
class Ended:
    """One rollout under faults. wanted, outcome: how it had to end, how it did. wrong: illegal weights, in words."""

    fault: str
    wanted: str
    outcome: str
    seconds: float
    deaths: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return self.outcome == self.wanted


@dataclass(slots=True)
class Stage:
    """The scene, and the means to let revisions that never were roll out on it."""

    cluster: Cluster
    scene: Scene
    seeds: Iterator[int] = field(default_factory=lambda: count(1))

    def apply(self, version: str, faults: Mapping[str, float]) -> str:
        """Asks for a revision that never was."""
        return self.scene.apply(version, faults={**faults, "seed": next(self.seeds)})

    def rollout(
        self, kind: Kind, fault: str, meanwhile: Callable[[Callable[[], bool]], int], strikes: int = 1
    ) -> Ended:
        """One rollout with a fault. meanwhile: does the harm until it is told that the rollout is over; its deaths."""
        recorder = self.scene.recorder
        stable, begin = recorder.stable, time.monotonic()
        first = max(0, len(recorder.timeline.weights) - 1)
        revision = self.apply(kind.version, kind.faults)
        last = kind.struck(self, revision, strikes)
        deaths = meanwhile(
            lambda: bool(recorder.outcome(last)) and len(recorder.pods()) == len(recorder.pods(recorder.stable))
        )
        rejection = recorder.rejected(revision)
        at = seconds(rejection["at"]) if rejection else None
        weights = Timeline(weights=recorder.timeline.weights[first:])
        if last == revision:
            wrong = wrong_weights(weights, stable, revision, WEIGHTS, at)
        else:
            until, since = parted(weights, revision)
            wrong = wrong_weights(until, stable, revision, WEIGHTS) + wrong_weights(since, stable, last, WEIGHTS)
        if recorder.stable != (stable if kind.outcome == ROLLED_BACK else last):
            wrong.append(f"stable is {recorder.stable} at the end")
        return Ended(fault, kind.outcome, recorder.outcome(revision), time.monotonic() - begin, deaths, wrong)

    def reached(self) -> list[str]:
        """Boundaries that the only operator noted since its pod began."""
        answers: list[str] = []

        def told() -> bool:
            [pod] = pods(self.scene.api)
            noted = ("--", "sh", "-c", f"touch {MARKER} && cat {MARKER}")
            try:
                answers.append(self.cluster.kubectl("exec", "-n", OPERATOR_NAMESPACE, pod["metadata"]["name"], *noted))
            except CommandFailed:
                return False  # it died at the very end, and is on its way back
            return True

        self.scene.recorder.wait("the operator's container runs", told, LIMIT_SECONDS)
        return answers[-1].split()


def _let_be(_stage: Stage, revision: str, _strikes: int) -> str:
    return revision


def _lose(stage: Stage, revision: str, strikes: int) -> str:
    """Its server is killed when it has traffic; when it has some again its pod is deleted, and so on.

    Only the first one is an exit of its own: a second would reject it.
    """
    recorder = stage.scene.recorder

    def standing() -> dict[str, Object]:
        return {pod["metadata"]["name"]: pod for pod in recorder.pods(revision) if ready(pod)}

    def exposed() -> bool:
        return bool(recorder.outcome(revision)) or (revision in recorder.weights and bool(standing()))

    def strike(name: str, pod: Object, own: bool) -> None:
        if own:
            crash(pod, "model")
        else:
            stage.scene.api.delete("Pod", NAMESPACE, name)
        recorder.wait("its pod is down", lambda: name not in standing(), 60)

    for number in range(strikes):
        recorder.wait("it has traffic", exposed, LIMIT_SECONDS)
        if recorder.outcome(revision):
            break
        for name, pod in standing().items():
            strike(name, pod, own=number == 0)
    return revision


def _supersede(stage: Stage, revision: str, _strikes: int) -> str:
    """A newer spec as soon as it has traffic; the newer revision."""
    recorder = stage.scene.recorder
    recorder.wait("it has traffic", lambda: revision in recorder.weights, LIMIT_SECONDS)
    return stage.apply("v1", {})


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of rollout.

    outcome: what its history says at the end. struck: what happens to it under way, as often as it is told; returns the
    revision with whose end all is over. window: the first and the last boundary at which the operator is killed; None:
    all of the rollout.
    """

    name: str
    version: str
    outcome: str
    faults: Mapping[str, float] = field(default_factory=dict)
    struck: Callable[[Stage, str, int], str] = _let_be
    window: tuple[Occurrence, Occurrence] | None = None

    def deadly(self, reached: list[str]) -> list[Occurrence]:
        """The boundaries at which the operator is killed, of those that were reached without. Raises NotReached."""
        found = occurrences(reached)
        return between(found, *self.window) if self.window else found


TAKEN_BACK: Occurrence = ("before-*-apply-HTTPRoute", 2)
"""The route's second write: the first gave the candidate its traffic."""
KINDS = (
    Kind("Promoted", "v2", PROMOTED),
    Kind("RolledBack", "v3", ROLLED_BACK, {"error_share": 0.5}),
    # Like a promotion but for what lies between the loss and the stage's new beginning.
    Kind("Retreated", "v2", PROMOTED, struck=_lose, window=(TAKEN_BACK, ("after-*-announce-StageRestarted", 1))),
    # Like a promotion but for what lies between the newer spec and its first traffic.
    Kind("Superseded", "v2", SUPERSEDED, struck=_supersede, window=(TAKEN_BACK, ("after-*-apply-HTTPRoute", 3))),
)


def run(cluster: Cluster, index: dict[str, Any], models: Path, out: Path, console: Console) -> Result:
    """About 30 minutes. Raises NotInTime when a rollout comes to no end, NotReached when one was not what it should."""
    flight = Flight(NAMESPACE, index, steps=STEPS, more=MORE)
    ended: list[Ended] = []
    deadly: dict[str, list[Occurrence]] = {}
    killed: dict[str, list[str]] = {kind.name: [] for kind in KINDS}

    def told(one: Ended) -> None:
        ended.append(one)
        words = f"{one.fault}: {one.outcome} in {one.seconds:.0f} s, {one.deaths} deaths {'; '.join(one.wrong)}"
        console.print(words, highlight=False)

    with Scene(cluster, flight, models, out) as scene:
        scene.clear()
        scene.serving(scene.apply("v1"))
        scene.start_load(RATE, LOAD_SECONDS)
        stage = Stage(cluster, scene)
        # A single replica: its own note of what was reached is complete.
        with configured(cluster, _failpoints(ONLY_NOTED), replicas=1) as change:
            for kind in KINDS:
                before = len(stage.reached())
                told(stage.rollout(kind, f"none ({kind.name})", partial(_look_on, scene)))
                deadly[kind.name] = kind.deadly(stage.reached()[before:])
            for kind in KINDS:
                wanted = deadly[kind.name]
                for _ in range(ATTEMPTS):
                    change(_failpoints(",".join(points := points_of(wanted))))
                    with Succession(scene.api) as succession:
                        fault = f"killed at each boundary ({kind.name})"
                        told(stage.rollout(kind, fault, partial(_die, scene, succession), STRIKES))
                    killed[kind.name] += fired(points, stage.reached())
                    if not (wanted := spared(deadly[kind.name], [*chain(*killed.values())])):
                        break
        deletions = 0
        choice = random.Random(30)  # noqa: S311 - moments, not secrets
        for kind in cycle(KINDS):
            if deletions >= DELETIONS:
                break
            told(stage.rollout(kind, f"leader deleted ({kind.name})", partial(_delete, scene, choice)))
            deletions += ended[-1].deaths
        scene.clear()
    everywhere, kills = [*chain(*deadly.values())], [*chain(*killed.values())]
    patterns = {pattern for pattern, _ in everywhere}
    return Result(
        "Rollouts whose operator dies",
        [
            Target("boundaries at which it was never killed", len(spared(everywhere, kills)), 0),
            Target("kills at boundaries", len(kills), len(patterns), least=True),
            Target("deletions of the leader", deletions, DELETIONS, least=True),
            Target("rollouts that ended otherwise", sum(not one.good for one in ended), 0),
            Target("wrong weights", sum(len(one.wrong) for one in ended), 0),
        ],
        {"boundaries": sorted(patterns), "killed": killed, "rollouts": [asdict(one) for one in ended]},
    )


def parted(timeline: Timeline, revision: str) -> tuple[Timeline, Timeline]:
    """What was seen until a revision first lost its traffic, and from then on; that moment itself is in both."""
    weights, had = timeline.weights, False
    for place, moment in enumerate(weights):
        has = revision in moment.percent
        if had and not has:
            return Timeline(weights=weights[: place + 1]), Timeline(weights=weights[place:])
        had = has
    return timeline, Timeline()


def _failpoints(points: str) -> dict[str, str]:
    return {"SLUICE_FAILPOINT": points, "SLUICE_FAILPOINT_MARKER": MARKER}


def _look_on(scene: Scene, over: Callable[[], bool]) -> int:
    scene.recorder.wait("the rollout is over", over, LIMIT_SECONDS)
    return 0


def _die(scene: Scene, succession: Succession, over: Callable[[], bool]) -> int:
    """The failpoints do it."""
    scene.recorder.wait("the rollout is over", over, LIMIT_SECONDS)
    return succession.deaths


def _delete(scene: Scene, choice: random.Random, over: Callable[[], bool]) -> int:
    """The leader's pod with grace 0, a few seconds after each takes over."""
    deaths = 0
    while not over():
        scene.recorder.wait("there is a leader", lambda: over() or bool(leader(scene.api)), 120)
        moment = time.monotonic() + choice.uniform(0, 5)
        scene.recorder.wait("the next deletion", partial(_due, over, moment), 30)
        if not over() and (name := leader(scene.api)):
            scene.api.delete("Pod", OPERATOR_NAMESPACE, name, grace=0)
            deaths += 1
    return deaths


def _due(over: Callable[[], bool], moment: float) -> bool:
    return over() or time.monotonic() >= moment
