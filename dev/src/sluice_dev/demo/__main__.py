"""`make demo`: everything from nothing, five rollouts under load, and a report of what came of them."""

from __future__ import annotations

import json
import time
from typing import Any

import typer
from rich.console import Console

from sluice_dev.cluster import Cluster, ClusterError, uses_existing
from sluice_dev.cluster.access import kubectl_program
from sluice_dev.cluster.binaries import any_built
from sluice_dev.cluster.cli import plain_errors
from sluice_dev.cluster.layout import Layout
from sluice_dev.cluster.own import ONLY_EMBEDDED
from sluice_dev.demo import acts, afterwards, picture
from sluice_dev.demo.prepare import models_folder, prepare
from sluice_dev.demo.report import Evidence, report, shortfalls
from sluice_dev.demo.view import View
from sluice_dev.load.effort import Effort
from sluice_dev.scene.deployments import Flight, Step
from sluice_dev.scene.recorder import NotInTime
from sluice_dev.scene.scene import Scene
from sluice_dev.scene.store import NAMESPACE
from sluice_dev.scene.story import story

RATE = 200.0
BOUND_SECONDS = 900.0
STEPS = (Step(10, seconds=8, samples=100), Step(30, seconds=8, samples=100), Step(60, seconds=8, samples=100))
SCALE_DOWN = "15s"
LATE_SECONDS = 0.25
"""A generator that was later than this says more about the machine than about the server."""

console = Console()


def main() -> None:
    """Cluster, images, models, operator; then five versions of a model under 200 requests/s."""
    layout = Layout.here()
    folder = layout.checkout / "build" / "demo"
    begin, from_nothing = time.monotonic(), not any_built(layout)
    with plain_errors():
        if uses_existing():
            words = "sends its load from inside of the node's network namespace and reads the gateway's log on its disk"
            raise ClusterError(f"the demo {words}, {ONLY_EMBEDDED}")
        cluster, index = prepare(layout, console)
        flight = Flight(NAMESPACE, index, replicas=3, steps=STEPS, more={"scaleDownDelay": SCALE_DOWN})
        with Scene(cluster, flight, models_folder(layout), folder / "requests.jsonl") as scene:
            try:
                evidence, effort = play(scene)
            except NotInTime as late:
                console.print(story(cluster, NAMESPACE), markup=False, highlight=False)
                console.print(f"\nThe demo did not come to its end: {late}", style="bold red", markup=False)
                raise typer.Exit(1) from late
            versions = dict(scene.versions)
    told = report(evidence)
    picture.draw(evidence, versions, folder / "timeline.png")
    (folder / "next.yaml").write_text(afterwards.next_manifest(flight, index))
    told["whole_run"] = {"seconds": round(time.monotonic() - begin, 1), "binaries_cache_was_empty": from_nothing}
    (folder / "report.json").write_text(json.dumps(told, indent=2) + "\n")
    missing = shortfalls(evidence, told)
    _say(told, missing, effort)
    _try_next(cluster, flight, evidence.acts[-1].revision)
    raise typer.Exit(1 if missing else 0)


def play(scene: Scene) -> tuple[Evidence, Effort]:
    """Plays the acts; returns all that was measured. Raises NotInTime."""
    scene.clear()
    scene.recorder.timeline.weights.clear()
    log = scene.access_log()
    with View(console, scene) as view:
        played = [acts.first(scene, view.act)]
        load = scene.start_load(RATE, BOUND_SECONDS)
        played.append(acts.promoted(scene, view.act))
        for version, title in (
            ("v3", "v3 fails half: rolled back"),
            ("v4", "v4 is slow: rolled back"),
            ("v5", "v5 exits: rejected the second time"),
        ):
            played.append(acts.rolled_back(scene, view.act, version, title))
        played.append(acts.applied_again(scene, view.act))
        rejections = {e["revision"]: e for e in scene.recorder.status["rejected"]}
        scene.load = None
        effort = load.stop()
    outcomes = load.outcomes()
    gateway = log.read_until(next(o.request_id for o in reversed(outcomes) if o.code))
    return Evidence(played, outcomes, gateway, scene.recorder.timeline, rejections), effort


def _say(told: dict[str, Any], missing: list[str], effort: Effort) -> None:
    promoted, whole = told["promoted"], told["whole_run"]
    console.print(
        f"\nv2 promoted in {promoted['seconds']} s; {promoted['client_failures']} of {promoted['requests']} requests "
        "failed meanwhile.",
        highlight=False,
        soft_wrap=True,
    )
    for entry in told["rolled_back"]:
        console.print(
            f"{entry['why']}\n   {entry['bad_requests']} bad answers; traffic back "
            f"{entry['seconds_from_first_candidate_request_to_weight_0']} s after its first request, "
            f"{entry['seconds_from_verdict_to_weight_0']} s after the verdict",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
    console.print(f"v3 applied again: {told['reapplied_rejected']['candidate_requests']} requests.", highlight=False)
    console.print(
        f"{effort.requests} requests; the generator was late by {1000 * effort.p99_lag:.0f} ms (99%), "
        f"{1000 * effort.max_lag:.0f} ms at most, and used {100 * effort.cpu_seconds / effort.seconds:.0f}% of a core.",
        highlight=False,
        soft_wrap=True,
        style="dim" if effort.max_lag < LATE_SECONDS else "yellow",
    )
    console.print(
        f"{whole['seconds']:.0f} s in all, with the cluster's programs "
        f"{'built first: their cache was empty' if whole['binaries_cache_was_empty'] else 'from the cache'}.",
        highlight=False,
        soft_wrap=True,
    )
    for sentence in missing:
        console.print(f"NOT AS PROMISED: {sentence}", style="bold red", markup=False, highlight=False, soft_wrap=True)
    if not missing:
        console.print("All of it came true.", style="bold green")


def _try_next(cluster: Cluster, flight: Flight, rejected: str) -> None:
    console.print(
        afterwards.words(
            flight,
            rejected,
            folder="build/demo",
            kubeconfig=str(cluster.kubeconfig),
            programs=str(kubectl_program().parent),
            gateway=cluster.gateway_loopback_url or "",
        ),
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


if __name__ == "__main__":
    typer.run(main)
