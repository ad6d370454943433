"""Does an object fit the schema of the CRD? Judged by the very schema that the API server is given."""

import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, Final

from sluice.api.crd import schema
from sluice.api.rules import VALIDATIONS
from sluice.cli.lint.finding import Finding, Place, error
from sluice.cli.lint.rules import breaches

Node = dict[str, Any]

SCHEMA: Final[Node] = schema()

_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "boolean": (bool,),
}
_NAMES: Final = {dict: "object", list: "array", str: "string", int: "integer", float: "number", bool: "boolean"}


def misfits(found: dict[str, Any]) -> Iterator[Finding]:
    """Everything for which the API server would refuse a ModelDeployment. Its status is not read: nor does the API
    server take one from a manifest."""
    given = {key: value for key, value in found.items() if key != "status"}
    metadata = given.get("metadata") or {}
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name", ""), str):
        yield error(("metadata", "name"), "must be of type string")
        return
    if not metadata.get("name") and not metadata.get("generateName"):
        yield error(("metadata", "name"), "Required value: name the ModelDeployment")
        return
    # The rule on the name has nothing to do with the spec, which may be wrong as well.
    yield from (error(place, words) for place, words in breaches(given, SCHEMA[VALIDATIONS]))
    below = {key: value for key, value in SCHEMA.items() if key != VALIDATIONS}
    yield from _schema(given, below, ())
    yield from _rules(given, below, ())


def _schema(value: Any, node: Node, place: Place) -> Iterator[Finding]:
    """Types, fields, forms: all but the rules."""
    wanted = node.get("type", "object")
    if not _is_a(value, wanted):
        hint = f', e.g. "{value}"' if wanted == "string" and not isinstance(value, dict | list) else ""
        yield error(place, f"must be of type {wanted}, is {_NAMES.get(type(value), type(value).__name__)}{hint}")
    elif isinstance(value, dict):
        yield from _fields(value, node, place) if "properties" in node else ()
    elif isinstance(value, list):
        yield from _items(value, node, place)
    elif isinstance(value, str):
        yield from _text(value, node, place)
    elif not isinstance(value, bool):
        yield from _number(value, node, place)


def _rules(value: Any, node: Node, place: Place) -> Iterator[Finding]:
    """CEL is asked only about what fits the schema, as rules rest on it."""
    if isinstance(value, dict):
        for name, child in node.get("properties", {}).items():
            if value.get(name) is not None:
                yield from _rules(value[name], child, (*place, name))
    elif isinstance(value, list) and "items" in node:
        for number, item in enumerate(value):
            yield from _rules(item, node["items"], (*place, number))
    if VALIDATIONS in node and not any(_schema(value, node, place)):
        yield from (error((*place, *at), words) for at, words in breaches(value, node[VALIDATIONS]))


def _is_a(value: Any, wanted: str) -> bool:
    if wanted == "integer" and isinstance(value, float):
        return value.is_integer()  # JSON knows one kind of number
    return isinstance(value, _TYPES[wanted]) and (wanted == "boolean" or not isinstance(value, bool))


def _fields(value: dict[str, Any], node: Node, place: Place) -> Iterator[Finding]:
    known = node["properties"]
    # A field that is null is absent to the API server, as no field of ours may be null.
    given = {str(key): item for key, item in value.items() if item is not None}
    for name in sorted(given.keys() - known.keys()):
        near = get_close_matches(name, known, n=1)
        meant = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"
        yield error((*place, name), f"unknown field; {meant}")
    for name in node.get("required", ()):
        if name not in given:
            words = known[name].get("description", "").rstrip(".")
            yield error((*place, name), f"Required value: {words}")
    for name, item in given.items():
        if name in known:
            yield from _schema(item, known[name], (*place, name))


def _number(value: float, node: Node, place: Place) -> Iterator[Finding]:
    if value < node.get("minimum", value):
        yield error(place, f"is {value:g}, must be greater than or equal to {node['minimum']}")
    if value > node.get("maximum", value):
        yield error(place, f"is {value:g}, must be less than or equal to {node['maximum']}")


def _text(value: str, node: Node, place: Place) -> Iterator[Finding]:
    if "enum" in node and value not in node["enum"]:
        yield error(place, f'"{value}" is none of the supported values: {", ".join(_quoted(node["enum"]))}')
    if len(value) > node.get("maxLength", len(value)):
        yield error(place, f"has {len(value)} characters, may have at most {node['maxLength']}")
    elif len(value) < node.get("minLength", 0):
        yield error(place, "must not be empty")
    elif "pattern" in node and (not re.search(node["pattern"], value) or value.endswith("\n")):
        # A rule says in words what the pattern says in characters.
        said = next((words for _, words in breaches(value, node.get(VALIDATIONS, ()))), "")
        yield error(place, said or f'"{value}" should match {node["pattern"]}: {node.get("description", "")}')


def _items(value: list[Any], node: Node, place: Place) -> Iterator[Finding]:
    if len(value) < node.get("minItems", 0):
        yield error(place, f"must have at least {node['minItems']} items")
    if len(value) > node.get("maxItems", len(value)):
        yield error(place, f"has {len(value)} items, must have at most {node['maxItems']} items")
    for number, item in enumerate(value if "items" in node else ()):
        yield from _schema(item, node["items"], (*place, number))


def _quoted(values: list[str]) -> Iterator[str]:
    return (f'"{value}"' for value in values)
