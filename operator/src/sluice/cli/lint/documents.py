"""Which ModelDeployments are in a file, and on which line is what?"""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import yaml

from sluice.api.names import API_VERSION, GROUP, KIND
from sluice.cli.errors import Unreadable
from sluice.cli.lint.finding import Finding, Place, error


class _Loader(yaml.SafeLoader):
    """As Kubernetes reads YAML: a date is a string, since JSON has none."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True, slots=True)
class Document:
    """One object of a file. source: its name, for messages. node: the same as YAML, with its lines."""

    source: str
    value: dict[str, Any]
    node: yaml.Node

    @property
    def ours(self) -> bool:
        """A ModelDeployment of any version."""
        return self.value.get("kind") == KIND and str(self.value.get("apiVersion", "")).partition("/")[0] == GROUP

    def line(self, place: Place) -> int:
        """Line (from 1) of a place; of the innermost part of it that exists."""
        node = self.node
        for part in place:
            below = _child(node, part)
            if below is None:
                break
            node = below
        return int(node.start_mark.line) + 1

    def doubled(self) -> Iterator[Finding]:
        """Keys that stand twice in one object: YAML keeps the last one, the API server refuses both."""
        yield from _doubled(self.node, ())

    def foreign(self) -> Iterator[Finding]:
        """A version that this plugin does not know."""
        version = self.value.get("apiVersion")
        if version != API_VERSION:
            yield error(("apiVersion",), f"{version} is not {API_VERSION}, the version that this plugin knows")


def read(source: str, text: str) -> Iterator[Document]:
    """All objects, those in Lists too, ModelDeployments or not. Raises Unreadable for what is no YAML."""
    loader = _Loader(text)
    try:
        while loader.check_node():
            if (node := loader.get_node()) is not None:
                # of a copy, as constructing writes what `<<` merges into the nodes
                yield from _objects(source, loader.construct_document(deepcopy(node)), node)
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        words = getattr(problem, "problem", None) or problem
        raise Unreadable(f"{source}{line} is no YAML: {' '.join(str(words).split())}") from problem
    finally:
        loader.dispose()


def _objects(source: str, value: Any, node: yaml.Node) -> Iterator[Document]:
    if not isinstance(value, dict):
        return
    if str(value.get("kind", "")).endswith("List") and isinstance(value.get("items"), list):
        items = _child(node, "items")
        for number, item in enumerate(value["items"]):
            below = _child(items, number) if items else None
            if below is not None:
                yield from _objects(source, item, below)
        return
    yield Document(source, value, node)


def _child(node: yaml.Node, part: str | int) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == part), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        found: yaml.Node = node.value[part]
        return found
    return None


def _doubled(node: yaml.Node, place: Place) -> Iterator[Finding]:
    if isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            yield from _doubled(item, (*place, number))
    if not isinstance(node, yaml.MappingNode):
        return
    seen = set()
    for key, value in node.value:
        below = (*place, str(key.value))
        if key.value in seen:
            yield error(below, "stands twice in one object; remove one of the two")
        seen.add(key.value)
        yield from _doubled(value, below)
