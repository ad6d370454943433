"""How many rows of each slice were answered, and on how many did the model fail?"""

from typing import Any

import numpy as np
import numpy.typing as npt

from sluice_model_server import names
from sluice_model_server.counts import SliceCounts
from sluice_model_server.exposition import Family, series
from sluice_model_server.profile import MISSING, OTHER, Slice

Matrix = npt.NDArray[Any]


class AllSliceCounts:
    """slices: each with the position of its column."""

    def __init__(self, slices: list[tuple[int, Slice]]) -> None:
        self._slices = [(place, SliceCounts(part)) for place, part in slices]
        self.some = bool(slices)
        self._family = Family(
            names.SLICE_ROWS_TOTAL,
            "counter",
            "Rows by the slice that they belong to.",
            [
                series(names.SLICE_ROWS_TOTAL, slice=part.column, value=value, outcome=outcome)
                for _, part in slices
                for outcome in ("answered", "failed")
                for value in (*part.values, OTHER, MISSING)
            ],
        )

    def add(self, rows: Matrix, failed: npt.NDArray[np.bool_]) -> None:
        for place, counts in self._slices:
            counts.add(rows[:, place], failed)

    def render(self) -> str:
        values: list[int] = []
        for _, counts in self._slices:
            values += (*counts.answered, *counts.failed)
        return self._family.render(values)
