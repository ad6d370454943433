"""How often is a candidate taken back that is as good as stable? Both fail 1%, pods are cold, 8 rollouts at once."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from scipy.special import bdtrc, betaincinv

from sluice.api.v1alpha1 import Analysis
from sluice_dev.bench.figures import Result, Target, spread
from sluice_dev.bench.kept import Kept, programs_key
from sluice_dev.bench.side_by_side import side_by_side
from sluice_dev.cluster import Cluster
from sluice_dev.scene.deployments import Flight, Step
from sluice_dev.scene.recorder import NotInTime
from sluice_dev.scene.scene import Scene

NAMESPACES = tuple(f"bench-healthy-{number}" for number in range(1, 9))
ROLLOUTS = 104
RATE = 25.0
"""Requests/s of each namespace."""
REPLICAS = 3
BASE = 0.01
STEPS = (Step(10, seconds=5, samples=20), Step(33, seconds=20, samples=200))
"""One pod of the candidate against three of stable; at least 220 requests."""
CHECKS = ({"name": "errors", "type": "Rate", "rate": {"versusStable": {}}},)
"""A lone check has all of falseRollback. One on latency would say nothing: no stable here is five minutes old."""
ANALYSIS = {"checks": list(CHECKS), "evidenceDeadline": "25s", "onDeadline": "Promote"}
"""So soon nothing is certified: whatever is not taken back by then is promoted."""
MORE = {"scaleDownDelay": "2s", "analysis": ANALYSIS}
LIMIT_SECONDS = 400
LOAD_SECONDS = 7000
ALPHA: Final = float(Analysis().false_rollback)
SURPRISE: Final = 0.05
"""Chance that more are taken back than are allowed here, though each is with a chance of ALPHA only."""
NOT_ENDED: Final = "NotEnded"


@dataclass(frozen=True, slots=True)
class Rollout:
    """outcome, reason: as its history says. seconds: from the change of the spec to its end. evidence: of the check, as
    it was told last."""

    namespace: str
    outcome: str
    reason: str
    seconds: float
    evidence: str


def run(cluster: Cluster, index: dict[str, Any], models: Path, out: Path, console: Console) -> Result:
    """104 rollouts, about half an hour; goes on where it was broken off."""
    kept = Kept(out.with_suffix(".kept"), programs_key())
    done = [Rollout(**one) for one in kept.rounds]
    numbers = range(len(done) + 1, ROLLOUTS + 1)
    if done and numbers:
        console.print(f"{len(done)} of {ROLLOUTS} were played before", highlight=False)
    with ExitStack() as stack:
        scenes = []
        for namespace in NAMESPACES[: len(numbers)]:
            flight = Flight(namespace, index, replicas=REPLICAS, steps=STEPS, more=MORE)
            scene = Scene(cluster, flight, models, out.with_name(f"{namespace}.jsonl"))
            scenes.append(stack.enter_context(scene))
            scene.clear()
        stables = [(scene, _apply(scene, 0)) for scene in scenes]
        for scene, stable in stables:
            scene.serving(stable, LIMIT_SECONDS)
            scene.start_load(RATE, LOAD_SECONDS)
        for one in side_by_side(scenes, numbers, _play):
            done.append(one)
            kept.add(asdict(one))
            result = summary(done)
            result.write(out.with_suffix(".json"))
            words = f"rollout {len(done):3}: {one.outcome} {one.reason} in {one.seconds:.0f} s; {one.evidence}"
            console.print(words, highlight=False)
            for scene in scenes:
                if scene.load is not None:
                    scene.load.check()
        for scene in scenes:
            scene.clear()
    kept.forget()
    return summary(done)


def _apply(scene: Scene, number: int) -> str:
    """Another seed is another template, so another revision."""
    return scene.apply("v1", faults={"error_share": BASE, "seed": number})


def _play(scene: Scene, number: int) -> Rollout:
    begin, recorder = time.monotonic(), scene.recorder
    revision = _apply(scene, number)
    try:
        recorder.wait("the rollout ends", lambda: recorder.outcome(revision), LIMIT_SECONDS)
    except NotInTime as late:
        return Rollout(scene.flight.namespace, NOT_ENDED, "", time.monotonic() - begin, str(late))
    entry = next(e for e in recorder.status["history"] if e["revision"] == revision)
    return Rollout(
        scene.flight.namespace,
        entry["outcome"],
        entry.get("reason", ""),
        round(time.monotonic() - begin, 1),
        entry.get("message", "") if entry["outcome"] == "RolledBack" else _evidence(scene, revision),
    )


def _evidence(scene: Scene, revision: str) -> str:
    """What the check said of the candidate when it was still one."""
    for _, status in reversed(scene.recorder.timeline.statuses):
        if status.get("candidate", {}).get("revision") == revision and status.get("checks"):
            return f"{status['checks'][0].get('evidence', '')}: {status['checks'][0].get('message', '')}"
    return ""


def summary(rollouts: Sequence[Rollout]) -> Result:
    """The figures of these rollouts beside their targets."""
    outcomes = Counter(one.outcome for one in rollouts)
    false, counted = outcomes["RolledBack"], outcomes["RolledBack"] + outcomes["Promoted"]
    return Result(
        "Candidates as good as stable: base 1%, one cold pod against three, 8 rollouts at once",
        [
            Target("rollouts", len(rollouts), ROLLOUTS, least=True),
            Target(f"false rollbacks, of {counted}", false, most_false(counted)),
            Target("rollouts that were neither promoted nor rolled back", len(rollouts) - counted, 0),
        ],
        {
            "false rollbacks, 95% upper bound": upper_bound(false, counted),
            "seconds per rollout": spread([one.seconds for one in rollouts]),
            "rollouts": [asdict(one) for one in rollouts],
        },
    )


def most_false(rollouts: int) -> int:
    """So many false rollbacks are allowed: more come in at most 5% of such campaigns, if each has a chance of ALPHA.

    104 rollouts at 1%: more than 2 come with a chance of 8.7%, more than 3 with one of 2.1%; so 3.
    """
    return next(k for k in range(rollouts + 1) if bdtrc(k, rollouts, ALPHA) <= SURPRISE)


def upper_bound(false: int, rollouts: int) -> float:
    """The one-sided 95% upper bound of the chance of a false rollback (Clopper and Pearson 1934); none of 104: 2.8%."""
    return 1.0 if false >= rollouts else round(float(betaincinv(false + 1, rollouts - false, 0.95)), 4)
