"""`kubectl explain` is documentation: every field of the schema has a description there."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from sluice_dev.cluster import CommandFailed
from sluice_dev.generate import CRD, ROOT

pytestmark = pytest.mark.apiserver

Node = dict[str, Any]
SCHEMA: Node = yaml.safe_load((ROOT / CRD).read_text())["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


def objects(node: Node, path: str) -> Iterator[tuple[str, Node]]:
    """Every object of the schema that has fields, with its path as kubectl explain takes it."""
    node = node.get("items", node)
    if "properties" in node:
        yield path, node
        for name, child in node["properties"].items():
            yield from objects(child, f"{path}.{name}")


OBJECTS = dict(objects({**SCHEMA, "properties": {k: SCHEMA["properties"][k] for k in ("spec", "status")}}, ""))


@pytest.fixture(scope="module")
def explain(models, eventually):
    """`kubectl explain` for a path below ModelDeployment, once the API server has published the schema."""

    def ask(path: str) -> str:
        return models.cluster.kubectl("explain", f"modeldeployments{path}", f"--api-version={models.group}/v1alpha1")

    def published() -> bool:
        try:
            return "ModelDeployment" in ask("")
        except CommandFailed:
            return False

    eventually(published)
    return ask


@pytest.mark.parametrize("path", OBJECTS)
def test_kubectl_explains_every_field(explain, path: str) -> None:
    text = explain(path)
    assert "<no description>" not in text
    words = " ".join(text.split())
    for name, child in OBJECTS[path]["properties"].items():
        assert f"\n  {name}\t<" in text
        description = " ".join(child["description"].split())
        assert description in words, f"{path}.{name}"


def test_kubectl_explains_what_a_model_deployment_is(explain) -> None:
    assert SCHEMA["description"] in " ".join(explain("").split())
