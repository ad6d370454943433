"""Fitted models as ONNX, converted as anybody does it with skl2onnx."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
from onnx import ModelProto
from skl2onnx import to_onnx
from skl2onnx.common import _container
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, Int64TensorType, StringTensorType

from sluice_model_server.manifest import Column

TYPES: Final[dict[str, Any]] = {
    "FP32": FloatTensorType,
    "FP64": DoubleTensorType,
    "INT64": Int64TensorType,
    "BYTES": StringTensorType,
}


def matrix_graph(model: Any, width: int, datatype: str = "FP32", *, zipmap: bool = False) -> ModelProto:
    """One input [rows, width] of numbers."""
    return _converted(model, [("X", TYPES[datatype]([None, width]))], zipmap=zipmap)


def columns_graph(model: Any, columns: tuple[Column, ...], *, zipmap: bool = False) -> ModelProto:
    """One input [rows, 1] per column, of its datatype and by its name."""
    return _converted(model, [(column.name, TYPES[column.datatype]([None, 1])) for column in columns], zipmap=zipmap)


def _converted(model: Any, inputs: list[tuple[str, Any]], *, zipmap: bool) -> ModelProto:
    options = {"zipmap": zipmap} if hasattr(model, "predict_proba") else None
    with _whole_numbers():
        graph: ModelProto = to_onnx(model, initial_types=inputs, options=options)
    return graph


@contextmanager
def _whole_numbers() -> Iterator[None]:
    # skl2onnx 1.20 gives attributes of histogram boosting as booleans, which onnx 1.23 no longer takes for numbers.
    make = _container.make_node

    def make_node(*args: Any, **attributes: Any) -> Any:
        for name, values in attributes.items():
            if isinstance(values, list) and any(isinstance(value, bool | np.bool_) for value in values):
                attributes[name] = [int(value) for value in values]
        return make(*args, **attributes)

    _container.make_node = make_node
    try:
        yield
    finally:
        _container.make_node = make
