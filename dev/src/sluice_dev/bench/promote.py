"""Do promotions lose requests? v1 and v2 take each other's place again and again, each time as a new revision."""

from __future__ import annotations

import time
from dataclasses import asdict
from itertools import cycle
from pathlib import Path
from typing import Any

from rich.console import Console

from sluice_dev.bench.figures import Result, Target, spread
from sluice_dev.cluster import Cluster
from sluice_dev.load.loss import kinds, lost_near
from sluice_dev.scene.deployments import Flight, Step
from sluice_dev.scene.scene import Scene

NAMESPACE = "bench-promote"
NAMESPACES = (NAMESPACE,)
RATE = 200.0
REPLICAS = 3
STEPS = (Step(10, seconds=4, samples=50), Step(50, seconds=4, samples=200))
MORE = {"scaleDownDelay": "10s"}
LEAST_PROMOTIONS, LEAST_REQUESTS = 20, 100_000
LIMIT_SECONDS = 200
"""For one promotion; about 35 are usual."""


def run(cluster: Cluster, index: dict[str, Any], models: Path, out: Path, console: Console) -> Result:
    """At least 20 promotions and 100,000 requests. Raises NotInTime when one comes to no end."""
    flight = Flight(NAMESPACE, index, replicas=REPLICAS, steps=STEPS, more=MORE)
    durations: list[float] = []
    with Scene(cluster, flight, models, out) as scene:
        scene.clear()
        scene.serving(scene.apply("v1"))
        load = scene.start_load(RATE, 3600)
        news = load.follow()
        begin = time.time()
        for number, version in enumerate(cycle(("v2", "v1"))):
            if len(durations) >= LEAST_PROMOTIONS and (time.time() - begin) * RATE >= LEAST_REQUESTS:
                break
            started = time.time()
            # A seed without faults changes nothing but the template: a new revision, new pods.
            scene.serving(scene.apply(version, faults={"seed": number}), LIMIT_SECONDS)
            durations.append(time.time() - started)
            lost = sum(outcome.failed for outcome in news())
            console.print(
                f"promotion {len(durations):2}: {version} in {durations[-1]:.1f} s, {lost} requests lost meanwhile",
                highlight=False,
            )
        effort = load.stop()
        timeline = scene.recorder.timeline
    outcomes = load.outcomes()
    changes = timeline.changes()
    restarted = [change for change in timeline.pods if change.what == "restarted"]
    failed = [outcome for outcome in outcomes if outcome.failed]
    scene.clear()
    return Result(
        "Promotions under 200 requests/s, 3 replicas",
        [
            Target("promotions", len(durations), LEAST_PROMOTIONS, least=True),
            Target("requests", len(outcomes), LEAST_REQUESTS, least=True),
            Target("failed requests", len(failed), 0),
            Target("failed within 5 s of a weight or pod change", lost_near(outcomes, changes), 0),
            Target("restarts of pods", len(restarted), 0),
        ],
        {
            "seconds per promotion": spread(durations),
            "changes of weights and pods": len(changes),
            "latency, s": spread([outcome.latency for outcome in outcomes]),
            "failures": kinds(outcomes),
            "failed": [asdict(outcome) for outcome in failed[:50]],
            "generator": asdict(effort),
        },
    )
