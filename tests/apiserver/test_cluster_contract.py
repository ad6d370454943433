"""What every ports.Cluster does, held against the real API server; the simulation's fake runs the same file.

A fake that passes here cannot drift from the API. `contract` yields a Cluster, a namespace in it and the two things a
test may do that the operator may not.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest
import yaml

from sluice.adapters.kube.client import KubeCluster
from sluice.adapters.kube.connection import connect
from sluice.ports import Cluster, Conflict, NotFound, Object, Refused
from sluice_dev.cluster import Cluster as DevelopmentCluster

pytestmark = pytest.mark.apiserver

LEAST: dict[str, Any] = yaml.safe_load(
    (Path(__file__).parents[2] / "manifests/examples/minimal.yaml").read_text(encoding="utf-8")
)["spec"]
"""The least valid spec of a ModelDeployment."""


class Contract(Protocol):
    """A world to test a Cluster in."""

    cluster: Cluster
    namespace: str

    async def other_manager(self, kind: str, manifest: Object) -> Object:
        """Server-side apply by somebody else (`other`), with force."""
        ...

    async def until_gone(self, kind: str, name: str) -> None:
        """Wait until background deletion is through."""
        ...


@dataclass
class RealContract:
    """The development cluster's API server."""

    cluster: KubeCluster
    namespace: str
    kubectl: DevelopmentCluster

    async def other_manager(self, kind: str, manifest: Object) -> Object:
        flags = ("--server-side", "--force-conflicts", "--field-manager=other", "-o", "json", "-f", "-")
        answer = await asyncio.to_thread(self.kubectl.kubectl, "apply", *flags, input=json.dumps(manifest))
        applied: Object = json.loads(answer)
        return applied

    async def until_gone(self, kind: str, name: str) -> None:
        where = (f"{kind.lower()}/{name}", "-n", self.namespace, "--timeout=30s")
        await asyncio.to_thread(self.kubectl.kubectl, "wait", "--for=delete", *where)


@pytest.fixture
async def contract(cluster: DevelopmentCluster, namespace: str, crd: str) -> AsyncIterator[Contract]:
    """The real API server. tests/simulation overrides this fixture with its fake."""
    real = KubeCluster(await connect(str(cluster.kubeconfig)))
    try:
        yield RealContract(real, namespace, cluster)
    finally:
        await real.close()


def revision(contract: Contract, name: str = "m-1", **metadata: Any) -> dict[str, Any]:
    """A ControllerRevision: the simplest kind that the operator writes."""
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {"namespace": contract.namespace, "name": name, **metadata},
        "revision": 1,
        "data": {"a": "1"},
    }


def service(contract: Contract, **spec: Any) -> dict[str, Any]:
    """A Service with one port."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"namespace": contract.namespace, "name": "m"},
        "spec": {"ports": [{"name": "http", "port": 80}], **spec},
    }


def route(contract: Contract, weights: tuple[int, int]) -> dict[str, Any]:
    """An HTTPRoute with two weighted backends."""
    backends = [{"name": f"m-{number}", "port": 80, "weight": weight} for number, weight in enumerate(weights, start=1)]
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"namespace": contract.namespace, "name": "m"},
        "spec": {"parentRefs": [{"name": "nobody"}], "rules": [{"name": "live", "backendRefs": backends}]},
    }


def deployment(contract: Contract, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    """A ModelDeployment."""
    return {
        "apiVersion": "sluice.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"namespace": contract.namespace, "name": name},
        "spec": spec,
    }


def version(obj: Object) -> int:
    return int(obj["metadata"]["resourceVersion"])


# --- reading ---------------------------------------------------------------------------------------------------------


async def test_what_is_not_there_is_not_found(contract: Contract) -> None:
    with pytest.raises(NotFound):
        await contract.cluster.get("Service", contract.namespace, "nothing")


async def test_what_was_written_is_read(contract: Contract) -> None:
    written = await contract.cluster.apply("ControllerRevision", revision(contract))
    read = await contract.cluster.get("ControllerRevision", contract.namespace, "m-1")
    assert read == written
    assert read["data"] == {"a": "1"}
    assert read["metadata"]["uid"]


# --- server-side apply -----------------------------------------------------------------------------------------------


async def test_apply_creates_and_then_changes(contract: Contract) -> None:
    first = await contract.cluster.apply("Service", service(contract, selector={"a": "1"}))
    second = await contract.cluster.apply("Service", service(contract, selector={"a": "2"}))
    assert second["spec"]["selector"] == {"a": "2"}
    assert second["metadata"]["uid"] == first["metadata"]["uid"]
    assert version(second) > version(first)


async def test_applying_the_same_again_changes_nothing(contract: Contract) -> None:
    first = await contract.cluster.apply("HTTPRoute", route(contract, (90, 10)))
    second = await contract.cluster.apply("HTTPRoute", route(contract, (90, 10)))
    assert version(second) == version(first)


async def test_generation_counts_changes_of_the_spec_only(contract: Contract) -> None:
    first = await contract.cluster.apply("HTTPRoute", route(contract, (100, 0)))
    manifest = route(contract, (100, 0))
    manifest["metadata"]["annotations"] = {"sluice.dev/rejected": "8b21de07"}
    marked = await contract.cluster.apply("HTTPRoute", manifest)
    moved = await contract.cluster.apply("HTTPRoute", route(contract, (99, 1)))
    assert first["metadata"]["generation"] == marked["metadata"]["generation"] == 1
    assert moved["metadata"]["generation"] == 2


async def test_weights_come_back_as_they_were_sent(contract: Contract) -> None:
    await contract.cluster.apply("HTTPRoute", route(contract, (90, 10)))
    moved = await contract.cluster.apply("HTTPRoute", route(contract, (100, 0)))
    assert [backend["weight"] for backend in moved["spec"]["rules"][0]["backendRefs"]] == [100, 0]


async def test_what_is_no_longer_in_the_manifest_is_removed(contract: Contract) -> None:
    manifest = revision(contract, annotations={"sluice.dev/rejected": "why"}, labels={"a": "1"})
    await contract.cluster.apply("ControllerRevision", manifest)
    after = await contract.cluster.apply("ControllerRevision", revision(contract, labels={"a": "1"}))
    assert "annotations" not in after["metadata"]
    assert after["metadata"]["labels"] == {"a": "1"}


async def test_what_others_added_stays(contract: Contract) -> None:
    await contract.cluster.apply("ControllerRevision", revision(contract, labels={"a": "1"}))
    await contract.other_manager("ControllerRevision", revision(contract, labels={"b": "2"}))
    after = await contract.cluster.apply("ControllerRevision", revision(contract, labels={"a": "3"}))
    assert after["metadata"]["labels"] == {"a": "3", "b": "2"}


async def test_what_others_changed_is_taken_back(contract: Contract) -> None:
    await contract.cluster.apply("HTTPRoute", route(contract, (100, 0)))
    await contract.other_manager("HTTPRoute", route(contract, (0, 100)))
    after = await contract.cluster.apply("HTTPRoute", route(contract, (100, 0)))
    assert [backend["weight"] for backend in after["spec"]["rules"][0]["backendRefs"]] == [100, 0]


async def test_apply_on_an_older_version_is_a_conflict_and_writes_nothing(contract: Contract) -> None:
    first = await contract.cluster.apply("HTTPRoute", route(contract, (100, 0)))
    second = await contract.cluster.apply("HTTPRoute", route(contract, (90, 10)))
    stale = route(contract, (50, 50))
    stale["metadata"]["resourceVersion"] = first["metadata"]["resourceVersion"]
    with pytest.raises(Conflict):
        await contract.cluster.apply("HTTPRoute", stale)
    assert await contract.cluster.get("HTTPRoute", contract.namespace, "m") == second


async def test_apply_on_the_newest_version_is_taken(contract: Contract) -> None:
    first = await contract.cluster.apply("HTTPRoute", route(contract, (100, 0)))
    guarded = route(contract, (90, 10))
    guarded["metadata"]["resourceVersion"] = first["metadata"]["resourceVersion"]
    assert version(await contract.cluster.apply("HTTPRoute", guarded)) > version(first)


async def gone(contract: Contract) -> Object:
    """An HTTPRoute that was deleted, as it was."""
    first = await contract.cluster.apply("HTTPRoute", route(contract, (100, 0)))
    await contract.cluster.delete("HTTPRoute", contract.namespace, "m", first["metadata"]["uid"])
    await contract.until_gone("HTTPRoute", "m")
    return first


async def test_a_version_alone_does_not_stop_apply_from_creating_what_is_gone(contract: Contract) -> None:
    """Surprising, but so it is: only an object that exists is compared with the version."""
    first = await gone(contract)
    guarded = route(contract, (90, 10))
    guarded["metadata"]["resourceVersion"] = first["metadata"]["resourceVersion"]
    created = await contract.cluster.apply("HTTPRoute", guarded)
    assert created["metadata"]["uid"] != first["metadata"]["uid"]


async def test_a_uid_stops_apply_from_creating_what_is_gone(contract: Contract) -> None:
    first = await gone(contract)
    guarded = route(contract, (90, 10))
    guarded["metadata"]["uid"] = first["metadata"]["uid"]
    with pytest.raises(Conflict):
        await contract.cluster.apply("HTTPRoute", guarded)


async def test_a_uid_stops_apply_from_changing_another_object_of_the_same_name(contract: Contract) -> None:
    first = await gone(contract)
    second = await contract.cluster.apply("HTTPRoute", route(contract, (100, 0)))
    guarded = route(contract, (90, 10))
    guarded["metadata"]["uid"] = first["metadata"]["uid"]
    with pytest.raises((Conflict, Refused)):
        await contract.cluster.apply("HTTPRoute", guarded)
    assert await contract.cluster.get("HTTPRoute", contract.namespace, "m") == second


@pytest.mark.parametrize(
    "spec",
    [
        {"ports": [{"name": "http", "port": 70000}]},
        {"ports": [{"name": "http", "port": 80}], "noSuchField": True},
        {"ports": "eighty"},
    ],
    ids=["value", "unknown field", "type"],
)
async def test_a_manifest_that_is_wrong_is_refused_for_good(contract: Contract, spec: dict[str, Any]) -> None:
    wrong = service(contract)
    wrong["spec"] = spec
    with pytest.raises(Refused) as refused:
        await contract.cluster.apply("Service", wrong)
    assert refused.value.reason


async def test_a_change_of_what_may_not_change_is_refused(contract: Contract) -> None:
    await contract.cluster.apply("ControllerRevision", revision(contract))
    changed = revision(contract)
    changed["data"] = {"a": "2"}
    with pytest.raises(Refused, match="data"):
        await contract.cluster.apply("ControllerRevision", changed)


async def test_a_namespace_that_is_not_there_is_not_found(contract: Contract) -> None:
    lost = revision(contract)
    lost["metadata"]["namespace"] = "no-such-namespace"
    with pytest.raises(NotFound):
        await contract.cluster.apply("ControllerRevision", lost)


# --- create, patch, delete -------------------------------------------------------------------------------------------


async def test_creating_what_exists_is_a_conflict(contract: Contract) -> None:
    await contract.cluster.create("ControllerRevision", revision(contract))
    with pytest.raises(Conflict):
        await contract.cluster.create("ControllerRevision", revision(contract))


async def test_a_merge_patch_sets_and_removes_and_leaves_the_rest(contract: Contract) -> None:
    await contract.cluster.apply("ControllerRevision", revision(contract, annotations={"a": "1", "b": "2"}))
    patch = {"metadata": {"annotations": {"a": None, "c": "3"}}}
    after = await contract.cluster.patch("ControllerRevision", contract.namespace, "m-1", patch)
    assert after["metadata"]["annotations"] == {"b": "2", "c": "3"}
    assert after["data"] == {"a": "1"}


async def test_removing_what_is_not_there_changes_nothing(contract: Contract) -> None:
    first = await contract.cluster.apply("ControllerRevision", revision(contract))
    patch = {"metadata": {"annotations": {"sluice.dev/rejected": None}}}
    after = await contract.cluster.patch("ControllerRevision", contract.namespace, "m-1", patch)
    assert version(after) == version(first)


async def test_a_patched_annotation_outlives_an_apply_without_it(contract: Contract) -> None:
    """The mark of a rejection is patched onto a ControllerRevision that is applied: no apply may lose it."""
    await contract.cluster.apply("ControllerRevision", revision(contract, labels={"a": "1"}))
    mark = {"metadata": {"annotations": {"sluice.dev/rejected": "CheckFailed"}}}
    await contract.cluster.patch("ControllerRevision", contract.namespace, "m-1", mark)
    after = await contract.cluster.apply("ControllerRevision", revision(contract, labels={"a": "2"}))
    assert after["metadata"]["annotations"] == {"sluice.dev/rejected": "CheckFailed"}


async def test_a_patch_on_an_older_version_is_a_conflict(contract: Contract) -> None:
    first = await contract.cluster.apply("ControllerRevision", revision(contract))
    mark = {"metadata": {"annotations": {"a": "1"}}}
    await contract.cluster.patch("ControllerRevision", contract.namespace, "m-1", mark)
    stale = {"metadata": {"annotations": {"a": "2"}, "resourceVersion": first["metadata"]["resourceVersion"]}}
    with pytest.raises(Conflict):
        await contract.cluster.patch("ControllerRevision", contract.namespace, "m-1", stale)


async def test_patching_what_is_not_there_is_not_found(contract: Contract) -> None:
    with pytest.raises(NotFound):
        await contract.cluster.patch("ControllerRevision", contract.namespace, "nothing", {"metadata": {}})


async def test_deleting_takes_exactly_the_object_that_was_meant(contract: Contract) -> None:
    first = await contract.cluster.apply("ControllerRevision", revision(contract))
    await contract.cluster.delete("ControllerRevision", contract.namespace, "m-1", "another-uid")
    assert await contract.cluster.get("ControllerRevision", contract.namespace, "m-1") == first
    await contract.cluster.delete("ControllerRevision", contract.namespace, "m-1", first["metadata"]["uid"])
    await contract.until_gone("ControllerRevision", "m-1")
    with pytest.raises(NotFound):
        await contract.cluster.get("ControllerRevision", contract.namespace, "m-1")


async def test_deleting_what_is_gone_is_success(contract: Contract) -> None:
    await contract.cluster.delete("ControllerRevision", contract.namespace, "nothing", "uid")


async def test_an_object_created_anew_has_another_uid(contract: Contract) -> None:
    first = await contract.cluster.apply("ControllerRevision", revision(contract))
    await contract.cluster.delete("ControllerRevision", contract.namespace, "m-1", first["metadata"]["uid"])
    await contract.until_gone("ControllerRevision", "m-1")
    second = await contract.cluster.apply("ControllerRevision", revision(contract))
    assert second["metadata"]["uid"] != first["metadata"]["uid"]
    assert version(second) > version(first)


# --- status ----------------------------------------------------------------------------------------------------------


async def test_the_status_is_replaced_and_the_spec_is_not_touched(contract: Contract) -> None:
    created = await contract.cluster.create("ModelDeployment", deployment(contract, "s", LEAST))
    manifest = deployment(contract, "s", {})
    manifest.pop("spec")
    manifest["metadata"]["resourceVersion"] = created["metadata"]["resourceVersion"]
    manifest["status"] = {"observedGeneration": 1}
    after = await contract.cluster.replace_status("ModelDeployment", manifest)
    assert after["status"] == {"observedGeneration": 1}
    assert after["spec"] == created["spec"]
    assert after["metadata"]["generation"] == created["metadata"]["generation"]
    assert version(after) > version(created)


async def test_a_status_on_an_older_version_is_a_conflict(contract: Contract) -> None:
    created = await contract.cluster.create("ModelDeployment", deployment(contract, "s", LEAST))
    touch = {"metadata": {"annotations": {"sluice.dev/abort": "8b21de07/1"}}}
    await contract.cluster.patch("ModelDeployment", contract.namespace, "s", touch)
    manifest = deployment(contract, "s", dict(created["spec"]))
    manifest["metadata"]["resourceVersion"] = created["metadata"]["resourceVersion"]
    manifest["status"] = {"observedGeneration": 1}
    with pytest.raises(Conflict):
        await contract.cluster.replace_status("ModelDeployment", manifest)


async def test_the_status_of_what_is_not_there_is_not_found(contract: Contract) -> None:
    manifest = deployment(contract, "nothing", LEAST)
    manifest["metadata"]["resourceVersion"] = "1"
    manifest["status"] = {"observedGeneration": 1}
    with pytest.raises(NotFound):
        await contract.cluster.replace_status("ModelDeployment", manifest)


async def test_an_apply_does_not_change_a_status(contract: Contract) -> None:
    created = await contract.cluster.create("ModelDeployment", deployment(contract, "s", LEAST))
    manifest = {**deployment(contract, "s", LEAST), "status": {"observedGeneration": 9}}
    manifest["metadata"]["resourceVersion"] = created["metadata"]["resourceVersion"]
    after = await contract.cluster.apply("ModelDeployment", manifest)
    assert "status" not in after
