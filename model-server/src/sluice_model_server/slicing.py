"""By which values of a column are rows told apart?"""

from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from sluice_model_server.bins import bounds_of, categorical_of
from sluice_model_server.profile import Slice

Matrix = npt.NDArray[Any]

MAX_NUMBERS: Final = 20
"""A numeric column of more different values is told apart by quarters."""


def slice_of(column: str, values: Matrix, *, live: bool) -> Slice:
    """A slice for each frequent text, for each of few numbers, or for each quarter of many numbers.

    values: float64, or objects for text; as the server gets them. live: whether the column is an input of the model.
    """
    if values.dtype == object:
        categorical, _ = categorical_of(values.tolist())
        return Slice(column=column, live=live, values=tuple(categorical.counts))
    finite = values[np.isfinite(values)]
    different = np.unique(finite)
    if len(different) <= MAX_NUMBERS:
        return Slice(
            column=column,
            live=live,
            values=tuple(_text(value) for value in different),
            numbers=tuple(different.tolist()),
        )
    bounds = bounds_of(finite, 4)
    ends = ["-inf", *(_text(bound) for bound in bounds), "inf"]
    names = tuple(f"({low}, {high}]" for low, high in pairwise(ends))
    return Slice(column=column, live=live, values=names, bounds=tuple(bounds.tolist()))


def _text(number: float) -> str:
    return str(int(number)) if number == int(number) else repr(float(number))
