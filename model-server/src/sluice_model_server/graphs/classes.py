"""What are a graph's probabilities of? Whoever makes its label says so: a classifier, or a table of classes."""

from typing import Any, Final

from onnx import GraphProto, NodeProto, TensorProto

from sluice_model_server.graphs.attributes import Attributes, kind_of
from sluice_model_server.graphs.table import ML
from sluice_model_server.graphs.tensors import array_of

Classes = tuple[Any, ...]

_PASSED: Final = frozenset({"Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"})
"""What leaves a label what it is."""
_LABELS: Final = ("classlabels_strings", "values_strings")
_NUMBERS: Final = ("classlabels_ints", "classlabels_int64s", "values_int64s")
"""Attributes of classifiers and of LabelEncoder, which converters put behind a classifier of class numbers."""


def classes_of(graph: GraphProto, label: str) -> Classes | None:
    """The classes in the order in which converters write probabilities; None when the graph does not say.

    graph: reviewed. label: name of the tensor of labels.
    """
    makers = {output: node for node in graph.node for output in node.output}
    stored = {tensor.name: tensor for tensor in graph.initializer}
    node = makers.get(label)
    while node is not None and node.op_type in _PASSED:
        node = makers.get(node.input[0])
    return None if node is None else _said_by(node, stored)


def _said_by(node: NodeProto, stored: dict[str, TensorProto]) -> Classes | None:
    attributes = Attributes(node)
    for name in _LABELS:
        if name in attributes:
            return tuple(text.decode() for text in attributes.strings(name))
    for name in _NUMBERS:
        if name in attributes:
            return tuple(attributes.ints(name).tolist())
    if kind_of(node) in {(ML, "ArrayFeatureExtractor"), ("", "Gather")} and node.input[0] in stored:
        return tuple(array_of(stored[node.input[0]]).ravel().tolist())
    return None
