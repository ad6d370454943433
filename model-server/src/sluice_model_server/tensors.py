"""From one V2 tensor, as JSON or binary, to an array, or a sentence saying what is wrong with it."""

import math
from itertools import chain
from typing import Any, Final

import numpy.typing as npt

from sluice_model_server import binary
from sluice_model_server.binary import BinarySection
from sluice_model_server.datatypes import DATATYPES, Datatype
from sluice_model_server.errors import RequestError

MAX_DIMENSIONS: Final = 2


def read_tensor(
    tensor: Any, place: str, section: BinarySection | None = None
) -> tuple[str, Datatype, npt.NDArray[Any]]:
    """Name, datatype and values of one input tensor.

    tensor: a decoded JSON value. place: how errors name it, e.g. `inputs[0]`. section: what stands behind the JSON.
    The values are float64 (FP*), integers of their width, bool or object (BYTES: str), one- or two-dimensional as its
    shape says, missing values NaN. Raises RequestError(400).
    """
    if type(tensor) is not dict:
        raise RequestError(400, f"{place}: must be an object with name, shape, datatype and data")
    name, datatype = tensor.get("name"), tensor.get("datatype")
    if type(name) is not str or not name:
        raise RequestError(400, f"{place}.name: must be a string; an input has name, shape, datatype and data")
    kind = DATATYPES.get(datatype) if type(datatype) is str else None
    if kind is None:
        raise RequestError(400, f"{place}.datatype: must be one of {', '.join(DATATYPES)}")
    shape = _shape(tensor.get("shape"), place)
    parameters = tensor.get("parameters")
    if parameters is not None:
        check_parameters(parameters, f"{place}.parameters")
        if "binary_data_size" in parameters:
            return name, kind, _binary(tensor, kind, shape, place, section).reshape(shape)
    values = _flat(tensor, shape, place)
    if not kind.json_types.issuperset(map(type, values)):
        wrong = next(at for at, value in enumerate(values) if type(value) not in kind.json_types)
        advice = "; send FP64 for a number that may be missing" if values[wrong] is None else ""
        raise RequestError(
            400, f"{place}.data: {name}: {kind.name} takes {kind.called} only; value {wrong} is another{advice}"
        )
    try:
        return name, kind, kind.array(values).reshape(shape)
    except OverflowError:
        raise RequestError(400, f"{place}.data: a number does not fit {kind.name}") from None


def check_parameters(parameters: Any, place: str) -> None:
    """Raises RequestError(400) unless it is an object that asks for nothing this server must refuse."""
    if type(parameters) is not dict:
        raise RequestError(400, f"{place}: must be an object")
    for refused, remedy in _REFUSED_PARAMETERS.items():
        if refused in parameters:
            raise RequestError(400, f"{place}.{refused}: {remedy}")


_REFUSED_PARAMETERS: Final = {
    "shared_memory_region": "shared memory is not supported; send the data with the request",
    "classification": "classification is not supported; ask for the output probability",
}


def _binary(
    tensor: dict[str, Any], kind: Datatype, shape: tuple[int, ...], place: str, section: BinarySection | None
) -> npt.NDArray[Any]:
    if tensor.get("data") is not None:
        raise RequestError(400, f"{place}: has both data and parameters.binary_data_size; send one of them")
    if section is None:
        raise RequestError(
            400,
            f"{place}.parameters.binary_data_size: binary tensors need the header Inference-Header-Content-Length",
        )
    content = section.take(tensor["parameters"]["binary_data_size"], place)
    return binary.decode(content, kind, math.prod(shape), place)


def _shape(shape: Any, place: str) -> tuple[int, ...]:
    if type(shape) is list and 1 <= len(shape) <= MAX_DIMENSIONS:
        for size in shape:
            if type(size) is not int or not 0 < size < 1 << 31:
                break
        else:
            return tuple(shape)
    raise RequestError(400, f"{place}.shape: must be [rows] or [rows, columns], each at least 1")


def _flat(tensor: dict[str, Any], shape: tuple[int, ...], place: str) -> list[Any]:
    data = tensor.get("data")
    if type(data) is not list:
        raise RequestError(400, f"{place}.data: must be a list")
    if len(shape) == MAX_DIMENSIONS and data and type(data[0]) is list:  # nested by rows, as the protocol allows
        if len(data) != shape[0] or any(type(row) is not list or len(row) != shape[1] for row in data):
            raise RequestError(400, f"{place}.data: its rows do not have the shape {list(shape)}")
        return list(chain.from_iterable(data))
    if len(data) != math.prod(shape):
        raise RequestError(
            400, f"{place}.data: has {len(data)} values, the shape {list(shape)} asks for another number"
        )
    return data
