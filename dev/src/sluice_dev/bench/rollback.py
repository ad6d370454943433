"""How fast is a bad version taken back? 30 versions that fail half of their requests, 10% of 200 requests/s."""

from __future__ import annotations

import json
import re
import time
import urllib.parse
import urllib.request
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from sluice_dev.bench.figures import Result, Target, spread
from sluice_dev.cluster import Cluster
from sluice_dev.load import Load
from sluice_dev.load.accesslog import AccessLog
from sluice_dev.scene.deployments import Flight, Step
from sluice_dev.scene.scene import Scene
from sluice_dev.scene.timeline import seconds

NAMESPACE = "bench-rollback"
NAMESPACES = (NAMESPACE,)
RATE = 200.0
REPLICAS = 3
ROUNDS = 30
STEPS = (Step(10, seconds=60, samples=1000), Step(50))
MORE = {"scaleDownDelay": "2s"}
LIMIT_SECONDS = 120
COUNTS = re.compile(r"([0-9]+) of ([0-9]+) requests failed")


@dataclass(frozen=True, slots=True)
class Round:
    """One rollback. Seconds, from the first named moment to the second.

    scrape: timestamp of the sample that decided. verdict: when the operator decided. zero: when the API server told of
    weight 0. last: start of the candidate's last request at the gateway.
    """

    bad_requests: int
    candidate_requests: int
    scrape_to_last: float
    scrape_to_verdict: float
    verdict_to_zero: float
    verdict_to_last: float
    first_to_zero: float
    evidence: str


def run(cluster: Cluster, index: dict[str, Any], models: Path, out: Path, console: Console) -> Result:
    """30 rollbacks, one after the other. Raises NotInTime when one does not come."""
    flight = Flight(NAMESPACE, index, replicas=REPLICAS, steps=STEPS, more=MORE)
    rounds: list[Round] = []
    with Scene(cluster, flight, models, out) as scene:
        scene.clear()
        scene.serving(scene.apply("v1"))
        log = scene.access_log()
        load = scene.start_load(RATE, 3600)
        for number in range(1, ROUNDS + 1):
            rounds.append(_round(scene, load, log, number))
            done = rounds[-1]
            console.print(
                f"rollback {number:2}: {done.bad_requests} bad requests; deciding scrape -> last request "
                f"{done.scrape_to_last:.2f} s, verdict -> weight 0 {done.verdict_to_zero:.3f} s; {done.evidence}",
                highlight=False,
            )
        effort = load.stop()
        scene.clear()
    return Result(
        "Rollbacks of a version that fails half, at 10% of 200 requests/s",
        [
            Target("rollbacks", len(rounds), ROUNDS, least=True),
            Target("deciding scrape to the last request, max, s", max(r.scrape_to_last for r in rounds), 2.0),
            Target("verdict to weight 0, max, s", max(r.verdict_to_zero for r in rounds), 1.0),
            Target("bad requests, median", spread([r.bad_requests for r in rounds])["median"], 60),
        ],
        {
            **{
                name: spread([getattr(r, name) for r in rounds])
                for name in Round.__dataclass_fields__
                if name != "evidence"
            },
            "rounds": [asdict(r) for r in rounds],
            "generator": asdict(effort),
        },
    )


def _round(scene: Scene, load: Load, log: AccessLog, number: int) -> Round:
    log.read()
    # Another seed is another template, so another revision: a rejected one would not roll out again.
    revision = scene.apply("v3", faults={"error_share": 0.5, "seed": number})
    rejection = scene.rejected(revision, LIMIT_SECONDS)
    # The gateway's log is at most 0.1 s behind; a second later nothing of this revision can still be missing.
    settled = time.time() + 1
    scene.recorder.wait("the gateway's log is complete", lambda: time.time() >= settled, 5)
    requests = [request for request in log.read() if request.revision == revision]
    load.check()
    first, last = min(r.start for r in requests), max(r.start for r in requests)
    verdict = seconds(rejection["at"])
    zero = scene.recorder.timeline.weight_zero(revision, first)
    if zero is None:
        raise RuntimeError(f"the route never showed revision {revision} without weight")
    scrape = deciding_scrape(scene.cluster, scene.flight.namespace, f"{scene.flight.name}-{revision}", rejection)
    return Round(
        bad_requests=sum(request.failed for request in requests),
        candidate_requests=len(requests),
        scrape_to_last=round(last - scrape, 3),
        scrape_to_verdict=round(verdict - scrape, 3),
        verdict_to_zero=round(zero - verdict, 3),
        verdict_to_last=round(last - verdict, 3),
        first_to_zero=round(zero - first, 3),
        evidence=rejection["message"],
    )


def deciding_scrape(cluster: Cluster, namespace: str, deployment: str, rejection: dict[str, Any]) -> float:
    """Timestamp of the sample with which the counts that the verdict names were first reached.

    Read from Prometheus, not from the operator: whoever decides must not measure itself. One pod is assumed, as
    10% of three replicas need. Raises RuntimeError if no sample has these counts.
    """
    found = COUNTS.search(rejection["message"])
    if found is None:
        raise RuntimeError(f"the rejection names no counts: {rejection['message']}")
    failed, requests = int(found[1]), int(found[2])
    matcher = f'namespace="{namespace}",pod=~"{deployment}-[a-z0-9]+-[a-z0-9]{{5}}"'
    query = urllib.parse.urlencode({"query": f"sluice_requests_total{{{matcher}}}[5m]"})
    url = f"{cluster.prometheus_loopback_url}/api/v1/query?{query}"
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - the cluster's own Prometheus
        series = json.load(answer)["data"]["result"]
    totals: dict[float, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for one in series:
        for at, value in one["values"]:
            totals[at][0] += float(value)
            totals[at][1] += float(value) if one["metric"]["code"].startswith("5") else 0.0
    for at, (all_of_them, bad) in sorted(totals.items()):
        if (all_of_them, bad) == (requests, failed):
            return at
    raise RuntimeError(f"no scrape of {deployment} counted {failed} of {requests}: {dict(sorted(totals.items()))}")
