"""How does a graph answer with a tensor what it would answer with a map per row?

Converters put a ZipMap behind a classifier unless they are told not to. It makes a Python dict of every row, which
costs more than the prediction. So packing takes it out; the server refuses it.
"""

from typing import Any

from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto

from sluice_model_server.graphs.attributes import Attributes, kind_of
from sluice_model_server.graphs.table import ML


def without_zipmap(model: ModelProto) -> tuple[ModelProto, tuple[Any, ...] | None]:
    """A copy whose outputs are what its ZipMaps are made of, and the classes that these name; without a ZipMap the
    model itself and None.
    """
    maps = {node.output[0]: node for node in model.graph.node if kind_of(node) == (ML, "ZipMap")}
    ends = [value.name for value in model.graph.output if value.name in maps]
    if not ends or not all(len(node.input) == len(node.output) == 1 for node in maps.values()):
        return model, None
    changed = ModelProto()
    changed.CopyFrom(model)
    kept = [node for node in changed.graph.node if node.output[0] not in ends]
    outputs = [_output(maps[value.name]) if value.name in maps else value for value in changed.graph.output]
    del changed.graph.node[:]
    changed.graph.node.extend(kept)
    del changed.graph.output[:]
    changed.graph.output.extend(outputs)
    return changed, _classes(maps[ends[0]])


def _output(node: NodeProto) -> ValueInfoProto:
    value = ValueInfoProto(name=node.input[0])
    value.type.tensor_type.elem_type = TensorProto.FLOAT  # all that a ZipMap takes
    return value


def _classes(node: NodeProto) -> tuple[Any, ...] | None:
    attributes = Attributes(node)
    texts = tuple(text.decode() for text in attributes.strings("classlabels_strings"))
    return texts or tuple(attributes.ints("classlabels_int64s").tolist()) or None
