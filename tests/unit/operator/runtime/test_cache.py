"""The cache keeps the newest of what it is told, whatever the order it is told in."""

import json
from typing import Any

import pytest

from sluice.api import names
from sluice.ports import reading
from sluice.runtime.cache import Cache

Make = Any


@pytest.fixture
def cache() -> Cache:
    return Cache(["Service", "Pod"])


def replicas(obj: Any) -> int:
    return int(obj["spec"]["replicas"])


def test_a_newer_object_replaces_an_older_one_and_is_news(cache: Cache, make: Make) -> None:
    assert cache.put("Deployment", make("m-1", 5, spec={"replicas": 1}))
    assert cache.put("Deployment", make("m-1", 7, spec={"replicas": 2}))
    assert replicas(cache.get("Deployment", "shop", "m-1")) == 2


@pytest.mark.parametrize("version", [6, 7])
def test_an_object_that_is_not_newer_is_ignored(cache: Cache, make: Make, version: int) -> None:
    cache.put("Deployment", make("m-1", 7, spec={"replicas": 2}))
    assert not cache.put("Deployment", make("m-1", version, spec={"replicas": 9}))
    assert replicas(cache.get("Deployment", "shop", "m-1")) == 2


def test_versions_compare_as_numbers(cache: Cache, make: Make) -> None:
    cache.put("Deployment", make("m-1", 9, spec={"replicas": 1}))
    assert cache.put("Deployment", make("m-1", 10, spec={"replicas": 2}))


def test_a_write_that_touches_nothing_read_is_remembered_but_no_news(cache: Cache, make: Make) -> None:
    cache.put("Service", make("m", 1, spec={"selector": {"a": "b"}, "clusterIP": "10.0.0.1"}))
    assert not cache.put("Service", make("m", 2, spec={"selector": {"a": "b"}, "clusterIP": "10.0.0.2"}))
    held = cache.get("Service", "shop", "m")
    assert held is not None
    assert held["metadata"]["resourceVersion"] == "2"


def test_a_late_event_does_not_bring_a_deleted_object_back(cache: Cache, make: Make) -> None:
    cache.put("Service", make("m", 3))
    cache.drop("Service", "shop", "m", 8)
    assert not cache.put("Service", make("m", 7))
    assert cache.get("Service", "shop", "m") is None


def test_an_object_created_anew_after_the_deletion_is_taken(cache: Cache, make: Make) -> None:
    cache.put("Service", make("m", 3))
    cache.drop("Service", "shop", "m", 8)
    assert cache.put("Service", make("m", 9))


def test_a_late_deletion_does_not_remove_the_object_created_anew(cache: Cache, make: Make) -> None:
    cache.put("Service", make("m", 9))
    assert cache.drop("Service", "shop", "m", 8) is None
    assert cache.get("Service", "shop", "m") is not None


def test_a_deletion_of_our_own_needs_no_version(cache: Cache, make: Make) -> None:
    cache.put("Service", make("m", 9))
    assert cache.drop("Service", "shop", "m") is not None
    assert not cache.put("Service", make("m", 9))


def test_the_deletion_of_something_never_seen_still_stops_late_events(cache: Cache, make: Make) -> None:
    cache.drop("Service", "shop", "m", 8)
    assert not cache.put("Service", make("m", 8))


def test_children_are_found_by_owner_and_namespace(cache: Cache, make: Make) -> None:
    cache.put("Service", make("b", 1, owner="m"))
    cache.put("Service", make("a", 2, owner="m"))
    cache.put("Service", make("c", 3, owner="other"))
    assert [one["metadata"]["name"] for one in cache.owned("Service", "shop", "m")] == ["a", "b"]
    assert cache.owned("Service", "elsewhere", "m") == []


def test_a_child_whose_label_changes_changes_its_owner(cache: Cache, make: Make) -> None:
    cache.put("Service", make("a", 1, owner="m"))
    cache.put("Service", make("a", 2, owner="n"))
    assert cache.owned("Service", "shop", "m") == []
    assert len(cache.owned("Service", "shop", "n")) == 1


def test_a_listing_drops_what_it_does_not_have_but_not_what_is_newer_than_it(cache: Cache, make: Make) -> None:
    cache.put("Service", make("gone", 4, owner="m"))
    cache.put("Service", make("kept", 5))
    cache.put("Service", make("later", 21))
    gone = cache.keep_only("Service", {("shop", "kept")}, 20)
    assert [one["metadata"]["name"] for one in gone] == ["gone"]
    assert {one["metadata"]["name"] for one in cache.all("Service")} == {"kept", "later"}
    assert cache.owned("Service", "shop", "m") == []


def test_nothing_is_synced_before_every_kind_was_listed(cache: Cache) -> None:
    assert not cache.synced()
    cache.keep_only("Service", set(), 1)
    assert cache.unlisted() == {"Pod"}
    cache.keep_only("Pod", set(), 1)
    assert cache.synced()


def test_a_pod_is_kept_as_what_is_read_of_it(cache: Cache, make: Make) -> None:
    pod = make("p", 1, owner="m")
    pod["metadata"]["managedFields"] = [{"manager": "kubelet"}]
    pod["metadata"]["annotations"] = {"foreign/one": "x", "sluice.dev/applied": "abc"}
    pod["spec"] = {"containers": [{"name": "model", "image": "x" * 5000}]}
    pod["status"] = {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "True", "lastProbeTime": None}, {"type": "Initialized"}],
        "containerStatuses": [{"name": "model", "ready": True, "restartCount": 2, "imageID": "x" * 100}],
        "qosClass": "Burstable",
    }
    cache.put("Pod", pod)
    held = cache.get("Pod", "shop", "p")
    assert held is not None
    assert len(json.dumps(held)) < 600
    assert held["metadata"]["annotations"] == {"sluice.dev/applied": "abc"}
    assert held["status"]["conditions"] == [{"type": "Ready", "status": "True"}]
    assert held["status"]["containerStatuses"] == [{"name": "model", "ready": True, "restartCount": 2}]


def test_a_route_keeps_all_annotations_but_the_copy_that_kubectl_leaves(cache: Cache, make: Make) -> None:
    route = make("m", 1, spec={"rules": [{"name": "live"}]})
    route["metadata"]["annotations"] = {"a/b": "c", "kubectl.kubernetes.io/last-applied-configuration": "{}"}
    cache.put("HTTPRoute", route)
    held = cache.get("HTTPRoute", "shop", "m")
    assert held is not None
    assert held["metadata"]["annotations"] == {"a/b": "c"}
    assert held["spec"] == {"rules": [{"name": "live"}]}


def test_a_write_of_the_status_leaves_the_spec_the_same_object() -> None:
    """What was read from it, a Spec of a hundred fields, need not be read again."""
    cache = Cache([names.KIND])

    def written(version: int, spec: dict[str, Any], **status: Any) -> Any:
        metadata = {"namespace": "shop", "name": "flights", "resourceVersion": str(version)}
        cache.put(names.KIND, {"metadata": metadata, "spec": spec, "status": status})
        return cache.get(names.KIND, "shop", "flights")

    first = written(1, {"replicas": 3})["spec"]
    assert reading(first, len) == 1
    second = written(2, {"replicas": 3}, summary="Serving")
    assert second["spec"] is first
    assert second["status"] == {"summary": "Serving"}
    third = written(3, {"replicas": 4, "paused": True})["spec"]
    assert (third, reading(third, len)) == ({"replicas": 4, "paused": True}, 2)
