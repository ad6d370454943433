"""What makes a revision, and that nothing else does."""

from typing import Any

import pytest

from sluice.api.v1alpha1 import Spec
from sluice.core.rendering import pod_template
from sluice.core.revision import canonical, inputs_of
from unit.operator.core.scenes import IDENTITY, RUNTIME, spec_of

TEMPLATE = {"spec": {"containers": [{"name": "model", "resources": {"limits": {"memory": "1Gi"}}}]}}


def revision(spec: Spec) -> str:
    return inputs_of(spec).revision


def test_revisions_are_pinned() -> None:
    """Changing these numbers would start a rollout of every ModelDeployment of every user at the next upgrade."""
    assert revision(spec_of("a")) == "50f6af87"
    assert revision(spec_of("a", template=TEMPLATE)) == "43f43348"


@pytest.mark.parametrize(
    "change",
    [
        {"replicas": 9},
        {"paused": True},
        {"progressDeadline": "1h"},
        {"scaleDownDelay": "5m"},
        {"strategy": {"type": "Canary"}},
        {"analysis": {"blindDeadline": "Never"}},
        {"traffic": {"gateway": {"parentRefs": [{"name": "other"}], "hostnames": ["a.example"]}}},
        {"model": {"uri": "https://elsewhere.example/manifest.json", "digest": "sha256:" + "a" * 64}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_how_it_is_served_makes_no_revision(change: dict[str, Any]) -> None:
    """The last one: the same bytes from another place are the same model."""
    assert revision(spec_of("a", **change)) == revision(spec_of("a"))


@pytest.mark.parametrize(
    "change",
    [
        {"model": {"uri": "https://models.example/a/manifest.json", "digest": "sha256:" + "0" * 64}},
        {"runtime": {"name": "other", "version": "1"}},
        {"runtime": {"name": "sim", "version": "2"}},
        {"template": TEMPLATE},
    ],
    ids=["digest", "runtime", "version", "template"],
)
def test_what_is_served_makes_one(change: dict[str, Any]) -> None:
    assert revision(spec_of("a", **change)) != revision(spec_of("a"))


def test_the_order_of_fields_is_nothing() -> None:
    one = spec_of("a", template={"spec": {"a": 1, "b": 2}})
    other = spec_of("a", template={"spec": {"b": 2, "a": 1}})
    assert revision(one) == revision(other)
    assert canonical({"b": 1, "a": "é"}) == '{"a":"é","b":1}'


def test_what_the_operator_renders_makes_no_revision() -> None:
    """A new runtime row (another image, other probes) leaves the name, and the recorded template, as they are."""
    inputs = inputs_of(spec_of("a"))
    newer = RUNTIME.model_copy(update={"image": "registry.example/newer:$(version)"})
    assert pod_template(IDENTITY.name, inputs, RUNTIME) != pod_template(IDENTITY.name, inputs, newer)
    assert inputs.revision == revision(spec_of("a"))
