"""An add-on counts as ready when it says so of the spec it has now."""

from __future__ import annotations

from typing import Any

import pytest

from sluice_dev.cluster.addons import is_true
from sluice_dev.cluster.lifecycle import ADDONS, unready_addons


def resource(name: str, **change: Any) -> dict[str, Any]:
    """The add-on as the API server lists it when all is well, with `change` to its spec."""
    condition, kind, namespace, object_name = ADDONS[name]
    return {
        "kind": kind,
        "metadata": {"namespace": namespace, "name": object_name, "generation": 2},
        "spec": {"replicas": 1, **change} if kind == "Deployment" else {},
        "status": {"observedGeneration": 2, "conditions": [{"type": condition, "status": "True"}]},
    }


def test_all_is_well() -> None:
    assert unready_addons([resource(name) for name in ADDONS]) == ()


@pytest.mark.parametrize("absent", ADDONS)
def test_what_is_absent_is_named(absent: str) -> None:
    assert unready_addons([resource(name) for name in ADDONS if name != absent]) == (absent,)


def test_a_prometheus_that_a_test_stopped_is_not_ready() -> None:
    others = [resource(name) for name in ADDONS if name != "Prometheus"]
    assert unready_addons([*others, resource("Prometheus", replicas=0)]) == ("Prometheus",)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"observedGeneration": 3, "conditions": [{"type": "Available", "status": "True"}]}, True),
        ({"observedGeneration": 2, "conditions": [{"type": "Available", "status": "True"}]}, False),
        ({"conditions": [{"type": "Available", "status": "True", "observedGeneration": 2}]}, False),
        ({"conditions": [{"type": "Available", "status": "True", "observedGeneration": 3}]}, True),
        ({"observedGeneration": 3, "conditions": [{"type": "Available", "status": "False"}]}, False),
        ({"observedGeneration": 3, "conditions": [{"type": "Progressing", "status": "True"}]}, False),
        ({}, False),
    ],
)
def test_a_condition_holds_for_its_generation_only(status: dict[str, Any], expected: bool) -> None:
    assert is_true({"metadata": {"generation": 3}, "status": status}, "Available") is expected
