"""Whose rollouts does a change wake, and how urgently?"""

from typing import Any

import pytest

from sluice.runtime.cache import Cache
from sluice.runtime.intake import Intake

Woken = list[tuple[tuple[str, str], bool]]


@pytest.fixture
def woken() -> Woken:
    return []


@pytest.fixture
def cache() -> Cache:
    return Cache([])


@pytest.fixture
def intake(cache: Cache, woken: Woken) -> Intake:
    return Intake(cache, lambda key, urgent: woken.append((key, urgent)))


def slice_of(make: Any, version: int, *ready: bool | None) -> Any:
    endpoints = [{"conditions": {} if one is None else {"ready": one}} for one in ready]
    return make("m-1-abc", version, owner="m", endpoints=endpoints)


def pod_of(make: Any, version: int, restarts: int) -> Any:
    return make("p", version, owner="m", status={"containerStatuses": [{"name": "model", "restartCount": restarts}]})


def test_a_change_of_a_child_wakes_its_owner(intake: Intake, woken: Woken, make: Any) -> None:
    intake.seen("Service", make("m-1", 1, owner="m"))
    assert woken == [(("shop", "m"), False)]


def test_an_echo_of_what_is_known_wakes_nobody(intake: Intake, cache: Cache, woken: Woken, make: Any) -> None:
    cache.put("Service", make("m-1", 2, owner="m"))
    intake.seen("Service", make("m-1", 2, owner="m"))
    intake.seen("Service", make("m-1", 1, owner="m"))
    assert woken == []


def test_an_object_of_nobody_wakes_nobody(intake: Intake, woken: Woken, make: Any) -> None:
    intake.seen("Service", make("m-1", 1))
    assert woken == []


def test_the_resource_itself_is_woken_by_its_name(intake: Intake, woken: Woken, make: Any) -> None:
    intake.seen("ModelDeployment", make("m", 1, spec={}))
    intake.gone("ModelDeployment", make("m", 2, spec={}))
    assert woken == [(("shop", "m"), False), (("shop", "m"), False)]


def test_a_deleted_child_wakes_its_owner_once(intake: Intake, woken: Woken, make: Any) -> None:
    intake.seen("Service", make("m-1", 1, owner="m"))
    intake.gone("Service", make("m-1", 2, owner="m"))
    intake.gone("Service", make("m-1", 2, owner="m"))
    assert len(woken) == 2


def test_gateways_and_their_classes_wake_every_rollout_that_goes_through_them(
    intake: Intake, cache: Cache, woken: Woken, make: Any
) -> None:
    def routed(model: str, **parent: str) -> Any:
        return make(model, 1, spec={"traffic": {"gateway": {"parentRefs": [{"name": "other"}, parent]}}})

    cache.put("ModelDeployment", routed("here", name="public"))
    cache.put("ModelDeployment", routed("named", name="public", namespace="shop"))
    cache.put("ModelDeployment", routed("elsewhere", name="public", namespace="edge"))
    intake.seen("Gateway", make("public", 1, spec={"gatewayClassName": "eg"}))
    assert {key for key, _ in woken} == {("shop", "here"), ("shop", "named")}
    woken.clear()
    gateway_class = {"metadata": {"name": "eg", "resourceVersion": "5"}, "spec": {"controllerName": "c"}}
    intake.seen("GatewayClass", gateway_class)
    assert {key for key, _ in woken} == {("shop", "here"), ("shop", "named")}


@pytest.mark.parametrize(
    ("before", "after", "urgent"),
    [
        ((True, True), (True, False), True),
        ((None, None), (None,), True),
        ((True,), (True, True), False),
        ((False,), (True,), False),
        ((True, False), (True,), False),
    ],
)
def test_a_lost_endpoint_hurries(
    intake: Intake, woken: Woken, make: Any, before: tuple[bool], after: tuple[bool], urgent: bool
) -> None:
    intake.seen("EndpointSlice", slice_of(make, 1, *before))
    intake.seen("EndpointSlice", slice_of(make, 2, *after))
    assert woken[1] == (("shop", "m"), urgent)


def test_a_slice_that_is_gone_hurries(intake: Intake, woken: Woken, make: Any) -> None:
    intake.seen("EndpointSlice", slice_of(make, 1, True))
    intake.gone("EndpointSlice", slice_of(make, 2, True))
    assert woken[1] == (("shop", "m"), True)


def test_a_container_that_was_started_again_hurries(intake: Intake, woken: Woken, make: Any) -> None:
    intake.seen("Pod", pod_of(make, 1, restarts=1))
    intake.seen("Pod", pod_of(make, 2, restarts=2))
    intake.seen("Pod", make("p", 3, owner="m", status={"phase": "Running"}))
    assert [urgent for _, urgent in woken] == [False, True, False]
