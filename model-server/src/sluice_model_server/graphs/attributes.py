"""What does a node of a graph say?"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
from onnx import AttributeProto, NodeProto, TensorProto

from sluice_model_server.graphs.table import DOMAINS
from sluice_model_server.graphs.tensors import array_of
from sluice_model_server.refusal import demand

KINDS: Final[dict[int, str]] = {
    AttributeProto.FLOAT: "f",
    AttributeProto.INT: "i",
    AttributeProto.STRING: "s",
    AttributeProto.TENSOR: "t",
    AttributeProto.FLOATS: "floats",
    AttributeProto.INTS: "ints",
    AttributeProto.STRINGS: "strings",
}
"""Types of attributes that are admitted, and the field that holds such a value. Graphs, sparse tensors and types are
not."""


def kind_of(node: NodeProto) -> tuple[str, str]:
    """Domain and name of its operator; the standard domain is "", however the file writes it."""
    return DOMAINS.get(node.domain, node.domain), node.op_type


class Attributes:
    """A node's attributes by name, of the type that is asked for. Raises Refusal for another type."""

    def __init__(self, node: NodeProto) -> None:
        self._by_name = {attribute.name: attribute for attribute in node.attribute}

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def ints(self, name: str) -> npt.NDArray[np.int64]:
        """Empty if it is absent."""
        return np.array(self._get(name, AttributeProto.INTS, ()), dtype=np.int64)

    def floats(self, name: str) -> npt.NDArray[np.float64]:
        """As float64, of the attribute or of the tensor `<name>_as_tensor`; empty if both are absent."""
        given = self._by_name.get(f"{name}_as_tensor")
        if given is None:
            return np.array(self._get(name, AttributeProto.FLOATS, ()), dtype=np.float64)
        demand(name not in self._by_name, f"{name} stands twice, as numbers and as a tensor")
        tensor: TensorProto = self._get(f"{name}_as_tensor", AttributeProto.TENSOR, None)
        array = array_of(tensor)
        demand(array.ndim == 1 and array.dtype.kind == "f", f"{name}_as_tensor must be a list of numbers")
        return array.astype(np.float64)

    def strings(self, name: str) -> list[bytes]:
        """Empty if it is absent."""
        return list(self._get(name, AttributeProto.STRINGS, ()))

    def integer(self, name: str, otherwise: int) -> int:
        return int(self._get(name, AttributeProto.INT, otherwise))

    def string(self, name: str, otherwise: bytes) -> bytes:
        return bytes(self._get(name, AttributeProto.STRING, otherwise))

    def _get(self, name: str, kind: int, otherwise: Any) -> Any:
        attribute = self._by_name.get(name)
        if attribute is None:
            return otherwise
        demand(attribute.type == kind, f"{name} is not of the type that it must be")
        return getattr(attribute, KINDS[kind])
