"""What does a version cost that dies of its traffic? v5 exits after its 100th request, at 10% of 200 requests/s."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from math import inf
from pathlib import Path
from typing import Any

from rich.console import Console

from sluice_dev.bench.figures import Result, Target, spread
from sluice_dev.cluster import Cluster
from sluice_dev.load import Outcome
from sluice_dev.load.accesslog import AccessLog, GatewayRequest
from sluice_dev.load.loss import kinds
from sluice_dev.scene.deployments import Flight, Step
from sluice_dev.scene.recorder import exits
from sluice_dev.scene.scene import Scene
from sluice_dev.scene.timeline import Timeline

NAMESPACE = "bench-exits"
NAMESPACES = (NAMESPACE,)
RATE = 200.0
REPLICAS = 3
RUNS = 10
EXIT_AFTER = 100
STEPS = (Step(10, seconds=60, samples=1000), Step(50))
MORE = {"scaleDownDelay": "5s"}
LIMIT_SECONDS = 180
MOST_FAILED = 80
TOLERATED = 1
"""Exits that only take the traffic back; the next one rejects."""


@dataclass(frozen=True, slots=True)
class Played:
    """One run as it was recorded. begin, end: seconds since the epoch.

    exits: of the candidate's container, as the kubelet tells them at the rejection. requests: at the gateway, those of
    the candidate and those that failed, whoever was to answer.
    """

    revision: str
    begin: float
    end: float
    exits: int
    rejection: dict[str, Any]
    timeline: Timeline
    requests: Sequence[GatewayRequest]


@dataclass(frozen=True, slots=True)
class Run:
    """What one run cost.

    failed: requests that the clients lost from the first exit on, whatever the failure; before: until then.
    at_gateway: failed answers that the gateway gave from the first exit on. largest: weight, percent.
    exit_to_zero: seconds from each exit until the API server told that the candidate has no weight.
    """

    failed: int
    before: int
    at_gateway: int
    exits: int
    largest: int
    exit_to_zero: list[float]
    reason: str
    failures: dict[str, int]
    gateway_failures: dict[str, int]

    @property
    def as_promised(self) -> bool:
        return self.reason == "CandidateExited" and self.exits == TOLERATED + 1


def run(cluster: Cluster, index: dict[str, Any], models: Path, out: Path, console: Console) -> Result:
    """10 versions, one after the other; about ten minutes. Raises NotInTime when one is not rejected."""
    flight = Flight(NAMESPACE, index, replicas=REPLICAS, steps=STEPS, more=MORE)
    played: list[Played] = []
    with Scene(cluster, flight, models, out) as scene:
        scene.clear()
        scene.serving(scene.apply("v1"))
        log = scene.access_log()
        load = scene.start_load(RATE, 3600)
        for number in range(1, RUNS + 1):
            played.append(_play(scene, log, number))
            load.check()
            failed = sum(request.failed for request in played[-1].requests)
            console.print(
                f"run {number:2}: {failed} failed answers; {played[-1].exits} exits; {played[-1].rejection['message']}",
                highlight=False,
            )
        effort = load.stop()
        scene.clear()
    outcomes = load.outcomes()
    runs = [cost(one, outcomes) for one in played]
    return Result(
        "Candidates that exit, at 10% of 200 requests/s",
        [
            Target("runs", len(runs), RUNS, least=True),
            Target("failed answers of a run from the first exit on, max", max(r.failed for r in runs), MOST_FAILED),
            Target("failed answers before the first exit, all runs", sum(r.before for r in runs), 0),
            Target("runs not rejected at the second exit", sum(not r.as_promised for r in runs), 0),
            Target("largest weight, percent", max(r.largest for r in runs), STEPS[0].weight),
        ],
        {
            "failed answers of a run": spread([r.failed for r in runs]),
            "exit to weight 0, s": spread([seconds for r in runs for seconds in r.exit_to_zero]),
            "runs": [asdict(r) for r in runs],
            "generator": asdict(effort),
        },
    )


def _play(scene: Scene, log: AccessLog, number: int) -> Played:
    log.read()
    recorder = scene.recorder
    first, begin = len(recorder.timeline.weights) - 1, time.time()
    # Another seed is another template, so another revision: a rejected one would not roll out again.
    revision = scene.apply("v5", faults={"exit_after": EXIT_AFTER, "seed": number})
    rejection = scene.rejected(revision, LIMIT_SECONDS)
    ended = max((exits(pod) for pod in recorder.pods(revision)), default=0)
    # The gateway's log is at most 0.1 s behind; a second later nothing of this revision can still be missing.
    settled = time.time() + 1
    recorder.wait("the gateway's log is complete", lambda: time.time() >= settled, 5)
    return Played(
        revision,
        begin,
        time.time(),
        ended,
        rejection,
        Timeline(weights=recorder.timeline.weights[first:]),
        [request for request in log.read() if request.failed or request.revision == revision],
    )


def cost(played: Played, outcomes: Sequence[Outcome]) -> Run:
    """outcomes: of all clients, also those of other runs."""
    revision, shares = played.revision, exposures(played.timeline, played.revision)
    died = deaths(played.requests, revision, shares)
    since = min(died, default=played.begin)
    lost = [o for o in outcomes if o.failed and played.begin <= o.due < played.end]
    refused = [r for r in played.requests if r.failed and r.start + r.duration >= since]
    return Run(
        failed=sum(o.end >= since for o in lost),
        before=sum(o.end < since for o in lost),
        at_gateway=len(refused),
        exits=played.exits,
        largest=max(moment.percent.get(revision, 0) for moment in played.timeline.weights),
        exit_to_zero=[round(until - death, 3) for death, (_, until) in zip(died, shares, strict=True)],
        reason=played.rejection["reason"],
        failures=kinds(lost),
        gateway_failures=dict(Counter(f"{r.code} {r.flags} {r.details}" for r in refused)),
    )


def exposures(timeline: Timeline, revision: str) -> list[tuple[float, float]]:
    """From when until when a revision had traffic, each time that it had some and lost it; seconds since the epoch."""
    found, since = [], None
    for moment in timeline.weights:
        has = revision in moment.percent
        if has and since is None:
            since = moment.at
        elif not has and since is not None:
            found.append((since, moment.at))
            since = None
    return found


def deaths(requests: Sequence[GatewayRequest], revision: str, shares: Sequence[tuple[float, float]]) -> list[float]:
    """When its server exited in each of these exposures: with the end of the last answer that it gave in it.

    From the gateway's log, as the kubelet tells whole seconds. Where it gave no answer: the exposure's beginning.
    """
    answered = [request for request in requests if request.revision == revision and not request.failed]
    # Between two exposures it must get ready and be seen, which takes seconds: the middle is far from both.
    middles = [(until + since) / 2 for (_, until), (since, _) in pairwise(shares)]
    return [
        max((r.start + r.duration for r in answered if first <= r.start < last), default=since)
        for (since, _), first, last in zip(shares, [-inf, *middles], [*middles, inf], strict=False)
    ]
