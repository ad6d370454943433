"""The objects that a ModelDeployment owns: their shape, their owner, and the route's slots."""

from typing import Any

import pytest

from sluice.core import children
from sluice.core.rendering import pod_template
from sluice.core.revision import canonical, inputs_of
from unit.operator.core.scenes import IDENTITY, RUNTIME, spec_of

INPUTS = inputs_of(spec_of("a"))
TEMPLATE = canonical(pod_template("flights", INPUTS, RUNTIME))
GATEWAY = spec_of("a").traffic.gateway
ALL = {
    "ControllerRevision": children.record(IDENTITY.owner, INPUTS, TEMPLATE, 7),
    "Deployment": children.deployment(IDENTITY.owner, "8b21de07", TEMPLATE, 3),
    "Service": children.revision_service(IDENTITY.owner, "8b21de07"),
    "PodDisruptionBudget": children.budget(IDENTITY.owner, "8b21de07"),
    "HTTPRoute": children.route(IDENTITY.owner, GATEWAY, (("8b21de07", 90), ("6f9c41d2", 10)), None),
}


@pytest.mark.parametrize("kind", ALL)
def test_every_child_has_its_owner_and_its_labels(kind: str) -> None:
    metadata = ALL[kind]["metadata"]
    (owner,) = metadata["ownerReferences"]
    assert ALL[kind]["kind"] == kind
    assert (owner["uid"], owner["name"], owner["controller"]) == ("uid-1", "flights", True)
    assert metadata["namespace"] == "shop"
    assert metadata["labels"]["sluice.dev/name"] == "flights"
    assert metadata["labels"]["app.kubernetes.io/managed-by"] == "sluice"
    assert children.applied_digest(ALL[kind]) == metadata["annotations"]["sluice.dev/applied"]


def test_the_digest_follows_the_manifest() -> None:
    three, four = (children.deployment(IDENTITY.owner, "8b21de07", '{"spec":{}}', replicas) for replicas in (3, 4))
    children.deployment.cache_clear()
    again = children.deployment(IDENTITY.owner, "8b21de07", '{"spec":{}}', 3)
    assert children.applied_digest(three) == children.applied_digest(again)
    assert children.applied_digest(three) != children.applied_digest(four)


def test_the_deployment() -> None:
    spec = ALL["Deployment"]["spec"]
    assert spec["replicas"] == 3
    assert spec["selector"]["matchLabels"] == {"sluice.dev/name": "flights", "sluice.dev/revision": "8b21de07"}
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}


def test_the_record_keeps_what_was_asked_and_what_was_rendered() -> None:
    record = ALL["ControllerRevision"]
    assert record["metadata"]["name"] == f"flights-{INPUTS.revision}"
    assert record["revision"] == 7
    assert record["data"]["inputs"] == {
        "model": {"uri": "https://models.example/a/manifest.json", "digest": "sha256:" + "a" * 64},
        "runtime": {"name": "sim", "version": "1"},
        "template": {},
    }
    assert record["data"]["template"]["spec"]["containers"][0]["name"] == "model"


@pytest.mark.parametrize(
    ("manifest", "name", "selects"),
    [
        (children.revision_service(IDENTITY.owner, "8b21de07"), "flights-8b21de07", "8b21de07"),
        (children.stable_service(IDENTITY.owner, "6f9c41d2"), "flights", "6f9c41d2"),
    ],
    ids=["of a revision", "of stable"],
)
def test_a_service(manifest: dict[str, Any], name: str, selects: str) -> None:
    assert manifest["metadata"]["name"] == name
    assert manifest["spec"] == {
        "selector": {"sluice.dev/name": "flights", "sluice.dev/revision": selects},
        "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": "http", "appProtocol": "http"}],
    }


def backends(slots: Any, rejected: str | None = None, count: bool = True) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = children.route(IDENTITY.owner, GATEWAY, slots, rejected, count)["spec"]["rules"][0][
        "backendRefs"
    ]
    return found


def test_the_route_has_one_rule_and_a_backend_per_slot() -> None:
    route = ALL["HTTPRoute"]
    (rule,) = route["spec"]["rules"]
    assert rule["name"] == "live"
    assert rule["matches"] == [{"path": {"type": "PathPrefix", "value": "/"}}]
    assert [(b["name"], b["weight"]) for b in rule["backendRefs"]] == [
        ("flights-8b21de07", 90),
        ("flights-6f9c41d2", 10),
    ]
    assert [b["filters"][0]["requestHeaderModifier"]["set"] for b in rule["backendRefs"]] == [
        [{"name": "x-sluice-revision", "value": "8b21de07"}],
        [{"name": "x-sluice-revision", "value": "6f9c41d2"}],
    ]
    assert route["spec"]["parentRefs"] == [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "public"}]


@pytest.mark.parametrize(
    "slots",
    [(("8b21de07", 100), None), (None, ("8b21de07", 100)), (("8b21de07", 50), ("6f9c41d2", 50))],
    ids=["second free", "first free", "both taken"],
)
def test_both_slots_are_filled_and_the_weights_sum_to_100(slots: Any) -> None:
    filled = backends(slots)
    assert len(filled) == 2
    assert sum(b["weight"] for b in filled) == 100
    for slot, backend in zip(slots, filled, strict=True):
        assert slot is None or backend["name"] == f"flights-{slot[0]}"
        assert backend["weight"] > 0


def test_a_rejection_stands_on_the_route() -> None:
    slots = (("8b21de07", 100), None)
    marked = children.route(IDENTITY.owner, GATEWAY, slots, "6f9c41d2")
    assert marked["metadata"]["annotations"]["sluice.dev/rejected"] == "6f9c41d2"
    plain = children.route(IDENTITY.owner, GATEWAY, slots, None)
    assert "sluice.dev/rejected" not in plain["metadata"]["annotations"]
    assert children.applied_digest(marked) != children.applied_digest(plain)


def test_without_backend_filters_there_are_none() -> None:
    assert all("filters" not in b for b in backends((("8b21de07", 90), ("6f9c41d2", 10)), count=False))
