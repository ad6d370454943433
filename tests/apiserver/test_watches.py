"""The watches and listings on the real API server: what changes there arrives, and nothing is written back."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import kopf
import pytest

from sluice.__main__ import watched_kinds
from sluice.adapters.clock import SystemClock
from sluice.adapters.kube.client import KubeCluster
from sluice.adapters.kube.connection import connect, credentials
from sluice.runtime.cache import Cache
from sluice.runtime.handlers import registry_for, settings_for
from sluice.runtime.intake import Intake
from sluice.runtime.relist import Relister
from sluice_dev.cluster import Cluster

pytestmark = pytest.mark.apiserver

KINDS = watched_kinds()
LABELS = {"app.kubernetes.io/managed-by": "sluice", "sluice.dev/name": "m"}
DEADLINE = 20.0


class World:
    """A cache that is kept by watches and listings of one namespace."""

    def __init__(self, cluster: KubeCluster, namespace: str) -> None:
        self.cluster, self.namespace = cluster, namespace
        self.cache = Cache([one.kind for one in KINDS])
        self.woken: list[tuple[str, str]] = []
        self.intake = Intake(self.cache, lambda key, _: self.woken.append(key))
        self.relister = Relister(
            cluster,
            self.cache,
            self.intake,
            SystemClock(),
            kinds=KINDS,
            namespaces=(namespace,),
            every=300,
            on_synced=lambda: None,
        )

    def service(self, name: str, **labels: str) -> dict[str, Any]:
        return {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"namespace": self.namespace, "name": name, "labels": {**LABELS, **labels}},
            "spec": {"ports": [{"port": 80}]},
        }

    def known(self, name: str) -> bool:
        return self.cache.get("Service", self.namespace, name) is not None

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for what a watch brings."""
        async with asyncio.timeout(DEADLINE):
            while not condition():  # noqa: ASYNC110  # kopf tells nobody that it has handled an event
                await asyncio.sleep(0.02)


@pytest.fixture
async def world(cluster: Cluster, namespace: str, crd: str) -> AsyncIterator[World]:
    client = await connect(str(cluster.kubeconfig))
    real = KubeCluster(client)
    yield World(real, namespace)
    await real.close()


@pytest.fixture
async def watching(world: World) -> AsyncIterator[World]:
    """The same, with kopf running on it until the test ends."""
    stop = asyncio.Event()
    not_kopfs = asyncio.all_tasks()
    tasks = await kopf.spawn_tasks(
        registry=registry_for(KINDS, world.intake, world.relister.soon, lambda: credentials(world.cluster._api)),
        settings=settings_for(KINDS),
        namespaces=[world.namespace],
        identity="test",  # type: ignore[arg-type]
        standalone=True,
        stop_flag=stop,
    )
    running = asyncio.create_task(kopf.run_tasks(tasks, ignored=not_kopfs))
    yield world
    not_kopfs.update(asyncio.all_tasks() - {*tasks, running})  # kopf would end the task that this line runs in
    stop.set()
    await asyncio.wait([running], timeout=DEADLINE)


async def test_what_happens_in_the_cluster_arrives(watching: World) -> None:
    created = await watching.cluster.apply("Service", watching.service("m-1"))
    await watching.until(lambda: watching.known("m-1"))
    assert (watching.namespace, "m") in watching.woken
    await watching.cluster.delete("Service", watching.namespace, "m-1", created["metadata"]["uid"])
    await watching.until(lambda: not watching.known("m-1"))


async def test_what_is_not_ours_is_not_even_sent(watching: World) -> None:
    foreign = watching.service("foreign", **{"app.kubernetes.io/managed-by": "helm"})
    await watching.cluster.apply("Service", foreign)
    await watching.cluster.apply("Service", watching.service("m-1"))
    await watching.until(lambda: watching.known("m-1"))
    assert not watching.known("foreign")


async def test_a_child_that_loses_and_regains_its_label_goes_and_comes(watching: World) -> None:
    await watching.cluster.apply("Service", watching.service("m-1"))
    await watching.until(lambda: watching.known("m-1"))
    label = "app.kubernetes.io/managed-by"
    for value, seen in (("somebody", False), ("sluice", True)):
        patch = {"metadata": {"labels": {label: value}}}
        await watching.cluster.patch("Service", watching.namespace, "m-1", patch)
        await watching.until(lambda seen=seen: watching.known("m-1") is seen)  # type: ignore[misc]


async def test_nothing_is_written_onto_what_is_watched(watching: World, least: dict[str, Any]) -> None:
    manifest = {
        "apiVersion": "sluice.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"namespace": watching.namespace, "name": "watched", "labels": {"a": "b"}},
        "spec": {**least, "paused": True},
    }
    created = await watching.cluster.create("ModelDeployment", manifest)
    await watching.until(lambda: watching.cache.get("ModelDeployment", watching.namespace, "watched") is not None)
    now = await watching.cluster.get("ModelDeployment", watching.namespace, "watched")
    managers = {(one["manager"], one.get("subresource", "")) for one in now["metadata"]["managedFields"]}
    assert managers <= {("sluice", ""), ("sluice", "status")}
    assert json.dumps(now).count("kopf") == 0
    assert now["spec"] == created["spec"]


async def test_the_first_listing_opens_the_gate_and_later_ones_find_what_no_watch_told(world: World) -> None:
    for name in ("m-1", "m-2"):
        await world.cluster.apply("Service", world.service(name))
    for watched in KINDS:
        assert not world.cache.synced()
        await world.relister.attempt(watched)
    assert world.cache.synced()
    assert world.known("m-1")
    gone = await world.cluster.get("Service", world.namespace, "m-1")
    await world.cluster.delete("Service", world.namespace, "m-1", gone["metadata"]["uid"])
    world.woken.clear()
    services = next(one for one in KINDS if one.kind == "Service")
    await world.relister.attempt(services)
    assert (world.known("m-1"), world.known("m-2")) == (False, True)
    assert world.woken == [(world.namespace, "m")]


async def test_a_listing_of_several_pages_is_one_moment(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sluice.adapters.kube.client.PAGE", 2)
    for number in range(5):
        await world.cluster.apply("Service", world.service(f"m-{number}"))
    services = next(one for one in KINDS if one.kind == "Service")
    await world.relister.attempt(services)
    assert sum(world.known(f"m-{number}") for number in range(5)) == 5
