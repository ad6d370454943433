"""A pydantic model as a structural schema: the subset of OpenAPI that a CustomResourceDefinition may hold.

Structural means: every `$ref` written out, one type per node, no `null` (an absent field says the same), closed
objects. See https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/.
"""

from typing import Any, Final

from pydantic import BaseModel

from sluice.api.rules import VALIDATIONS

Node = dict[str, Any]

KEPT: Final = (
    "description",
    "type",
    "format",
    "default",
    "enum",
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "minItems",
    "maxItems",
    "items",
    "required",
    "properties",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    VALIDATIONS,
)
"""Everything a node may hold, in the order in which it is written."""
DROPPED: Final = frozenset({"title", "additionalProperties"})
"""Titles repeat the field's name; a free-form object is said by x-kubernetes-preserve-unknown-fields."""


def structural(model: type[BaseModel], *, defaults: bool) -> Node:
    """The schema of `model`. With `defaults` the API server fills in absent fields, as it should for a spec.

    Raises ValueError for what a structural schema cannot say: a union of types, or a keyword that is not in KEPT.
    """
    document = model.model_json_schema(by_alias=True, mode="serialization")  # defaults in the form users write them
    return _node(document, document.get("$defs", {}), model.__name__, defaults)


def _node(source: Node, definitions: dict[str, Node], path: str, defaults: bool) -> Node:
    node = _written_out(source, definitions, path)
    if "const" in node:
        node["enum"] = [node.pop("const")]
    if "properties" in node:
        node["properties"] = {
            name: _node(child, definitions, f"{path}.{name}", defaults) for name, child in node["properties"].items()
        }
    if "items" in node:
        node["items"] = _node(node["items"], definitions, f"{path}[]", defaults)
        node.setdefault("x-kubernetes-list-type", "atomic")
    if "default" in node:
        default = node.pop("default")
        if defaults and _says_something(default, node):
            node["default"] = shortest(default, node)
    unknown = node.keys() - set(KEPT) - DROPPED
    if unknown:
        raise ValueError(f"{path}: a structural schema cannot say {', '.join(sorted(unknown))}; say it as CEL")
    return {key: node[key] for key in KEPT if key in node}


def _written_out(source: Node, definitions: dict[str, Node], path: str) -> Node:
    """The node with its reference followed and its `or null` taken away. What stands beside them wins."""
    node = {key: value for key, value in source.items() if key not in ("$ref", "anyOf", "$defs")}
    if "$ref" in source:
        return _joined(_written_out(definitions[source["$ref"].rsplit("/", 1)[-1]], definitions, path), node)
    if "anyOf" in source:
        members = [member for member in source["anyOf"] if member != {"type": "null"}]
        if len(members) != 1:
            raise ValueError(f"{path}: a structural schema cannot say a union of types; use a discriminated object")
        return _joined(_written_out(members[0], definitions, path), node)
    return node


def _joined(inner: Node, outer: Node) -> Node:
    """The rules of both; of everything else, what `outer` says."""
    rules = [*inner.get(VALIDATIONS, ()), *outer.get(VALIDATIONS, ())]
    return {**inner, **outer, **({VALIDATIONS: rules} if rules else {})}


def shortest(value: Any, node: Node) -> Any:
    """`value` without what the defaults inside it say anyway: the API server fills those in after this one."""
    if isinstance(value, dict) and "properties" in node:
        kept = {key: shortest(item, node["properties"][key]) for key, item in value.items() if item is not None}
        return {key: item for key, item in kept.items() if item != node["properties"][key].get("default")}
    if isinstance(value, list) and "items" in node:
        return [shortest(item, node["items"]) for item in value]
    return value


def _says_something(default: Any, node: Node) -> bool:
    """Whether writing the default shows or fills in more than leaving the field absent does.

    Null is absence, and so is an empty collection, unless it is an object whose fields have defaults of their own.
    """
    if default is None:
        return False
    if isinstance(default, dict | list):
        return bool(default) or any("default" in child for child in node.get("properties", {}).values())
    return True
