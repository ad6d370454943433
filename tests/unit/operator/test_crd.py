"""The CRD: complete, bounded, structural, and the one that is committed.

What only an API server can tell (CEL's cost, messages, defaults) is in tests/apiserver.
"""

import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from sluice.api.crd import custom_resource_definition
from sluice.api.structural import KEPT, shortest, structural
from sluice.api.v1alpha1 import Spec
from sluice_dev.generate import REFERENCE, ROOT, generated

Node = dict[str, Any]

VERSION: Node = custom_resource_definition()["spec"]["versions"][0]
SCHEMA: Node = VERSION["schema"]["openAPIV3Schema"]


def nodes(node: Node, path: str) -> Iterator[tuple[str, Node]]:
    yield path, node
    for name, child in node.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    if "items" in node:
        yield from nodes(node["items"], f"{path}[]")


def ours() -> list[tuple[str, Node]]:
    """Every node of spec and status."""
    return [found for part in ("spec", "status") for found in nodes(SCHEMA["properties"][part], part)]


@pytest.mark.parametrize("path", [str(path) for path in generated()])
def test_generated_files_are_fresh(path: str) -> None:
    expected = {str(name): text for name, text in generated().items()}[path]
    assert (ROOT / path).read_text() == expected, f"{path} is stale: run `make generate` and commit the result"


def test_the_reference_page_has_every_field_under_its_object() -> None:
    page = {section.split("\n", 1)[0]: section for section in generated()[REFERENCE].split("\n## ")}
    for path, node in ours():
        for name, child in node.get("properties", {}).items():
            assert f"| `{name}` |" in page[path], f"{path}.{name}"
            assert child["description"].replace("|", "\\|") in page[path], f"{path}.{name}"


def test_it_fits_where_it_is_applied() -> None:
    # 256 KiB is what fits the annotation of a client-side `kubectl apply`, with room for the CRD's own metadata
    assert len(json.dumps(custom_resource_definition())) <= 200 * 1024


def test_every_field_has_a_description_that_is_a_sentence() -> None:
    for path, node in ours():
        assert node.get("description", "").endswith((".", "/<token>.")), f"{path}: {node.get('description')!r}"


def test_every_string_list_and_number_is_bounded() -> None:
    """Without bounds the API server's estimate of what CEL costs refuses the CRD."""
    for path, node in ours():
        if node["type"] == "string":
            assert {"maxLength", "enum", "format"} & node.keys(), path
        if node["type"] == "array":
            assert "maxItems" in node, path
        if node["type"] == "integer":
            assert "minimum" in node, path


def test_every_list_says_how_it_merges() -> None:
    for path, node in ours():
        if node["type"] == "array":
            assert node["x-kubernetes-list-type"] in ("atomic", "map"), path
        if node.get("x-kubernetes-list-type") == "map":
            keys = node["x-kubernetes-list-map-keys"]
            assert set(keys) <= set(node["items"]["required"]), f"{path}: a key of a map list must be required"


def test_it_is_structural() -> None:
    for path, node in ours():
        assert set(node) <= set(KEPT), path
        assert isinstance(node["type"], str), path
        assert ("properties" in node) + ("x-kubernetes-preserve-unknown-fields" in node) == (node["type"] == "object")
        assert not (
            set(node.get("required", [])) & {n for n, c in node.get("properties", {}).items() if "default" in c}
        )


def test_status_has_no_defaults() -> None:
    """A default in status would be the API server speaking for the operator."""
    assert [path for path, node in nodes(SCHEMA["properties"]["status"], "status") if "default" in node] == []


def test_the_least_spec_is_model_runtime_traffic_and_strategy_type() -> None:
    spec = SCHEMA["properties"]["spec"]
    assert spec["required"] == ["model", "runtime", "traffic", "strategy"]
    assert spec["properties"]["strategy"]["required"] == ["type"]


def filled_in(value: Any, node: Node) -> Any:
    """What the API server stores for `value`: defaulting as Kubernetes specifies it."""
    if isinstance(value, dict) and "properties" in node:
        missing = {
            name: child["default"]
            for name, child in node["properties"].items()
            if "default" in child and name not in value
        }
        return {
            name: filled_in(item, node["properties"][name]) if name in node["properties"] else item
            for name, item in {**value, **missing}.items()
        }
    if isinstance(value, list):
        return [filled_in(item, node["items"]) for item in value]
    return value


LEAST: Node = {
    "model": {"uri": "https://models.example/m/manifest.json", "digest": "sha256:" + "0" * 64},
    "runtime": {"name": "sluice-sklearn", "version": "0.1.0"},
    "traffic": {"gateway": {"parentRefs": [{"name": "public"}]}},
    "strategy": {"type": "Canary"},
}


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"strategy": {"type": "Canary", "canary": {}}},
        {"strategy": {"type": "Canary", "canary": {"steps": [{"weight": 3}]}}},
        {"analysis": {"checks": [{"name": "q", "type": "Prometheus", "prometheus": {"query": "up", "min": "1"}}]}},
        {"analysis": {"checks": [{"name": "l", "type": "Latency", "latency": {"slo": "250ms"}}]}},
        {"traffic": {"gateway": {"parentRefs": [{"name": "public"}], "matches": [{}]}}},
    ],
)
def test_the_api_server_fills_in_what_the_operator_would(more: Node) -> None:
    spec = {**LEAST, **more}
    stored = filled_in(spec, SCHEMA["properties"]["spec"])
    assert Spec.model_validate(stored) == Spec.model_validate(spec)


def test_defaults_are_written_once() -> None:
    """A default inside a default would be a second copy of it."""
    assert SCHEMA["properties"]["spec"]["properties"]["analysis"]["default"] == {}
    checks = SCHEMA["properties"]["spec"]["properties"]["analysis"]["properties"]["checks"]
    assert checks["default"] == [
        {"name": "errors", "type": "Rate", "rate": {"versusStable": {}}},
        {"name": "latency", "type": "Latency", "latency": {"versusStable": {}}},
    ]
    assert shortest([{"name": "a", "type": "Rate", "onFail": "Pause", "rate": None}], checks) == [
        {"name": "a", "type": "Rate", "onFail": "Pause"}
    ]


def test_every_rule_has_a_message_that_says_what_to_do() -> None:
    rules = [rule for _, node in nodes(SCHEMA, "") for rule in node.get("x-kubernetes-validations", [])]
    assert len(rules) >= 10
    for rule in rules:
        assert len(rule["message"].split()) >= 5, rule
        assert "\n" not in rule["message"] + rule["rule"], rule


class Union(BaseModel):
    value: int | str


class Exclusive(BaseModel):
    value: Annotated[int, Field(gt=0)]


class Fine(BaseModel):
    """An object."""

    value: Annotated[Literal["only"] | None, Field(description="A value.")] = None


@pytest.mark.parametrize(
    ("model", "error"),
    [(Union, "Union.value: .* union of types"), (Exclusive, "Exclusive.value: .* exclusiveMinimum")],
)
def test_what_a_structural_schema_cannot_say_is_an_error(model: type[BaseModel], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        structural(model, defaults=True)


def test_null_is_absence_and_a_constant_an_enum_of_one() -> None:
    assert structural(Fine, defaults=True) == {
        "description": "An object.",
        "type": "object",
        "properties": {"value": {"description": "A value.", "type": "string", "enum": ["only"]}},
    }


def test_the_columns_tell_the_story_of_a_rollout() -> None:
    columns = {column["name"].upper(): column["jsonPath"] for column in VERSION["additionalPrinterColumns"]}
    assert list(columns) == ["STABLE", "CANDIDATE", "WEIGHT", "STATUS", "AGE"]
    paths = {path.replace("[]", "") for path, _ in ours()}
    for name, path in columns.items():
        if name != "AGE":
            assert path.replace("[1]", "").removeprefix(".") in paths, f"{name}: no field {path}"


def test_autoscalers_read_stable() -> None:
    scale = VERSION["subresources"]["scale"]
    paths = {f".{path}" for path, _ in ours()}
    assert set(scale.values()) <= paths
    assert VERSION["subresources"]["status"] == {}
