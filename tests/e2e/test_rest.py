"""What the operator costs while nothing happens."""

import time
from collections.abc import Callable

import pytest

from sluice_dev.cluster import Cluster
from sluice_dev.scene.api import Api
from sluice_dev.scene.deployments import Step
from sluice_dev.scene.operators import leader, metrics, pods, value, writes_and_reads
from sluice_dev.scene.scene import Scene

pytestmark = [pytest.mark.e2e, pytest.mark.alone]
Play = Callable[..., Scene]
MEMORY = 150e6
CALM = 3.0
"""Seconds without a request, after which the operator counts as come to rest."""


def test_idle_asks_nothing_of_the_api(play: Play, cluster: Cluster, api: Api) -> None:
    """60 s with an object that serves: no request but for lease and watches, at most 150 MB."""
    scene = play()
    scene.serving(scene.apply("v1"))
    scene.recorder.wait("there is a leader", lambda: leader(api), 30)
    name = leader(api)

    calls = at_rest(scene, cluster, name)
    passed(scene, 60)

    assert since(calls, writes_and_reads(metrics(cluster, name))) == {}
    assert leader(api) == name
    for pod in pods(api):
        memory = value(metrics(cluster, pod["metadata"]["name"]), "process_resident_memory_bytes")
        assert 0 < memory <= MEMORY, f"{pod['metadata']['name']}: {memory / 1e6:.0f} MB"


def test_active_tick_without_change_asks_nothing(play: Play, cluster: Cluster, api: Api) -> None:
    """20 s in the middle of a stage, under load, looked at each second: at most one status write, nothing else."""
    scene = play(steps=(Step(20, seconds=300, samples=9000), Step(60)))
    stable = scene.apply("v1")
    scene.serving(stable)
    scene.start_load(20, 300)
    candidate = scene.apply("v2")
    scene.recorder.wait("v2 has traffic", lambda: scene.recorder.weights == {stable: 80, candidate: 20}, 90)
    scene.recorder.wait("there is a leader", lambda: leader(api), 30)
    name = leader(api)

    calls = at_rest(scene, cluster, name)
    ticks = value(metrics(cluster, name), "sluice_operator_reconcile_total")
    passed(scene, 20)

    assert value(metrics(cluster, name), "sluice_operator_reconcile_total") - ticks >= 10
    made = since(calls, writes_and_reads(metrics(cluster, name)))
    assert made.pop("replace_status ModelDeployment", 0) <= 1
    assert made == {}
    assert scene.recorder.candidate == candidate


def at_rest(scene: Scene, cluster: Cluster, name: str) -> dict[str, float]:
    """Waits until no namespace is on its way out and the operator has asked nothing for a few seconds.

    A ModelDeployment in such a namespace loses its children first, and the operator tries to bring them back.
    Returns its requests till then.
    """
    scene.recorder.wait("earlier namespaces are gone", lambda: not leaving(scene.api), 150)
    last, since_when = writes_and_reads(metrics(cluster, name)), time.monotonic()

    def calm() -> bool:
        nonlocal last, since_when
        now = writes_and_reads(metrics(cluster, name))
        if now != last:
            last, since_when = now, time.monotonic()
        return time.monotonic() - since_when >= CALM

    scene.recorder.wait("the operator is at rest", calm, 90)
    return last


def leaving(api: Api) -> list[str]:
    """Namespaces that are being deleted."""
    return [ns["metadata"]["name"] for ns in api.list("Namespace", "") if ns["metadata"].get("deletionTimestamp")]


def since(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    """Requests that were made in between."""
    return {what: count - before.get(what, 0) for what, count in after.items() if count > before.get(what, 0)}


def passed(scene: Scene, period: float) -> None:
    """Looks on for some seconds."""
    end = time.monotonic() + period
    scene.recorder.wait(f"{period:g} s have passed", lambda: time.monotonic() >= end, period + 5)
