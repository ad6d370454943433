"""The model server as a process of its own, asked over loopback."""

from specs.graphs import converted, served_graph
from specs.models import data, environment, matrix, packed, served

__all__ = ["converted", "data", "environment", "matrix", "packed", "served", "served_graph"]
