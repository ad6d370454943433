"""From the JSON data of one V2 tensor to an array, or a sentence saying what is wrong with it."""

import math
from collections.abc import Callable
from itertools import chain
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from sluice_model_server.errors import RequestError

MAX_DIMENSIONS: Final = 2


def _fp64(values: list[Any]) -> npt.NDArray[Any]:
    return np.array(values, dtype=np.float64)


def _fp32(values: list[Any]) -> npt.NDArray[Any]:
    with np.errstate(over="ignore"):  # becomes infinite, which is refused below
        return np.array(values, dtype=np.float64).astype(np.float32).astype(np.float64)


def _int64(values: list[Any]) -> npt.NDArray[Any]:
    return np.array(values, dtype=np.int64)


def _bytes(values: list[Any]) -> npt.NDArray[Any]:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


# datatype -> (types of the JSON values, what they are called, how they become an array). bool is not int here: type()
# is compared, not isinstance. null in a float tensor is a missing value: JSON knows no NaN.
_DATATYPES: Final[dict[str, tuple[frozenset[type], str, Callable[[list[Any]], npt.NDArray[Any]]]]] = {
    "FP64": (frozenset({float, int, type(None)}), "numbers or null", _fp64),
    "FP32": (frozenset({float, int, type(None)}), "numbers or null", _fp32),
    "INT64": (frozenset({int}), "integers", _int64),
    "BYTES": (frozenset({str}), "strings", _bytes),
}


def read_tensor(tensor: Any, place: str) -> tuple[str, str, npt.NDArray[Any]]:
    """Name, datatype and values of one input tensor.

    tensor: a decoded JSON value. place: how errors name it, e.g. `inputs[0]`.
    The values are float64 (FP64, FP32), int64 or object (BYTES: str), one- or two-dimensional as its shape says,
    missing values NaN. Raises RequestError(400).
    """
    if type(tensor) is not dict:
        raise RequestError(400, f"{place}: must be an object with name, shape, datatype and data")
    name, datatype = tensor.get("name"), tensor.get("datatype")
    if type(name) is not str or not name:
        raise RequestError(400, f"{place}.name: must be a string")
    if type(datatype) is not str or datatype not in _DATATYPES:
        raise RequestError(400, f"{place}.datatype: must be one of {', '.join(_DATATYPES)}")
    allowed, called, build = _DATATYPES[datatype]
    shape = _shape(tensor.get("shape"), place)
    values = _flat(tensor, shape, place)
    if not allowed.issuperset(map(type, values)):
        raise RequestError(400, f"{place}.data: {datatype} takes {called} only")
    try:
        array = build(values)
    except OverflowError:
        raise RequestError(400, f"{place}.data: a number does not fit {datatype}") from None
    if array.dtype == np.float64 and np.isinf(array).any():
        raise RequestError(400, f"{place}.data: a number does not fit {datatype}")
    return name, datatype, array.reshape(shape)


def _shape(shape: Any, place: str) -> tuple[int, ...]:
    if (
        type(shape) is not list
        or not 1 <= len(shape) <= MAX_DIMENSIONS
        or any(type(size) is not int or not 0 < size < 1 << 31 for size in shape)
    ):
        raise RequestError(400, f"{place}.shape: must be [rows] or [rows, columns], each at least 1")
    return tuple(shape)


def _flat(tensor: dict[str, Any], shape: tuple[int, ...], place: str) -> list[Any]:
    data = tensor.get("data")
    if type(data) is not list:
        parameters = tensor.get("parameters")
        binary = type(parameters) is dict and "binary_data_size" in parameters
        hint = "; binary tensors are not supported" if binary else ""
        raise RequestError(400, f"{place}.data: must be a list{hint}")
    if len(shape) == MAX_DIMENSIONS and data and type(data[0]) is list:  # nested by rows, as the protocol allows
        if len(data) != shape[0] or any(type(row) is not list or len(row) != shape[1] for row in data):
            raise RequestError(400, f"{place}.data: its rows do not have the shape {list(shape)}")
        return list(chain.from_iterable(data))
    if len(data) != math.prod(shape):
        raise RequestError(
            400, f"{place}.data: has {len(data)} values, the shape {list(shape)} asks for another number"
        )
    return data
