"""How wide is what comes to a node? onnxruntime itself says, for every number of rows that it will ever be asked for.

A node that needs a check is only run once it has passed it: of a classifier behind a scaler, the scaler is checked
with the graph's inputs, then the scaler runs, and then the classifier is checked with what the scaler gives.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy.typing as npt
from onnx import GraphProto, ModelProto, NodeProto, ValueInfoProto

from sluice_model_server.graphs.attributes import kind_of
from sluice_model_server.graphs.session import Session
from sluice_model_server.graphs.structure import ancestors
from sluice_model_server.graphs.table import OPERATORS
from sluice_model_server.graphs.tensors import array_of
from sluice_model_server.refusal import Refusal, demand

ROWS: Final = 64
"""The most rows of one run: as many as a shared call has. More are answered in several runs, so that nothing is ever
run in a shape that was not looked at."""

Feeds = Callable[[int], Mapping[str, npt.NDArray[Any]]]
"""Input tensors of that many rows, which the model must be able to answer."""
Check = Callable[[NodeProto, "tuple[Given, ...]"], None]


@dataclass(frozen=True, slots=True)
class Given:
    """What comes to a node as one of its inputs.

    kind: numpy's letter of the elements. ranks, widths: how many sides it has, and the last of them (1 of a single
    number), for every number of rows. value: of a tensor of the file, else None.
    """

    kind: str
    ranks: frozenset[int]
    widths: frozenset[int]
    value: npt.NDArray[Any] | None = None

    @property
    def width(self) -> int:
        """The last side. Raises Refusal when it depends on the number of rows."""
        demand(len(self.widths) == 1, "its input is as wide as there are rows")
        return next(iter(self.widths))


def check_nodes(model: ModelProto, feeds: Feeds, checks: Mapping[str, Check]) -> None:
    """Runs every check that the table names. Raises Refusal, which names the operator."""
    graph = model.graph
    known = {tensor.name: _given([array_of(tensor)], array_of(tensor)) for tensor in graph.initializer}
    for name, arrays in _arrays([feeds(rows) for rows in range(1, ROWS + 1)]).items():
        known[name] = _given(arrays)
    for level in _levels(graph):
        asked = {name for node in level for name in node.input if name and name not in known}
        if asked:
            for name, arrays in _arrays(_run(model, asked, feeds)).items():
                known[name] = _given(arrays)
        for node in level:
            check = checks[OPERATORS[kind_of(node)].check or ""]
            try:
                check(node, tuple(known[name] for name in node.input if name))
            except Refusal as refusal:
                raise Refusal(f"{node.op_type}: {refusal}") from None


def _levels(graph: GraphProto) -> list[list[NodeProto]]:
    """The nodes that need a check, by how many such nodes stand before them on the longest way."""
    depth: dict[str, int] = {}
    levels: list[list[NodeProto]] = []
    for node in graph.node:
        level = max((depth.get(name, 0) for name in node.input), default=0)
        if OPERATORS[kind_of(node)].check is not None:
            while len(levels) <= level:
                levels.append([])
            levels[level].append(node)
            level += 1
        depth.update(dict.fromkeys(node.output, level))
    return levels


def _run(model: ModelProto, names: set[str], feeds: Feeds) -> list[Mapping[str, npt.NDArray[Any]]]:
    """These tensors, for each number of rows."""
    nodes = list(ancestors(model.graph, names))
    used = {name for node in nodes for name in node.input}
    inputs = [value for value in model.graph.input if value.name in used]
    part = ModelProto(ir_version=model.ir_version, opset_import=model.opset_import)
    part.graph.name = "part"
    part.graph.node.extend(nodes)
    part.graph.input.extend(inputs)
    part.graph.initializer.extend(tensor for tensor in model.graph.initializer if tensor.name in used)
    part.graph.output.extend(ValueInfoProto(name=name) for name in sorted(names))
    taken = {value.name for value in inputs}
    session = Session(part.SerializeToString(), sorted(names))
    return [
        dict(zip(sorted(names), session.run({k: v for k, v in feeds(rows).items() if k in taken}), strict=True))
        for rows in range(1, ROWS + 1)
    ]


def _arrays(runs: list[Mapping[str, npt.NDArray[Any]]]) -> dict[str, list[npt.NDArray[Any]]]:
    return {name: [run[name] for run in runs] for name in runs[0]}


def _given(arrays: list[npt.NDArray[Any]], value: npt.NDArray[Any] | None = None) -> Given:
    """Of one tensor for each number of rows."""
    kinds, ranks, widths = zip(*((a.dtype.kind, a.ndim, a.shape[-1] if a.ndim else 1) for a in arrays), strict=True)
    return Given(kinds[0], frozenset(ranks), frozenset(widths), value)
