"""What does an Open Inference Protocol V2 request ask of this model?"""

from functools import cache
from math import hypot
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import orjson

from sluice_model_server.binary import BinarySection, split
from sluice_model_server.errors import RequestError
from sluice_model_server.manifest import Column
from sluice_model_server.predictor import LABEL, PROBABILITY, Predictor
from sluice_model_server.tensors import MAX_DIMENSIONS, check_parameters, read_tensor

MAX_ID_LENGTH = 256
LARGEST_WHOLE = 1 << 53
"""Above it a float, which rows are made of, no longer tells one whole number from the next."""
NO_LIMIT = 1 << 31
"""More rows than a shape can say."""


class RequestedOutput(NamedTuple):
    """An output to send. binary: behind the JSON instead of in it."""

    name: str
    binary: bool = False


class InferenceRequest(NamedTuple):
    """id: the client's, or None. rows: rows x columns. outputs: those asked for, in that order."""

    id: str | None
    rows: npt.NDArray[Any]
    outputs: tuple[RequestedOutput, ...]


def parse_request(
    body: bytes, predictor: Predictor, *, json_length: bytes | None = None, max_rows: int = NO_LIMIT
) -> InferenceRequest:
    """Validates a request body against the protocol and the model's columns.

    json_length: the header Inference-Header-Content-Length, when there are binary tensors. Inputs are either one
    tensor [rows, columns] or one tensor [rows] or [rows, 1] per column, found by name.
    Raises RequestError 400, or 413 above `max_rows` rows.
    """
    if json_length is None and (usual := _usual(body, predictor, max_rows)) is not None:
        return usual
    text, section = (body, None) if json_length is None else split(body, json_length)
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise RequestError(400, f"the body is no JSON: {error}{_advice(text)}") from None
    if type(document) is not dict:
        raise RequestError(400, "the body must be a JSON object with inputs")
    identity = document.get("id")
    if identity is not None and (type(identity) is not str or len(identity) > MAX_ID_LENGTH):
        raise RequestError(400, f"id: must be a string of at most {MAX_ID_LENGTH} characters")
    inputs = document.get("inputs")
    if type(inputs) is not list or not inputs:
        raise RequestError(400, "inputs: must be a list of at least one tensor")
    binary = _asks(document, "binary_data_output", "") if "parameters" in document else False
    outputs = _outputs(document.get("outputs"), predictor, binary=binary)
    columns = predictor.columns
    if len(inputs) > len(columns):
        known = ", ".join(column.name for column in columns[:20])
        raise RequestError(
            400, f"inputs: {len(inputs)} tensors for a model of {len(columns)} columns: {known}; send one for each"
        )
    read = _matrix if _is_matrix(inputs, columns) else _by_column
    rows = read(inputs, predictor, section, max_rows)
    if section is not None:
        section.finish()
    return InferenceRequest(identity, rows, outputs)


def _advice(text: bytes | memoryview) -> str:
    """What Python's json writes for a missing number is no JSON."""
    found = any(word in bytes(text) for word in (b"NaN", b"Infinity"))
    return "; NaN and Infinity are no JSON: send null for a missing value" if found else ""


class _Tensor(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    name: Annotated[str, msgspec.Meta(min_length=1)]
    shape: tuple[Annotated[int, msgspec.Meta(ge=1)], Annotated[int, msgspec.Meta(ge=2)]]
    datatype: Literal["FP64"]
    data: list[float]


class _Usual(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """What nearly all requests are: one FP64 tensor [rows, columns], flat, and nothing else asked."""

    inputs: tuple[_Tensor]
    id: Annotated[str, msgspec.Meta(max_length=MAX_ID_LENGTH)] | None = None


_decode_usual = msgspec.json.Decoder(_Usual).decode


def _usual(body: bytes, predictor: Predictor, max_rows: int) -> InferenceRequest | None:
    """A usual request to a numeric model, read in half of the time. None for anything else and for anything wrong,
    which `parse_request` tells apart."""
    try:
        request = _decode_usual(body)
    except msgspec.MsgspecError:
        return None
    (tensor,) = request.inputs
    (rows, width), data = tensor.shape, tensor.data
    if not predictor.all_numeric or width != len(predictor.columns) or len(data) != rows * width or rows > max_rows:
        return None
    if predictor.whole:  # not every number will do
        return None
    if hypot(*data) > predictor.largest:  # at least as large as each of them
        return None
    values = np.fromiter(data, np.float64, len(data)).reshape(rows, width)
    return InferenceRequest(request.id, values, _all(output_names(predictor), binary=False))


def output_names(predictor: Predictor) -> tuple[str, ...]:
    """What this model can be asked for, in the order in which it is sent by default."""
    return (LABEL,) if predictor.classes is None else (LABEL, PROBABILITY)


def _is_matrix(inputs: list[Any], columns: tuple[Column, ...]) -> bool:
    if len(inputs) != 1:
        return False
    return len(columns) > 1 or type(inputs[0]) is not dict or inputs[0].get("name") != columns[0].name


def _matrix(inputs: list[Any], predictor: Predictor, section: BinarySection | None, max_rows: int) -> npt.NDArray[Any]:
    _, datatype, values = read_tensor(inputs[0], "inputs[0]", section)
    width = len(predictor.columns)
    if values.ndim != MAX_DIMENSIONS or values.shape[1] != width:
        raise RequestError(400, f"inputs[0].shape: must be [rows, {width}], or send one tensor per column")
    _limit(len(values), max_rows)
    text = datatype.binary is None
    if not (predictor.all_text if text else predictor.all_numeric):
        column = predictor.columns[predictor.numeric.index(text)]
        several = "" if predictor.all_text or predictor.all_numeric else "; send one tensor per column, texts are BYTES"
        raise RequestError(
            400, f"inputs[0].datatype: column {column.name} is {column.datatype}, not {datatype.name}{several}"
        )
    if text:
        for position, column in enumerate(predictor.columns):
            _check_texts(values[:, position], position, column, predictor)
        return values
    rows = values.astype(np.float64, copy=False)
    for position in predictor.whole:
        _check_whole(values[:, position], predictor.columns[position])
    _check_numbers(rows, predictor, predictor.columns)
    return rows


def _by_column(
    inputs: list[Any], predictor: Predictor, section: BinarySection | None, max_rows: int
) -> npt.NDArray[Any]:
    tensors: dict[str, npt.NDArray[Any]] = {}
    for index, tensor in enumerate(inputs):
        place = f"inputs[{index}]"
        name, _, values = read_tensor(tensor, place, section)
        if name in tensors:
            raise RequestError(400, f"{place}.name: {name} stands twice")
        if values.ndim == MAX_DIMENSIONS and values.shape[1] != 1:
            raise RequestError(400, f"{place}.shape: must be [rows] or [rows, 1], or send one tensor for all columns")
        tensors[name] = values.reshape(-1)
    count = len(next(iter(tensors.values())))
    _limit(count, max_rows)
    matrix = np.empty((count, len(predictor.columns)), dtype=np.float64 if predictor.all_numeric else object)
    for position, (column, number) in enumerate(zip(predictor.columns, predictor.numeric, strict=True)):
        if column.name not in tensors:
            unknown = [name for name in tensors if name not in (known.name for known in predictor.columns)]
            said = f"; {unknown[0]} is no column of the model" if unknown else ""
            raise RequestError(400, f"inputs: the tensor {column.name} is missing{said}")
        values = tensors.pop(column.name)
        if (values.dtype.kind == "O") == number:
            raise RequestError(400, f"inputs: the tensor {column.name} must be {column.datatype}")
        if len(values) != count:
            raise RequestError(400, f"inputs: the tensor {column.name} has {len(values)} rows, others have {count}")
        if not number:
            _check_texts(values, position, column, predictor)
        if position in predictor.whole:
            _check_whole(values, column)
        if number and not predictor.all_numeric:
            _check_numbers(values, predictor, (column,))
        matrix[:, position] = values
    if tensors:
        known = ", ".join(column.name for column in predictor.columns[:20])
        raise RequestError(400, f"inputs: the model has no column {next(iter(tensors))}; it has {known}")
    if predictor.all_numeric:
        _check_numbers(matrix, predictor, predictor.columns)
    return matrix


def _limit(rows: int, max_rows: int) -> None:
    if rows > max_rows:
        raise RequestError(
            413, f"inputs: {rows} rows, more than {max_rows} at once (SLUICE_MODEL_MAX_ROWS); send several requests"
        )


def _check_numbers(values: npt.NDArray[Any], predictor: Predictor, columns: tuple[Column, ...]) -> None:
    """Refuses what the model would raise on: a client's mistake must not count as the model's failure.

    values: [rows, columns] or, for one column, [rows].
    """
    if values.dtype.kind != "f":
        return
    # Every |x| is at most the root of the sum of squares: one product instead of three passes. NaN compares as false.
    if np.vdot(values, values) <= predictor.largest_square:
        return
    if predictor.accepts_missing and not (np.abs(values) > predictor.largest).any():
        return
    for column, numbers in zip(columns, values.reshape(len(values), -1).T, strict=True):
        missing = np.isnan(numbers)
        if not predictor.accepts_missing and missing.any():
            raise RequestError(
                400,
                f"inputs: column {column.name} is missing in row {missing.argmax()}; "
                "this model takes no missing values (null, NaN)",
            )
        large = np.abs(numbers) > predictor.largest
        if large.any():
            raise RequestError(
                400,
                f"inputs: column {column.name} in row {large.argmax()} is beyond the numbers that this model takes, "
                f"+-{predictor.largest:.6g}",
            )


def _check_texts(values: npt.NDArray[Any], position: int, column: Column, predictor: Predictor) -> None:
    """Refuses a missing text where the model takes none. values: of one column, [rows]."""
    if position in predictor.without_text:
        return
    for row, value in enumerate(values.tolist()):
        if type(value) is not str:
            raise RequestError(
                400,
                f"inputs: column {column.name} is missing in row {row}; this model takes no missing texts (null) there",
            )


def _check_whole(values: npt.NDArray[Any], column: Column) -> None:
    """Refuses what a model that takes whole numbers would not get as it was sent. values: of one column, [rows]."""
    if values.dtype.kind == "b":
        return
    with np.errstate(invalid="ignore"):
        whole = (values >= -LARGEST_WHOLE) & (values <= LARGEST_WHOLE) & (np.floor(values) == values)
    if not whole.all():
        row = int(np.argmin(whole))
        raise RequestError(
            400,
            f"inputs: column {column.name} in row {row} is no whole number of at most +-2^53, as this model takes",
        )


def _outputs(outputs: Any, predictor: Predictor, *, binary: bool) -> tuple[RequestedOutput, ...]:
    known = output_names(predictor)
    if outputs is None or outputs == []:
        return _all(known, binary=binary)
    if type(outputs) is not list:
        raise RequestError(400, "outputs: must be a list of objects with a name")
    requested: dict[str, RequestedOutput] = {}
    for index, output in enumerate(outputs):
        place = f"outputs[{index}]"
        name: Any = output.get("name") if type(output) is dict else None
        if name not in known:
            raise RequestError(400, f"{place}.name: must be one of {', '.join(known)}")
        if name in requested:
            raise RequestError(400, f"outputs: a name stands twice: {name}")
        requested[name] = RequestedOutput(name, _asks(output, "binary_data", f"{place}.", otherwise=binary))
    return tuple(requested.values())


@cache
def _all(names: tuple[str, ...], *, binary: bool) -> tuple[RequestedOutput, ...]:
    return tuple(RequestedOutput(name, binary) for name in names)


def _asks(asking: dict[str, Any], parameter: str, place: str, *, otherwise: bool = False) -> bool:
    """A boolean of the `parameters` of a request or of one of its outputs."""
    parameters = asking.get("parameters")
    if parameters is None:
        return otherwise
    check_parameters(parameters, f"{place}parameters")
    value = parameters.get(parameter, otherwise)
    if type(value) is not bool:
        raise RequestError(400, f"{place}parameters.{parameter}: must be true or false")
    return value
