"""Does a tensor of a file hold just the elements that it says?

onnxruntime reserves what the dimensions say and reads what is named as external data, which may be any file, or any
address of this process. Neither happens here.
"""

from math import prod
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from onnx import TensorProto

from sluice_model_server.refusal import Refusal, demand

_TYPES: Final[dict[int, tuple[str, str]]] = {
    TensorProto.FLOAT: ("<f4", "float_data"),
    TensorProto.DOUBLE: ("<f8", "double_data"),
    TensorProto.INT64: ("<i8", "int64_data"),
    TensorProto.INT32: ("<i4", "int32_data"),
    TensorProto.BOOL: ("|b1", "int32_data"),
}
"""Type of element: its bytes in raw_data, and the field that may hold it instead."""
_FIELDS: Final = ("float_data", "double_data", "int64_data", "int32_data", "uint64_data", "string_data")
MAX_RANK: Final = 8


def check_tensor(tensor: TensorProto) -> None:
    """Raises Refusal unless it holds as many elements as its dimensions say, itself, in one place."""
    demand(
        not tensor.external_data and tensor.data_location == TensorProto.DEFAULT,
        "a tensor lies outside the file (external data); save all in one file: onnx.save(model, path)",
    )
    demand(not tensor.HasField("segment"), "a tensor comes in segments")
    sides = list(tensor.dims)
    demand(
        len(sides) <= MAX_RANK and all(side >= 0 for side in sides), f"a tensor has the impossible shape {sides[:9]}"
    )
    count = prod(sides)
    filled = [field for field in _FIELDS if len(getattr(tensor, field))]
    if tensor.data_type == TensorProto.STRING:
        demand(
            not tensor.HasField("raw_data") and filled in ([], ["string_data"]), "a tensor of text holds something else"
        )
        demand(len(tensor.string_data) == count, f"a tensor says {sides} and holds {len(tensor.string_data)} texts")
        return
    known = _TYPES.get(tensor.data_type)
    if known is None:
        raise Refusal(
            f"a tensor has elements of type {tensor.data_type}; known are float, double, int32, int64, bool, string"
        )
    form, field = known
    if tensor.HasField("raw_data"):
        demand(not filled, "a tensor holds its elements twice")
        held, size = len(tensor.raw_data), np.dtype(form).itemsize
        demand(held == count * size, f"a tensor says {sides} of {size} bytes each and holds {held} bytes")
    else:
        demand(filled in ([], [field]), "a tensor holds elements of another type")
        held = len(getattr(tensor, field))
        demand(held == count, f"a tensor says {sides} and holds {held} elements")


def array_of(tensor: TensorProto) -> npt.NDArray[Any]:
    """The elements of a checked tensor; texts as Python objects of str."""
    shape = tuple(tensor.dims)
    if tensor.data_type == TensorProto.STRING:
        texts = np.empty(len(tensor.string_data), dtype=object)
        texts[:] = [text.decode() for text in tensor.string_data]
        return texts.reshape(shape)
    form, field = _TYPES[tensor.data_type]
    if tensor.HasField("raw_data"):
        return np.frombuffer(tensor.raw_data, dtype=form).reshape(shape)
    return np.array(getattr(tensor, field), dtype=form).reshape(shape)
