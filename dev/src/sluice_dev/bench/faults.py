"""Do rollouts end as they should when the operator dies? Killed at every boundary, and its leader deleted 30 times."""

from __future__ import annotations

import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from functools import partial
from itertools import count, cycle
from pathlib import Path
from typing import Any

from rich.console import Console

from sluice_dev.bench.figures import Result, Target
from sluice_dev.cluster import Cluster
from sluice_dev.scene.deployments import Flight, Step
from sluice_dev.scene.install import NAMESPACE as OPERATOR_NAMESPACE
from sluice_dev.scene.install import OPERATOR
from sluice_dev.scene.legal import wrong_weights
from sluice_dev.scene.operators import Succession, configured, leader, pods
from sluice_dev.scene.scene import Scene
from sluice_dev.scene.timeline import Timeline, seconds

NAMESPACE = "bench-faults"
RATE = 30.0
STEPS = (Step(20, seconds=3, samples=10), Step(60, seconds=3, samples=10))
WEIGHTS = [step.weight for step in STEPS]
MORE = {"scaleDownDelay": "3s"}
LIMIT_SECONDS = 900
"""For one rollout whose operator is killed dozens of times."""
DELETIONS = 30
MARKER = "/tmp/failpoint"  # noqa: S108 - in the operator's container
ONLY_NOTED = "*#1000000000"
PROMOTED, ROLLED_BACK = "Promoted", "RolledBack"


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

    def rollout(self, wanted: str, fault: str, meanwhile: Callable[[Callable[[], bool]], int]) -> Ended:
        """One rollout with a fault. meanwhile: does the harm until it is told that the rollout is over; its deaths."""
        recorder = self.scene.recorder
        stable, begin = recorder.stable, time.monotonic()
        first = max(0, len(recorder.timeline.weights) - 1)
        seed = {"seed": next(self.seeds)}
        revision = (
            self.scene.apply("v2", faults=seed)
            if wanted == PROMOTED
            else self.scene.apply("v3", faults={"error_share": 0.5, **seed})
        )
        gone = stable if wanted == PROMOTED else revision
        deaths = meanwhile(lambda: bool(_outcome(self.scene, revision)) and not recorder.pods(gone))
        rejection = recorder.rejected(revision)
        weights = Timeline(weights=recorder.timeline.weights[first:])
        at = seconds(rejection["at"]) if rejection else None
        wrong = wrong_weights(weights, stable, revision, WEIGHTS, at)
        if recorder.stable != (revision if wanted == PROMOTED else stable):
            wrong.append(f"stable is {recorder.stable} at the end")
        return Ended(fault, wanted, _outcome(self.scene, revision), time.monotonic() - begin, deaths, wrong)

    def reached(self) -> list[str]:
        """Boundaries that the only operator noted since its pod began."""
        # It may have died at the very end, and be on its way back.
        rollout = ("rollout", "status", f"deployment/{OPERATOR}", "-n", OPERATOR_NAMESPACE, "--timeout=60s")
        self.cluster.kubectl(*rollout)
        [pod] = pods(self.scene.api)
        name = pod["metadata"]["name"]
        return self.cluster.kubectl("exec", "-n", OPERATOR_NAMESPACE, name, "--", "cat", MARKER).split()


def run(cluster: Cluster, index: dict[str, Any], models: Path, out: Path, console: Console) -> Result:
    """About 20 minutes. Raises NotInTime when a rollout comes to no end."""
    flight = Flight(NAMESPACE, index, steps=STEPS, more=MORE)
    ended: list[Ended] = []
    reached: dict[str, list[str]] = {}
    killed: dict[str, list[str]] = {}

    def told(one: Ended) -> None:
        ended.append(one)
        words = f"{one.fault}: {one.outcome} in {one.seconds:.0f} s, {one.deaths} deaths {'; '.join(one.wrong)}"
        console.print(words, highlight=False)

    with Scene(cluster, flight, models, out) as scene:
        scene.clear()
        scene.serving(scene.apply("v1"))
        scene.start_load(RATE, 3600)
        stage = Stage(cluster, scene)
        for wanted in (PROMOTED, ROLLED_BACK):
            with _one_operator(cluster, ONLY_NOTED):
                told(stage.rollout(wanted, f"none ({wanted})", partial(_look_on, scene)))
                reached[wanted] = stage.reached()
            points = points_of(reached[wanted])
            with _one_operator(cluster, ",".join(points)), Succession(scene.api) as succession:
                told(stage.rollout(wanted, f"killed at each boundary ({wanted})", partial(_die, scene, succession)))
                killed[wanted] = fired(points, stage.reached())
        deletions = 0
        choice = random.Random(30)  # noqa: S311 - moments, not secrets
        for wanted in cycle((PROMOTED, ROLLED_BACK)):
            if deletions >= DELETIONS:
                break
            told(stage.rollout(wanted, f"leader deleted ({wanted})", partial(_delete, scene, choice)))
            deletions += ended[-1].deaths
        scene.clear()
    patterns = {pattern for names in reached.values() for pattern in map(pattern_of, names)}
    died_at = {point.partition("#")[0] for points in killed.values() for point in points}
    return Result(
        "Rollouts whose operator dies",
        [
            Target("boundaries at which it was never killed", len(patterns - died_at), 0),
            Target("kills at boundaries", sum(len(points) for points in killed.values()), len(patterns), least=True),
            Target("deletions of the leader", deletions, DELETIONS, least=True),
            Target("rollouts that ended otherwise", sum(not one.good for one in ended), 0),
            Target("wrong weights", sum(len(one.wrong) for one in ended), 0),
        ],
        {"boundaries": sorted(patterns), "killed": killed, "rollouts": [asdict(one) for one in ended]},
    )


def pattern_of(boundary: str) -> str:
    """The boundary whatever its place in the plan: `after-3-apply-Service` -> `after-*-apply-Service`."""
    return re.sub(r"^(before|after)-[0-9]+-", r"\1-*-", boundary)


def points_of(reached: Sequence[str]) -> list[str]:
    """A point for each time that each boundary was reached in an undisturbed rollout.

    What was killed *before* an action is reached once more by the next life: the turns are 1, 3, 5. What was killed
    after it has been done, so the turns are 1, 2, 3.
    """
    turns = Counter(map(pattern_of, reached))
    return [
        f"{pattern}#{2 * turn - 1 if pattern.startswith('before') else turn}"
        for pattern, times in turns.items()
        for turn in range(1, times + 1)
    ]


def fired(points: Sequence[str], reached: Sequence[str]) -> list[str]:
    """The points at which it was killed, by what was noted."""
    turns = [(point, *point.split("#")) for point in points]
    return [point for point, pattern, turn in turns if sum(fnmatchcase(r, pattern) for r in reached) >= int(turn)]


@contextmanager
def _one_operator(cluster: Cluster, points: str) -> Iterator[None]:
    """A single replica: its own note of what was reached is complete."""
    with configured(cluster, {"SLUICE_FAILPOINT": points, "SLUICE_FAILPOINT_MARKER": MARKER}, replicas=1):
        yield


def _outcome(scene: Scene, revision: str) -> str:
    history = scene.recorder.status.get("history", ())
    return next((entry["outcome"] for entry in history if entry["revision"] == revision), "")


def _look_on(scene: Scene, over: Callable[[], bool]) -> int:
    scene.recorder.wait("the rollout is over", over, LIMIT_SECONDS)
    return 0


def _die(scene: Scene, succession: Succession, over: Callable[[], bool]) -> int:
    """The failpoints do it."""
    before = succession.deaths
    scene.recorder.wait("the rollout is over", over, LIMIT_SECONDS)
    return succession.deaths - before


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
