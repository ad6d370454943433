"""How do rows become the input tensors of a graph?"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sluice_model_server.graphs.interface import Input
from sluice_model_server.predictor import Matrix

WHOLE = 1 << 53
"""The greatest whole number up to which a float tells all of them apart."""


class Intake:
    """missing: whether numbers may be missing (NaN)."""

    def __init__(self, inputs: Sequence[Input], *, missing: bool) -> None:
        self._inputs = [(given, _of(given.places)) for given in inputs]
        self._missing = missing

    def feeds(self, rows: Matrix) -> dict[str, npt.NDArray[Any]]:
        """rows: rows x columns, float64, or object where a column is text. Each number becomes the nearest one that the
        input's type has. Raises ValueError for what it has none of.
        """
        return {given.name: self._tensor(given, rows[:, places]) for given, places in self._inputs}

    def _tensor(self, given: Input, values: Matrix) -> npt.NDArray[Any]:
        if given.form.kind == "O":
            return _texts(given, values)
        numbers = values.astype(np.float64, copy=False)
        if given.form.kind == "i":
            return _whole(given, numbers)
        with np.errstate(over="ignore"):
            narrow = np.ascontiguousarray(numbers, dtype=given.form)
        if not np.isfinite(narrow).all():
            if np.isinf(narrow).any():
                raise ValueError(f"input {given.name}: a number is beyond {given.datatype}")
            if not self._missing:
                raise ValueError(f"input {given.name}: a number is missing, of which the graph says nothing")
        return narrow


def _of(places: tuple[int, ...]) -> slice | list[int]:
    # Neighbouring columns are taken without a copy.
    first, last = places[0], places[-1] + 1
    return slice(first, last) if places == tuple(range(first, last)) else list(places)


def _texts(given: Input, values: Matrix) -> Matrix:
    if any(type(value) is not str for value in values.ravel().tolist()):
        raise ValueError(f"input {given.name}: takes texts only; fill missing ones in before the model")
    return np.ascontiguousarray(values, dtype=object)


def _whole(given: Input, numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    if not ((np.abs(numbers) <= WHOLE) & (np.floor(numbers) == numbers)).all():
        raise ValueError(f"input {given.name}: takes whole numbers only, up to 2^53")
    return np.ascontiguousarray(numbers, dtype=np.int64)
