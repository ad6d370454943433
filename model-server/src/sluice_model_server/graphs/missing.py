"""Does a graph say what it does with a missing value?

onnxruntime answers a row with NaN whatever the graph: a product becomes NaN, and a tree that does not say where missing
values go sends them where its comparison happens to fail. The estimator that it was converted from may refuse such
rows, or send them elsewhere (skl2onnx 1.20 writes that all go to the right, whatever the trees of scikit-learn do).
So only a graph that says something of missing values is given any.
"""

from onnx import GraphProto

_SAY: frozenset[str] = frozenset({"Imputer", "IsNaN"})
_TRACKS = "nodes_missing_value_tracks_true"


def handles_missing(graph: GraphProto) -> bool:
    """Whether some node fills missing values in, looks for them, or is a tree that says where they go."""
    return any(
        node.op_type in _SAY or any(attribute.name == _TRACKS and any(attribute.ints) for attribute in node.attribute)
        for node in graph.node
    )
