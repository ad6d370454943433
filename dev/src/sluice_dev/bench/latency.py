"""How soon is a slower version taken back? Lognormal answers around 60 ms, 10% of 200 requests/s, three stable pods."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import inf
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console

from sluice.api.v1alpha1 import DEFAULT_CHECKS
from sluice_dev.bench.figures import Result, Target
from sluice_dev.bench.kept import Kept, programs_key
from sluice_dev.cluster import Cluster
from sluice_dev.load.accesslog import AccessLog
from sluice_dev.scene.deployments import Flight, Step
from sluice_dev.scene.recorder import NotInTime
from sluice_dev.scene.scene import Scene
from sluice_dev.scene.timeline import seconds

NAMESPACE = "bench-latency"
NAMESPACES = (NAMESPACE,)
RATE = 200.0
REPLICAS = 3
STEPS = (Step(10, seconds=600, samples=1000), Step(50))
MORE = {"scaleDownDelay": "2s"}
MEDIAN, SIGMA = 0.06, 0.5
HISTORY_SECONDS = 330
"""Stable is known after five minutes; the rest is for its own warm-up."""
WARM_SECONDS, WARM_REQUESTS = 30.0, 200
"""What the check leaves out of each pod by default."""
ROUNDS = {1.5: 6, 1.3: 3, 1.2: 2, 1.0: 2}
"""Slow-down -> versions that are tried."""
LIMIT_SECONDS = 200
FOUND_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Round:
    """One version. seconds: from the end of its warm-up to the verdict, None without one. requests: that it got until
    then. message: the evidence, in words."""

    slowdown: float
    seconds: float | None
    requests: int
    message: str


def run(cluster: Cluster, index: dict[str, Any], models: Path, out: Path, console: Console) -> Result:
    """13 versions, one after the other; about half an hour. Goes on where it was broken off."""
    kept = Kept(out.with_suffix(".kept"), programs_key())
    rounds = [Round(**one) for one in kept.rounds]
    plan = [slowdown for slowdown, count in ROUNDS.items() for _ in range(count)]
    if rounds:
        console.print(f"{len(rounds)} of {len(plan)} versions were tried before", highlight=False)
    checks = [check.model_dump(mode="json", by_alias=True, exclude_none=True) for check in DEFAULT_CHECKS]
    flight = Flight(NAMESPACE, index, replicas=REPLICAS, steps=STEPS, checks=checks, more=MORE)
    with Scene(cluster, flight, models, out) as scene:
        scene.clear()
        scene.serving(_apply(scene, 1.0, 0))
        log = scene.access_log()
        load = scene.start_load(RATE, 3600)
        known = time.time() + HISTORY_SECONDS
        console.print(f"five minutes of stable first: {HISTORY_SECONDS} s", highlight=False)
        scene.recorder.wait("stable is known", lambda: time.time() >= known, HISTORY_SECONDS + 10)
        for number, slowdown in enumerate(plan[len(rounds) :], start=len(rounds) + 1):
            rounds.append(_round(scene, log, slowdown, number))
            load.check()
            kept.add(asdict(rounds[-1]))
            summary(rounds).write(out.with_suffix(".json"))
            console.print(told(rounds[-1]), highlight=False)
        load.stop()
        scene.clear()
    kept.forget()
    return summary(rounds)


def summary(rounds: Sequence[Round]) -> Result:
    """The figures of these rounds beside their targets; a version that was not taken back took infinitely long."""
    found = {
        slowdown: [inf if r.seconds is None else r.seconds for r in rounds if r.slowdown == slowdown]
        for slowdown in ROUNDS
    }
    return Result(
        "Slower versions, at 10% of 200 requests/s, one pod against three",
        [
            Target("versions", len(rounds), sum(ROUNDS.values()), least=True),
            Target("+50%: seconds from the warm-up to the verdict, median", median(found[1.5] or [inf]), FOUND_SECONDS),
            Target("+50%: versions that were not taken back", sum(s == inf for s in found[1.5]), 0),
            Target("as fast: versions that were taken back", sum(s < inf for s in found[1.0]), 0),
        ],
        {"rounds": [asdict(r) for r in rounds]},
    )


def told(done: Round) -> str:
    """A round in one line."""
    when = "never" if done.seconds is None else f"{done.seconds:.1f} s after the warm-up"
    return f"{done.slowdown:g} times as long: {when}, {done.requests} requests; {done.message}"


def _apply(scene: Scene, slowdown: float, seed: int) -> str:
    """Another seed is another template, so another revision."""
    return scene.apply("v1", faults={"delay_seconds": MEDIAN * slowdown, "delay_sigma": SIGMA, "seed": seed})


def _round(scene: Scene, log: AccessLog, slowdown: float, number: int) -> Round:
    log.read()
    revision = _apply(scene, slowdown, number)
    try:
        rejection = scene.rejected(revision, LIMIT_SECONDS)
    except NotInTime:
        rejection = None
    answered = sorted(request.start for request in log.read() if request.revision == revision)
    stable = _apply(scene, 1.0, 0)
    scene.serving(stable)
    warm = max(answered[0] + WARM_SECONDS, answered[min(WARM_REQUESTS, len(answered)) - 1])
    if rejection is None:
        return Round(slowdown, None, len(answered), f"not taken back within {LIMIT_SECONDS} s")
    return Round(slowdown, round(seconds(rejection["at"]) - warm, 2), len(answered), rejection["message"])
