"""The model server as a process of its own, asked over loopback."""

from specs.models import data, environment, matrix, packed, served

__all__ = ["data", "environment", "matrix", "packed", "served"]
