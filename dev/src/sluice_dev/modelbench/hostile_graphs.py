"""ONNX files as an attacker, a broken disk or a careless converter might leave them."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper

from sluice_dev.modelbench.hostile_files import EXTREMES, Hostile, RunsCode

FORMAT: Final = "onnx"
ML: Final = "ai.onnx.ml"


def _case(kind: str, what: str, content: bytes | ModelProto, *, may_load: bool = False) -> Hostile:
    return Hostile(
        kind, what, content if isinstance(content, bytes) else content.SerializeToString(), may_load, format=FORMAT
    )


def graph(
    nodes: Sequence[NodeProto],
    *,
    width: int | None = 4,
    element: int = TensorProto.FLOAT,
    rows: int | str | None = None,
    outputs: Sequence[tuple[str, int]] = (("y", TensorProto.FLOAT),),
    stored: Sequence[TensorProto] = (),
    opset: int = 21,
    ml: int = 3,
) -> ModelProto:
    """A model of one input `x`, [rows, width]."""
    return helper.make_model(
        helper.make_graph(
            list(nodes),
            "hostile",
            [helper.make_tensor_value_info("x", element, [rows, width])],
            [helper.make_tensor_value_info(name, kind, None) for name, kind in outputs],
            list(stored),
        ),
        opset_imports=[helper.make_opsetid("", opset), helper.make_opsetid(ML, ml)],
        ir_version=10,
    )


def node(operator: str, inputs: str, outputs: str = "y", domain: str = "", **attributes: Any) -> NodeProto:
    """inputs, outputs: names between spaces."""
    return helper.make_node(operator, inputs.split(), outputs.split(), domain=domain, **attributes)


def whole(name: str, values: Sequence[int], sides: Sequence[int] | None = None) -> TensorProto:
    """A tensor of int64."""
    return helper.make_tensor(name, TensorProto.INT64, [len(values)] if sides is None else sides, values)


def numbers(name: str, values: Any) -> TensorProto:
    """A tensor of float."""
    array = np.asarray(values, dtype=np.float32)
    return helper.make_tensor(name, TensorProto.FLOAT, array.shape, array.ravel().tolist())


LEAVES: Final[dict[str, Any]] = {
    "nodes_treeids": [0, 0, 0],
    "nodes_nodeids": [0, 1, 2],
    "nodes_featureids": [1, 0, 0],
    "nodes_truenodeids": [1, 0, 0],
    "nodes_falsenodeids": [2, 0, 0],
    "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"],
    "nodes_values": [0.5, 0.0, 0.0],
    "n_targets": 1,
    "target_treeids": [0, 0],
    "target_nodeids": [1, 2],
    "target_ids": [0, 0],
    "target_weights": [1.0, 2.0],
}
"""A tree of a root and two leaves, for four columns."""


def tree(width: int = 4, **changes: Any) -> ModelProto:
    """A regression by one tree, some of its attributes changed; None leaves one out."""
    attributes = {name: value for name, value in (LEAVES | changes).items() if value is not None}
    return graph([node("TreeEnsembleRegressor", "x", domain=ML, **attributes)], width=width)


def shared_levels(levels: int) -> ModelProto:
    """A tree whose inner nodes' two children are one node each: 2^levels ways."""
    count = levels + 1
    return tree(
        nodes_treeids=[0] * count,
        nodes_nodeids=list(range(count)),
        nodes_featureids=[0] * count,
        nodes_truenodeids=[*range(1, count), 0],
        nodes_falsenodeids=[*range(1, count), 0],
        nodes_modes=["BRANCH_LEQ"] * levels + ["LEAF"],
        nodes_values=[0.5] * count,
        target_treeids=[0],
        target_nodeids=[levels],
        target_ids=[0],
        target_weights=[1.0],
    )


def deep(levels: int) -> ModelProto:
    """A tree that is a chain: each inner node has a leaf and the next."""
    inner, leaves = list(range(levels)), list(range(levels, 2 * levels + 1))
    count = 2 * levels + 1
    return tree(
        nodes_treeids=[0] * count,
        nodes_nodeids=list(range(count)),
        nodes_featureids=[0] * count,
        nodes_truenodeids=[*leaves[:-1], *[0] * len(leaves)],
        nodes_falsenodeids=[*inner[1:], leaves[-1], *[0] * len(leaves)],
        nodes_modes=["BRANCH_LEQ"] * levels + ["LEAF"] * len(leaves),
        nodes_values=[float(level) for level in range(count)],
        target_treeids=[0] * len(leaves),
        target_nodeids=leaves,
        target_ids=[0] * len(leaves),
        target_weights=[1.0] * len(leaves),
    )


TREES: Final[dict[str, ModelProto]] = {
    "child does not exist": tree(nodes_truenodeids=[7, 0, 0]),
    "child is negative": tree(nodes_falsenodeids=[-1, 0, 0]),
    "child is the root": tree(nodes_falsenodeids=[0, 0, 0]),
    "both children are one node": tree(nodes_falsenodeids=[1, 0, 0]),
    "two nodes are each other's children": tree(
        nodes_modes=["LEAF", "BRANCH_LEQ", "BRANCH_LEQ"],
        nodes_truenodeids=[0, 2, 1],
        nodes_falsenodeids=[0, 2, 1],
        target_nodeids=[0, 0],
    ),
    "shared by 60 levels": shared_levels(60),
    "100,000 levels": deep(100_000),
    "feature beyond the row": tree(nodes_featureids=[4, 0, 0]),
    "feature far beyond the row": tree(nodes_featureids=[2**31 - 1, 0, 0]),
    "feature that wraps to 1": tree(nodes_featureids=[2**32 + 1, 0, 0]),
    "feature is negative": tree(nodes_featureids=[-1, 0, 0]),
    "target beyond": tree(target_ids=[0, 1]),
    "target is negative": tree(target_ids=[0, -1]),
    "no targets": tree(n_targets=0),
    "2^40 targets": tree(n_targets=2**40),
    "node stands twice": tree(nodes_nodeids=[0, 1, 1]),
    "node id wraps": tree(nodes_nodeids=[2**32, 1, 2]),
    "fewer values than nodes": tree(nodes_values=[0.5]),
    "fewer features than nodes": tree(nodes_featureids=[1]),
    "fewer weights than targets": tree(target_weights=[1.0]),
    "leaf without a weight": tree(target_treeids=[0], target_nodeids=[1], target_ids=[0], target_weights=[1.0]),
    "weight of a leaf that does not exist": tree(target_nodeids=[1, 9]),
    "too many base values": tree(base_values=[1.0, 2.0]),
    "unknown comparison": tree(nodes_modes=["BRANCH_MEMBER", "LEAF", "LEAF"]),
    "no nodes": graph([node("TreeEnsembleRegressor", "x", domain=ML, n_targets=1)]),
}  # fmt: skip


def _vectors(**changes: Any) -> NodeProto:
    """Support vectors of four columns: two classes, one vector each."""
    attributes: dict[str, Any] = {
        "classlabels_ints": [0, 1],
        "vectors_per_class": [1, 1],
        "support_vectors": [0.0] * 8,
        "coefficients": [1.0, -1.0],
        "rho": [0.1],
        "kernel_type": "RBF",
        "kernel_params": [0.5, 0.0, 3.0],
    }
    return node("SVMClassifier", "x", "y p", domain=ML, **(attributes | changes))


def _labelled(nodes: Sequence[NodeProto]) -> ModelProto:
    return graph(nodes, outputs=[("y", TensorProto.INT64)])


ARRAYS: Final[dict[str, ModelProto]] = {
    "regression with too few coefficients": graph(
        [node("LinearRegressor", "x", domain=ML, coefficients=[1.0], targets=1)]
    ),
    "regression with a million targets": graph(
        [node("LinearRegressor", "x", domain=ML, coefficients=[1.0] * 4, targets=10**6)]
    ),
    "regression with negative targets": graph(
        [node("LinearRegressor", "x", domain=ML, coefficients=[1.0] * 4, targets=-1)]
    ),
    "classifier with too few coefficients": _labelled(
        [node("LinearClassifier", "x", "y p", ML, coefficients=[1.0] * 4, intercepts=[0.0] * 2, classlabels_ints=[0,
        1])]
    ),
    "classifier with fewer classes than scores": _labelled(
        [node("LinearClassifier", "x", "y p", ML, coefficients=[1.0] * 12, intercepts=[0.0] * 3, classlabels_ints=[0])]
    ),
    "scaler of another width": graph(
        [node("Scaler", "x", "s", ML, offset=[0.0] * 3, scale=[1.0] * 3), node("ReduceMax", "s", axes=[1])], opset=11
    ),
    "imputer of another width": graph(
        [
            node("Imputer", "x", "s", ML, imputed_value_floats=[0.0] * 3, replaced_value_float=float("nan")),
            node("ReduceMax", "s", axes=[1]),
        ],
        opset=11,
    ),
    "columns below 0": graph([node("ArrayFeatureExtractor", "x i", domain=ML)], stored=[whole("i", [-50])]),
    "columns beyond": graph([node("ArrayFeatureExtractor", "x i", domain=ML)], stored=[whole("i", [4])]),
    "gathers beyond": graph([node("Gather", "x i", axis=1)], stored=[whole("i", [99])]),
    "vectors of another width": _labelled([_vectors(support_vectors=[0.0] * 6)]),
    "too few coefficients of vectors": _labelled([_vectors(coefficients=[1.0])]),
    "negative number of vectors": _labelled([_vectors(vectors_per_class=[-1, 3])]),
    "2^40 vectors": _labelled([_vectors(vectors_per_class=[2**40, 1])]),
    "more classes than counts of vectors": _labelled([_vectors(classlabels_ints=[0, 1, 2])]),
    "fewer prob_b than prob_a": _labelled([_vectors(prob_a=[1.0])]),
    "unknown kernel": _labelled([_vectors(kernel_type="EVIL")]),
    "least whole number by -1": graph(
        [
            node("Cast", "x", "i", to=TensorProto.INT64),
            node("Min", "i low", "z"),
            node("Div", "z minus", "q"),
            node("Cast", "q", "f", to=TensorProto.FLOAT),
            node("ReduceMax", "f", axes=[1]),
        ],
        stored=[whole("low", [-(2**63)]), whole("minus", [-1])],
        opset=13,
    ),
    "whole number by a computed one": graph(
        [
            node("Cast", "x", "i", to=TensorProto.INT64),
            node("Div", "i i", "q"),
            node("Cast", "q", "f", to=TensorProto.FLOAT),
            node("ReduceMax", "f", axes=[1]),
        ],
        opset=13,
    ),
}  # fmt: skip


def _bomb(*nodes: NodeProto, stored: Sequence[TensorProto] = ()) -> ModelProto:
    return graph([*nodes, node("ReduceMax", "big", "m", keepdims=0), node("Add", "s m")], stored=[*stored])


def _bombs() -> Iterator[tuple[str, ModelProto]]:
    one = node("ReduceMax", "x a", "s")
    axis, huge = whole("a", [1]), whole("n", [1 << 40])
    yield "fills 4 TiB", _bomb(one, node("ConstantOfShape", "n", "big"), stored=[axis, huge])
    yield "expands to 4 TiB", _bomb(one, node("Expand", "s n", "big"), stored=[axis, whole("n", [1, 1 << 40])])
    yield "tiles to 4 TiB", _bomb(one, node("Tile", "s n", "big"), stored=[axis, whole("n", [1, 1 << 40])])
    side = numbers("u", np.ones((60_000, 1)))
    yield (
        "outer product of 14 GB",
        _bomb(one, node("Transpose", "u", "v"), node("MatMul", "u v", "big"), stored=[axis, side]),
    )
    doubled = [node("Concat", f"{name} {name}", after, axis=1) for name, after in _chain(36)]
    yield "doubled 36 times", _bomb(one, *doubled, stored=[axis])
    yield (
        "one-hot of depth 2^40",
        _bomb(
            one,
            node("Cast", "s", "i", to=TensorProto.INT64),
            node("OneHot", "i n v", "big"),
            stored=[axis, huge, numbers("v", [0.0, 1.0])],
        ),
    )


def _chain(levels: int) -> Iterator[tuple[str, str]]:
    for level in range(levels):
        yield "s" if level == 0 else f"c{level}", "big" if level == levels - 1 else f"c{level + 1}"


def structures(model: ModelProto) -> Iterator[Hostile]:
    """What no model of rows needs, on a good model and by itself."""
    for what, changed in (*_outside(model), *_foreign(model), *_impossible(model)):
        yield _case("graph", what, changed)
    for what, changed in TREES.items():
        yield _case("trees", what, changed)
    for what, changed in ARRAYS.items():
        yield _case("arrays", what, changed)
    for what, changed in _bombs():
        yield _case("bombs", what, changed)
    content = model.SerializeToString()
    for what, other in (
        ("pickle", pickle.dumps(RunsCode())),
        ("pickle, protocol 0", pickle.dumps(RunsCode(), 0)),
        ("zip", b"PK\x03\x04" + content),
        ("onnxruntime's own format", b"\x1c\x00\x00\x00ORTM" + bytes(64)),
        ("empty", b""),
        ("text", b"not a model at all"),
        ("twice", content + content),
        ("a million empty nodes", content + b"\x3a\x80\x89\x7a" + b"\x0a\x00" * 1_000_000),
        ("nested 10,000 levels", _nested(10_000)),
    ):
        yield _case("files", what, other)
    yield _case("files", "both formats", _both(model), may_load=True)


def _both(model: ModelProto) -> bytes:
    """Bytes that onnxruntime by itself takes for its own format, and protobuf for an unknown field before a model."""
    # Field 15 as text of 6 bytes, of which the four at 4..8 are ORTM.
    content: bytes = model.SerializeToString()
    return b"\x7a\x06\x00\x00ORTM" + content


def _nested(levels: int) -> bytes:
    """A type that is a sequence of a sequence of ..., as the type of the graph's input."""
    content = b""
    for _ in range(levels):
        inner = b"\x0a" + _varint(len(content)) + content  # Sequence.elem_type
        content = b"\x22" + _varint(len(inner)) + inner  # TypeProto.sequence_type
    value = b"\x0a\x01x\x12" + _varint(len(content)) + content
    graph_content = b"\x5a" + _varint(len(value)) + value
    return b"\x08\x0a\x3a" + _varint(len(graph_content)) + graph_content


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def _copy(model: ModelProto) -> ModelProto:
    copy = ModelProto()
    copy.CopyFrom(model)
    return copy


def _outside(model: ModelProto) -> Iterator[tuple[str, ModelProto]]:
    """Tensors in other places, and other numbers of elements than they say."""
    for location in ("weights.bin", "../../../../etc/passwd", "/etc/passwd", "*/_ORT_MEM_ADDR_/*"):
        other = _copy(model)
        tensor = other.graph.initializer.add(name="outside", data_type=TensorProto.FLOAT, dims=[4])
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in {"location": location, "offset": "0", "length": "16"}.items():
            tensor.external_data.add(key=key, value=value)
        yield f"external data in {location}", other
    for what, sides, held in (
        ("2^60 elements", [1 << 60], 4), ("negative side", [-4], 4), ("sides that wrap to 4", [1 << 62, 4], 4),
        ("more than held", [1 << 20], 4), ("less than held", [2], 4), ("9 sides", [1] * 9, 1),
    ):  # fmt: skip
        other = _copy(model)
        other.graph.initializer.add(name="lie", data_type=TensorProto.FLOAT, dims=sides, raw_data=bytes(4 * held))
        yield f"tensor that says {what}", other
    other = _copy(model)
    other.graph.initializer.add(name="lie", data_type=99, dims=[1], raw_data=bytes(4))
    yield "tensor of an unknown type", other
    other = _copy(model)
    other.graph.initializer.add(name="lie", data_type=TensorProto.FLOAT, dims=[2], raw_data=bytes(8), float_data=[1, 2])
    yield "tensor that holds its elements twice", other
    other = _copy(model)
    other.graph.sparse_initializer.add().values.name = "sparse"
    yield "sparse tensor", other


def _foreign(model: ModelProto) -> Iterator[tuple[str, ModelProto]]:
    """Operators and graphs that were not reviewed."""
    for domain, operator in (
        ("com.microsoft", "EPContext"), ("com.microsoft", "Tokenizer"), ("com.microsoft", "FusedMatMul"),
        ("ai.onnx.contrib", "StringJoin"), ("ai.onnx.preview.training", "Adam"), ("evil", "ReadFile"), ("", "NonZero"),
        ("", "RandomNormalLike"), ("", "Optional"), ("", "SequenceConstruct"), (ML, "TreeEnsemble"), (ML,
        "DictVectorizer"),
    ):  # fmt: skip
        other = _copy(model)
        other.graph.node.insert(0, node(operator, other.graph.input[0].name, "extra", domain))
        yield f"{domain or 'ai.onnx'}.{operator}", other
    yield "functions", _with_function(_copy(model))
    for operator in ("If", "Loop", "Scan"):
        other = _copy(model)
        inner = GraphProto(name="inner")
        added = other.graph.node.add(op_type=operator, input=[other.graph.input[0].name], output=["extra"])
        added.attribute.add(name="body", type=AttributeProto.GRAPH).g.CopyFrom(inner)
        yield operator, other
    other = _copy(model)
    attribute = other.graph.node[0].attribute.add(name="hidden", type=AttributeProto.GRAPH)
    attribute.g.node.add(op_type="Identity", input=["x"], output=["z"])
    yield "graph in an attribute", other


def _impossible(model: ModelProto) -> Iterator[tuple[str, ModelProto]]:
    """Releases, inputs, outputs and names that make no model of rows."""
    for version in (0, 1, 999, 2**40):
        other = _copy(model)
        next(opset for opset in other.opset_import if not opset.domain).version = version
        yield f"release {version}", other
    yield "no ir_version", _without_version(_copy(model))
    for what, kind in (("no tensor", "seq"), ("three sides", [None, 4, 4]), ("one row", [1, 4]), ("no columns", [None,
    0]),
                       ("no shape", None), ("any width", [None, None])):  # fmt: skip
        other = _copy(model)
        other.graph.input[0].CopyFrom(_input(other.graph.input[0].name, kind))
        yield f"input of {what}", other
    other = _copy(model)
    other.graph.output.extend(ValueInfoProto(name="nobody") for _ in range(1))
    yield "output that nothing makes", other
    other = _copy(model)
    other.graph.node.add(
        op_type="Identity", input=[other.graph.node[0].output[0]], output=[other.graph.node[0].output[0]]
    )
    yield "tensor made twice", other
    other = _copy(model)
    other.graph.node[0].input[0] = "nobody"
    yield "tensor that nothing makes", other
    yield "mean over the rows", graph([node("ReduceMean", "x", "m", axes=[0]), node("Sub", "x m", "d"),
                                       node("ReduceSum", "d", axes=[1])], opset=11)  # fmt: skip
    yield (
        "softmax over the rows",
        graph([node("Softmax", "x", "p", axis=0), node("ReduceMax", "p", axes=[1])], opset=13),
    )
    yield "one answer for all rows", graph([node("ReduceMax", "x")])
    yield "two answers per row", graph([node("Identity", "x")])
    chain = [node("Identity", "x" if i == 0 else f"n{i}", f"n{i + 1}") for i in range(30_000)]
    yield "30,000 nodes", graph([*chain, node("ReduceSum", "n30000", axes=[1])], opset=11)


def _with_function(model: ModelProto) -> ModelProto:
    body = model.functions.add(name="hidden", domain="local", input=["a"], output=["b"])
    body.node.add(op_type="Identity", input=["a"], output=["b"])
    model.opset_import.add(domain="local", version=1)
    return model


def _without_version(model: ModelProto) -> ModelProto:
    model.ClearField("ir_version")
    return model


def _input(name: str, shape: Any) -> ValueInfoProto:
    if shape == "seq":
        return helper.make_tensor_sequence_value_info(name, TensorProto.FLOAT, None)
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def truncated(name: str, content: bytes, step: int) -> Iterator[Hostile]:
    """Cut off at every `step` bytes. A cut between two fields may leave a model that is whole."""
    for end in range(0, len(content), step):
        yield _case("truncated", f"{name} at {end}", content[:end], may_load=True)


def flipped(name: str, content: bytes, count: int) -> Iterator[Hostile]:
    """One byte changed, in `count` places."""
    for place in range(0, len(content), max(1, len(content) // count)):
        changed = bytearray(content)
        changed[place] ^= 0xFF
        yield _case("bytes", f"{name}: byte {place}", bytes(changed), may_load=True)


def tampered(name: str, model: ModelProto, random: np.random.Generator, count: int) -> Iterator[Hostile]:
    """One thing changed of a good model: a number, a name, a type, a length, an operator."""
    changes = (_int, _int, _int, _float, _string, _lost, _shorter, _longer, _dims, _type, _operator, _edge, _value)
    done = 0
    while done < count:
        changed = ModelProto()
        changed.CopyFrom(model)
        what = changes[random.integers(len(changes))](changed, random)
        if what is None or changed == model:
            continue
        done += 1
        yield _case("tampered", f"{name}: {what}", changed, may_load=True)


def _pick(items: Sequence[Any], random: np.random.Generator) -> Any:
    return items[int(random.integers(len(items)))] if len(items) else None


def _attribute(model: ModelProto, random: np.random.Generator, *fields: str) -> tuple[Any, Any]:
    found = [
        (attribute, field)
        for part in model.graph.node
        for attribute in part.attribute
        for field in fields
        if len(getattr(attribute, field))
    ]
    return _pick(found, random) or (None, None)


def _int(model: ModelProto, random: np.random.Generator) -> str | None:
    attribute, _ = _attribute(model, random, "ints")
    if attribute is None:
        return None
    place, value = int(random.integers(len(attribute.ints))), _pick(EXTREMES, random)
    attribute.ints[place] = value
    return f"{attribute.name}[{place}] = {value}"


def _float(model: ModelProto, random: np.random.Generator) -> str | None:
    attribute, _ = _attribute(model, random, "floats")
    if attribute is None:
        return None
    place = int(random.integers(len(attribute.floats)))
    value = _pick((0.0, -1.0, 1e38, float("inf"), float("nan"), 1e-45), random)
    attribute.floats[place] = value
    return f"{attribute.name}[{place}] = {value}"


def _string(model: ModelProto, random: np.random.Generator) -> str | None:
    attribute, _ = _attribute(model, random, "strings")
    if attribute is None:
        return None
    place = int(random.integers(len(attribute.strings)))
    value = _pick((b"", b"LEAF", b"BRANCH_GT", b"BRANCH_EQ", b"\xff\xfe", b"x" * 5000), random)
    attribute.strings[place] = value
    return f"{attribute.name}[{place}] = {value[:9]!r}"


def _lost(model: ModelProto, random: np.random.Generator) -> str | None:
    part = _pick([part for part in model.graph.node if len(part.attribute)], random)
    if part is None:
        return None
    place = int(random.integers(len(part.attribute)))
    name = part.attribute[place].name
    del part.attribute[place]
    return f"{part.op_type} without {name}"


def _shorter(model: ModelProto, random: np.random.Generator) -> str | None:
    attribute, field = _attribute(model, random, "ints", "floats", "strings")
    if attribute is None:
        return None
    del getattr(attribute, field)[-1]
    return f"{attribute.name} one shorter"


def _longer(model: ModelProto, random: np.random.Generator) -> str | None:
    attribute, field = _attribute(model, random, "ints", "floats", "strings")
    if attribute is None:
        return None
    values = getattr(attribute, field)
    values.append(values[0])
    return f"{attribute.name} one longer"


def _dims(model: ModelProto, random: np.random.Generator) -> str | None:
    tensor = _pick([tensor for tensor in model.graph.initializer if len(tensor.dims)], random)
    if tensor is None:
        return None
    place, value = int(random.integers(len(tensor.dims))), _pick(EXTREMES, random)
    tensor.dims[place] = value
    return f"{tensor.name}.dims[{place}] = {value}"


def _type(model: ModelProto, random: np.random.Generator) -> str | None:
    value = int(random.integers(0, 20))
    where = _pick([*model.graph.initializer, *model.graph.input, *model.graph.output], random)
    if isinstance(where, TensorProto):
        where.data_type = value
    else:
        where.type.tensor_type.elem_type = value
    return f"{where.name} of type {value}"


def _operator(model: ModelProto, random: np.random.Generator) -> str | None:
    part = _pick(model.graph.node, random)
    before = part.op_type
    part.op_type = _pick([other.op_type for other in model.graph.node] + ["Identity", "Cast", "Reshape", "Div"], random)
    return f"{part.op_type} instead of {before}"


def _edge(model: ModelProto, random: np.random.Generator) -> str | None:
    part = _pick([part for part in model.graph.node if len(part.input)], random)
    names = [name for other in model.graph.node for name in (*other.input, *other.output)]
    place, name = int(random.integers(len(part.input))), _pick(names, random)
    before, part.input[place] = part.input[place], name
    return f"{part.op_type} takes {name} instead of {before}"


def _value(model: ModelProto, random: np.random.Generator) -> str | None:
    tensors = [tensor for tensor in model.graph.initializer if tensor.int64_data or tensor.raw_data]
    tensor = _pick(tensors, random)
    if tensor is None:
        return None
    if tensor.int64_data:
        place, value = int(random.integers(len(tensor.int64_data))), _pick(EXTREMES, random)
        tensor.int64_data[place] = value
        return f"{tensor.name}[{place}] = {value}"
    raw = bytearray(tensor.raw_data)
    place = int(random.integers(len(raw)))
    raw[place] ^= 0xFF
    tensor.raw_data = bytes(raw)
    return f"{tensor.name}: byte {place}"
