"""How many bad requests at other scrape intervals? v3 fails half, at 10% of 200 requests/s, with the default checks."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from sluice.api.v1alpha1 import DEFAULT_CHECKS
from sluice.core.analysis.judge import LOOK_BACK
from sluice_dev.bench.figures import Result, Target, spread
from sluice_dev.bench.kept import Kept, programs_key
from sluice_dev.cluster import Cluster
from sluice_dev.load.accesslog import AccessLog
from sluice_dev.scene.deployments import Flight, Step
from sluice_dev.scene.scene import Scene
from sluice_dev.scene.scraping import scraped_every

NAMESPACE = "bench-scrapes"
NAMESPACES = (NAMESPACE,)
RATE = 200.0
REPLICAS = 3
STEPS = (Step(10, seconds=120, samples=1000), Step(50))
MORE = {"scaleDownDelay": "2s"}
ROUNDS = {2: 20, 15: 6, 30: 4}
"""Scrape interval in seconds -> versions that are tried."""
SHORTEST = min(ROUNDS)
MOST_BAD = 40
LIMIT_SECONDS = 400


@dataclass(frozen=True, slots=True)
class Round:
    """interval: between two scrapes, seconds. bad: failed answers of the candidate, of `requests`, at the gateway.
    seconds: from its first request until the API server told that it has no weight."""

    interval: int
    bad: int
    requests: int
    seconds: float
    evidence: str


def run(cluster: Cluster, index: dict[str, Any], models: Path, out: Path, console: Console) -> Result:
    """30 rollbacks, about half an hour; goes on where it was broken off. Raises NotInTime when one does not come."""
    kept = Kept(out.with_suffix(".kept"), programs_key())
    done = [Round(**one) for one in kept.rounds]
    if done:
        console.print(f"{len(done)} rounds were played before", highlight=False)
    checks = [check.model_dump(mode="json", by_alias=True, exclude_none=True) for check in DEFAULT_CHECKS]
    flight = Flight(NAMESPACE, index, replicas=REPLICAS, steps=STEPS, checks=checks, more=MORE)
    with Scene(cluster, flight, models, out) as scene:
        scene.clear()
        scene.serving(scene.apply("v1"))
        log, load = scene.access_log(), scene.start_load(RATE, 5400)
        for interval, count in ROUNDS.items():
            left = count - sum(one.interval == interval for one in done)
            if left <= 0:
                continue
            with scraped_every(cluster, interval) as changed:
                # A rollout looks back so far for how often its pods are scraped.
                _pass(scene, LOOK_BACK + interval if changed else 0)
                for _ in range(left):
                    done.append(_round(scene, log, interval, len(done) + 1))
                    load.check()
                    kept.add(asdict(done[-1]))
                    summary(done).write(out.with_suffix(".json"))
                    one = done[-1]
                    console.print(
                        f"every {interval} s: {one.bad} bad requests in {one.seconds:.1f} s; {one.evidence}",
                        highlight=False,
                    )
        load.stop()
        scene.clear()
    kept.forget()
    return summary(done)


def _round(scene: Scene, log: AccessLog, interval: int, number: int) -> Round:
    log.read()
    # Another seed is another template, so another revision: a rejected one would not roll out again.
    revision = scene.apply("v3", faults={"error_share": 0.5, "seed": number})
    rejection = scene.rejected(revision, LIMIT_SECONDS)
    # The gateway's log is at most 0.1 s behind; a second later nothing of this revision can still be missing.
    _pass(scene, 1)
    requests = [request for request in log.read() if request.revision == revision]
    first = min(request.start for request in requests)
    zero = scene.recorder.timeline.weight_zero(revision, first)
    if zero is None:
        raise RuntimeError(f"the route never showed revision {revision} without weight")
    bad = sum(request.failed for request in requests)
    return Round(interval, bad, len(requests), round(zero - first, 2), rejection["message"])


def _pass(scene: Scene, length: float) -> None:
    """Looks on for so many seconds."""
    end = time.time() + length
    scene.recorder.wait(f"{length:g} s have passed", lambda: time.time() >= end, length + 5)


def summary(rounds: Sequence[Round]) -> Result:
    """The figures of these rounds beside their targets."""
    bad = {interval: [one.bad for one in rounds if one.interval == interval] for interval in ROUNDS}
    took = {interval: [one.seconds for one in rounds if one.interval == interval] for interval in ROUNDS}
    middle = spread(bad[SHORTEST]).get("median", 0)
    return Result(
        "Rollbacks of a version that fails half, by scrape interval",
        [
            *(Target(f"rollbacks, every {every} s", len(bad[every]), ROUNDS[every], least=True) for every in ROUNDS),
            Target(f"bad requests, every {SHORTEST} s, median", middle, MOST_BAD),
        ],
        {
            **{f"bad requests, every {every} s": spread(bad[every]) for every in ROUNDS},
            **{f"first request to weight 0, every {every} s, s": spread(took[every]) for every in ROUNDS},
            "rounds": [asdict(one) for one in rounds],
        },
    )
