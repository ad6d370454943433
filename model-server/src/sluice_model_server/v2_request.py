"""What does an Open Inference Protocol V2 request ask of this model?"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from sluice_model_server.errors import RequestError
from sluice_model_server.manifest import Column
from sluice_model_server.predictor import LABEL, PROBABILITY, Predictor
from sluice_model_server.tensors import MAX_DIMENSIONS, read_tensor

MAX_ID_LENGTH = 256


@dataclass(frozen=True, slots=True)
class InferenceRequest:
    """id: the client's, or None. rows: rows x columns. outputs: names asked for, in that order."""

    id: str | None
    rows: npt.NDArray[Any]
    outputs: tuple[str, ...]


def parse_request(body: bytes, predictor: Predictor) -> InferenceRequest:
    """Validates a request body against the protocol and the model's columns. Raises RequestError(400).

    Inputs are either one tensor [rows, columns] or one tensor [rows] or [rows, 1] per column, found by name.
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RequestError(400, f"the body is no JSON: {error}") from None
    if type(document) is not dict:
        raise RequestError(400, "the body must be a JSON object with inputs")
    identity = document.get("id")
    if identity is not None and (type(identity) is not str or len(identity) > MAX_ID_LENGTH):
        raise RequestError(400, f"id: must be a string of at most {MAX_ID_LENGTH} characters")
    inputs = document.get("inputs")
    if type(inputs) is not list or not inputs:
        raise RequestError(400, "inputs: must be a list of at least one tensor")
    outputs = _outputs(document.get("outputs"), predictor)
    columns = predictor.columns
    if len(inputs) > len(columns):
        raise RequestError(400, f"inputs: {len(inputs)} tensors for a model of {len(columns)} columns")
    rows = _matrix(inputs, predictor) if _is_matrix(inputs, columns) else _by_column(inputs, predictor)
    if not predictor.accepts_missing and _missing(rows, predictor):
        raise RequestError(400, "inputs: this model takes no missing values (null)")
    return InferenceRequest(identity, rows, outputs)


def _is_matrix(inputs: list[Any], columns: tuple[Column, ...]) -> bool:
    if len(inputs) != 1:
        return False
    return len(columns) > 1 or type(inputs[0]) is not dict or inputs[0].get("name") != columns[0].name


def _matrix(inputs: list[Any], predictor: Predictor) -> npt.NDArray[Any]:
    _, datatype, values = read_tensor(inputs[0], "inputs[0]")
    width = len(predictor.columns)
    if values.ndim != MAX_DIMENSIONS or values.shape[1] != width:
        raise RequestError(400, f"inputs[0].shape: must be [rows, {width}], or send one tensor per column")
    text = datatype == "BYTES"
    for column, number in zip(predictor.columns, predictor.numeric, strict=True):
        if number == text:
            raise RequestError(400, f"inputs[0].datatype: column {column.name} is {column.datatype}, not {datatype}")
    return values if text else values.astype(np.float64, copy=False)


def _by_column(inputs: list[Any], predictor: Predictor) -> npt.NDArray[Any]:
    tensors: dict[str, npt.NDArray[Any]] = {}
    texts: dict[str, bool] = {}
    for index, tensor in enumerate(inputs):
        place = f"inputs[{index}]"
        name, datatype, values = read_tensor(tensor, place)
        if name in tensors:
            raise RequestError(400, f"{place}.name: {name} stands twice")
        if values.ndim == MAX_DIMENSIONS and values.shape[1] != 1:
            raise RequestError(400, f"{place}.shape: must be [rows] or [rows, 1], or send one tensor for all columns")
        tensors[name], texts[name] = values.reshape(-1), datatype == "BYTES"
    count = len(next(iter(tensors.values())))
    matrix = np.empty((count, len(predictor.columns)), dtype=np.float64 if predictor.all_numeric else object)
    for position, (column, number) in enumerate(zip(predictor.columns, predictor.numeric, strict=True)):
        if column.name not in tensors:
            raise RequestError(400, f"inputs: the tensor {column.name} is missing")
        values = tensors.pop(column.name)
        if texts[column.name] == number:
            raise RequestError(400, f"inputs: the tensor {column.name} must be {column.datatype}")
        if len(values) != count:
            raise RequestError(400, f"inputs: the tensor {column.name} has {len(values)} rows, others have {count}")
        matrix[:, position] = values
    if tensors:
        raise RequestError(400, f"inputs: the model has no column {next(iter(tensors))}")
    return matrix


def _missing(rows: npt.NDArray[Any], predictor: Predictor) -> bool:
    if predictor.all_numeric:
        return bool(np.isnan(rows).any())
    return any(
        bool(np.isnan(rows[:, position].astype(np.float64)).any())
        for position, number in enumerate(predictor.numeric)
        if number
    )


def _outputs(outputs: Any, predictor: Predictor) -> tuple[str, ...]:
    known = (LABEL,) if predictor.classes is None else (LABEL, PROBABILITY)
    if outputs is None or outputs == []:
        return known
    if type(outputs) is not list:
        raise RequestError(400, "outputs: must be a list of objects with a name")
    names: list[str] = []
    for index, output in enumerate(outputs):
        name: Any = output.get("name") if type(output) is dict else None
        if name not in known:
            raise RequestError(400, f"outputs[{index}].name: must be one of {', '.join(known)}")
        names.append(name)
    if len(set(names)) != len(names):
        raise RequestError(400, "outputs: a name stands twice")
    return tuple(names)
