"""Does a file hold nothing but reviewed operators, in order, on tensors that are what they say?"""

from collections.abc import Iterator
from typing import Final

from onnx import GraphProto, ModelProto, NodeProto

from sluice_model_server.graphs.attributes import KINDS, kind_of
from sluice_model_server.graphs.table import ADVICE, DOMAINS, OPERATORS, VERSIONS
from sluice_model_server.graphs.tensors import check_tensor
from sluice_model_server.refusal import Refusal, demand

MAX_NODES: Final = 20_000
"""A stack of 100 bagged pipelines has 1,500."""
IR_VERSIONS: Final = range(3, 14)
_NAMED: Final = 80
"""Characters of a file's own text in an error."""


def check_structure(model: ModelProto) -> None:
    """Raises Refusal, which says what is wrong and what to do."""
    demand(
        model.ir_version in IR_VERSIONS, f"ir_version {model.ir_version} is none of {IR_VERSIONS[0]}..{IR_VERSIONS[-1]}"
    )
    demand(
        not model.functions,
        "defines operators of its own (functions); inline them: onnx.inliner.inline_local_functions",
    )
    demand(not model.training_info, "holds a graph for training; save the one for inference alone")
    _check_releases(model)
    graph = model.graph
    demand(not graph.sparse_initializer, "holds sparse tensors; save it with dense ones")
    demand(not graph.quantization_annotation, "is quantised; save it with plain numbers")
    demand(len(graph.node) <= MAX_NODES, f"has {len(graph.node)} nodes, more than {MAX_NODES}")
    for tensor in graph.initializer:
        check_tensor(tensor)
    for node in graph.node:
        _check_node(node)
    _check_order(graph)


def _check_releases(model: ModelProto) -> None:
    seen: dict[str, int] = {}
    for opset in model.opset_import:
        domain = DOMAINS.get(opset.domain)
        if domain is None:
            continue  # of no effect: no node may use it
        twice = seen.setdefault(domain, opset.version) != opset.version
        demand(not twice, f"imports two releases of {domain or 'ai.onnx'}")
        known = VERSIONS[domain]
        demand(
            opset.version in known,
            f"uses release {opset.version} of {domain or 'ai.onnx'}; known are {known[0]}..{known[-1]} (target_opset)",
        )


def _check_node(node: NodeProto) -> None:
    kind = kind_of(node)
    called = f"{kind[0] or 'ai.onnx'}.{kind[1]}"[:_NAMED]
    if kind not in OPERATORS:
        advice = ADVICE.get(kind, "docs/reference/model-server-formats.md")
        raise Refusal(f"{called} is not among the reviewed operators ({advice})")
    names = [attribute.name for attribute in node.attribute]
    demand(len(set(names)) == len(names), f"{called} has an attribute twice")
    for attribute in node.attribute:
        fits = attribute.type in KINDS and not attribute.ref_attr_name
        demand(fits, f"{called} has an attribute {attribute.name[:_NAMED]!r} that is no number, text or dense tensor")
        if KINDS[attribute.type] == "t":
            check_tensor(attribute.t)


def _check_order(graph: GraphProto) -> None:
    """Every name means one tensor, made before it is used; shapes depend on the number of rows alone."""
    fixed = {tensor.name for tensor in graph.initializer}
    demand(len(fixed) == len(graph.initializer), "a tensor stands twice")
    inputs = {value.name for value in graph.input}
    demand(len(inputs) == len(graph.input), "an input stands twice")
    made = fixed | inputs
    for node in graph.node:
        operator = OPERATORS[kind_of(node)]
        for place, name in enumerate(node.input):
            demand(
                not name or name in made, f"{node.op_type} asks for {name[:_NAMED]!r}, which nothing before it makes"
            )
            demand(
                place not in operator.fixed or not name or name in fixed,
                f"{node.op_type}: the shape of its output depends on values; only fixed shapes are admitted",
            )
        outputs = [name for name in node.output if name]
        demand(len(set(outputs)) == len(outputs) and made.isdisjoint(outputs), f"{node.op_type} makes a tensor again")
        made.update(outputs)
        if node.op_type == "Shape" or fixed.issuperset(name for name in node.input if name):
            fixed.update(outputs)
    for value in graph.output:
        demand(value.name in made, f"the output {value.name[:_NAMED]!r} is made by nothing")


def ancestors(graph: GraphProto, names: set[str]) -> Iterator[NodeProto]:
    """The nodes that these tensors are made by, in the order of the graph."""
    wanted, kept = set(names), list[NodeProto]()
    for node in reversed(graph.node):
        if wanted.intersection(node.output):
            kept.append(node)
            wanted.update(node.input)
    return reversed(kept)
