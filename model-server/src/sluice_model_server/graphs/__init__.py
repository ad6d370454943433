"""Models as ONNX files: reviewed, then answered by onnxruntime.

In this order: `reading` (the bytes are one ONNX model), `structure` (nothing in it but reviewed operators on tensors
that are what they say), `interface` (inputs and outputs are rows), `asking` with `checks` (every array that native
code follows fits the rows that come there), and `graph` (its answers are one per row, and each row's own).
"""

from sluice_model_server.graphs.graph import Graph, load_graph

__all__ = ["Graph", "load_graph"]
