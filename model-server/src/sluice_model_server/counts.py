"""How many rows of a batch lie in each bin, category, class and slice?

Counters that add whole batches: nothing here is done per row in Python but the look-up of a text.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from math import inf, nextafter
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from sluice_model_server.profile import Categorical, Numeric, Slice

Matrix = npt.NDArray[Any]
Numbers = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


class NumericCounts:
    """Cumulative counts of one numeric column: `at_most[i]` values <= bounds[i], `present` all but NaN."""

    def __init__(self, numeric: Numeric) -> None:
        self._width = len(numeric.bounds)
        # All questions are one search: how many values are below the least, at most each bound, at most the greatest,
        # and at most infinity. An interval is open below, so "below the least" is "at most the number before it".
        least = -inf if numeric.minimum is None else nextafter(numeric.minimum, -inf)
        greatest = inf if numeric.maximum is None else numeric.maximum
        self._questions = np.array([*numeric.bounds, least, greatest, inf])
        self._counts: Counts = np.zeros(len(self._questions), dtype=np.int64)

    def add(self, rising: Numbers) -> None:
        """rising: sorted values, NaN last, as numpy.sort leaves them."""
        self._counts += rising.searchsorted(self._questions, side="right")

    @property
    def at_most(self) -> list[int]:
        return list(self._counts[: self._width].tolist())

    @property
    def present(self) -> int:
        return int(self._counts[-1])

    @property
    def outside(self) -> int:
        below, inside, present = self._counts[self._width :].tolist()
        return int(below + present - inside)


class TextCounts:
    """Counts of one text column.

    of_listed: by the profile's categories. other: all other texts, of which `unseen` are new. missing: no text at all.
    """

    def __init__(self, categorical: Categorical) -> None:
        listed = list(categorical.counts)
        self._width = len(listed)
        self._codes: dict[Any, int] = {value: code for code, value in enumerate(listed)}
        self._codes |= dict.fromkeys(categorical.rare, self._width)
        self._unknown: Final = self._width + 1
        self._counts: Counts = np.zeros(self._width + 2, dtype=np.int64)
        self.missing = 0

    def add(self, values: Sequence[Any]) -> None:
        find, unknown = self._codes.get, self._unknown
        codes = np.fromiter((find(value, unknown) for value in values), dtype=np.intp, count=len(values))
        self._counts += np.bincount(codes, minlength=self._width + 2)
        if (codes == unknown).any():
            missing = sum(type(value) is not str for value in values)
            self._counts[unknown] -= missing
            self.missing += missing

    @property
    def of_listed(self) -> list[int]:
        return list(self._counts[: self._width].tolist())

    @property
    def other(self) -> int:
        return int(self._counts[self._width :].sum())

    @property
    def unseen(self) -> int:
        return int(self._counts[-1])


class SliceCounts:
    """Counts of one slice column: `answered` and `failed`, each by the slice's values, then other, then missing."""

    def __init__(self, part: Slice) -> None:
        self._slice = part
        self._width = len(part.values)
        self._codes: dict[Any, int] = {value: code for code, value in enumerate(part.values)}
        self._bounds = np.array(part.bounds or ())
        numbers = np.array(part.numbers or ())
        self._order = np.argsort(numbers)
        self._numbers = numbers[self._order]
        self._counts: Counts = np.zeros((2, self._width + 2), dtype=np.int64)

    def add(self, column: Matrix, failed: npt.NDArray[np.bool_]) -> None:
        """column: of float64 or objects; failed: for each row."""
        codes = self.codes(column)
        self._counts += np.bincount(codes + failed * (self._width + 2), minlength=self._counts.size).reshape(2, -1)

    def codes(self, column: Matrix) -> npt.NDArray[np.intp]:
        """The place of each row's slice in `values`; after them other and missing."""
        other, missing = self._width, self._width + 1
        if self._slice.bounds is None and self._slice.numbers is None:
            found = (self._codes.get(v, other) if isinstance(v, str) else missing for v in column.tolist())
            return np.fromiter(found, dtype=np.intp, count=len(column))
        values = column.astype(np.float64, copy=False)
        if self._slice.bounds is not None:
            codes = self._bounds.searchsorted(values, side="left")
        else:
            place = np.minimum(self._numbers.searchsorted(values, side="left"), self._width - 1)
            codes = np.where(self._numbers[place] == values, self._order[place], other)
        return np.where(np.isnan(values), missing, codes)

    @property
    def answered(self) -> list[int]:
        return list(self._counts[0].tolist())

    @property
    def failed(self) -> list[int]:
        return list(self._counts[1].tolist())


class LabelCounts:
    """Counts of answered classes, by their text; other for a label that is not among them."""

    def __init__(self, classes: Iterable[str]) -> None:
        self._codes: Mapping[str, int] = {name: code for code, name in enumerate(classes)}
        self._counts: Counts = np.zeros(len(self._codes) + 1, dtype=np.int64)

    def add(self, labels: Sequence[Any]) -> None:
        for label, rows in Counter(labels).items():
            self._counts[self._codes.get(str(label), -1)] += rows

    @property
    def counts(self) -> list[int]:
        return list(self._counts.tolist())
