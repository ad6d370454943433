"""A spec that names a gateway which is not there, or which nobody tried: what serves stays where it is."""

from dataclasses import replace
from typing import Any

import pytest

from sluice.api.names import Reason
from sluice.api.status import Verdict
from sluice.core.planner import decide
from sluice.core.snapshot import Snapshot
from unit.operator.core.scenes import (
    CANDIDATE,
    STABLE,
    check,
    condition,
    observed,
    route_of,
    routes,
    scene,
    shares,
    spec_of,
    status_of,
)

LIVE = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "public"}
ELSEWHERE = {"gateway": {"parentRefs": [{"name": "nowhere"}]}}


def moved(controller: str | None, weights: dict[str, int], **changes: Any) -> Snapshot:
    """The spec names the Gateway `nowhere`; the route rests on `public`."""
    spec = spec_of("a" if weights == {STABLE: 100} else "b", traffic=ELSEWHERE)
    gateway = replace(scene().gateways[0], ref=spec.traffic.gateway.parent_refs[0], controller=controller)
    return scene(spec=spec, gateways=(gateway,), route=replace(route_of(weights), parents=(LIVE,)), **changes)


@pytest.mark.parametrize(
    ("controller", "reason"), [(None, Reason.GATEWAY_NOT_FOUND), ("example.com/x", Reason.UNSUPPORTED_BY_GATEWAY)]
)
def test_the_route_is_not_moved_and_it_is_told(controller: str | None, reason: Reason) -> None:
    plan = decide(moved(controller, {STABLE: 100}, status=status_of(None)))
    assert routes(plan) == []
    assert condition(plan, "Stalled") == ("True", reason)
    assert condition(plan, "Ready") == ("False", reason)
    assert condition(plan, "Available")[0] == "True"


def test_a_rollback_acts_on_the_gateway_that_carries_the_route() -> None:
    failed = observed(checks=(check(Verdict.FAIL),))
    plan = decide(moved(None, {STABLE: 90, CANDIDATE: 10}, observation=failed))
    [route] = routes(plan)
    assert shares(route) == {STABLE: 100}
    assert route.manifest["spec"]["parentRefs"] == [LIVE]


def test_a_gateway_that_is_there_takes_the_route() -> None:
    known = scene().gateways[0].controller
    [route] = routes(decide(moved(known, {STABLE: 100}, status=status_of(None))))
    assert [parent["name"] for parent in route.manifest["spec"]["parentRefs"]] == ["nowhere"]
