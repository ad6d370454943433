"""Into which bins are the values of a column sorted?"""

from collections import Counter
from collections.abc import Iterable
from math import floor, log10
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from sluice_model_server.profile import MISSING, OTHER, Categorical, Numeric

BINS: Final = 10
MAX_DECIMALS: Final = 300
"""numpy rounds by a power of ten, which must be a float."""
MAX_CATEGORIES: Final = 50
"""Values of a text column that get a series of their own."""
MAX_KNOWN: Final = 2_000
"""Values of a text column that are known by name."""
MAX_CATEGORY_LENGTH: Final = 128
"""Characters: a longer value is a text rather than a category, and no label of a metric."""

Numbers = npt.NDArray[np.float64]


def bounds_of(values: Numbers, bins: int = BINS) -> Numbers:
    """Rising bounds between `bins` bins of about equal counts; fewer where values repeat.

    values: finite. Of at most `bins` different values each becomes a bin of its own: all but the highest are bounds.
    Else the bounds are quantiles, rounded to 1/10,000 of the spread, so that none is exactly somebody's value.
    """
    different = np.unique(values)
    if len(different) <= bins:
        return different[:-1] if len(different) > 1 else different
    quantiles = np.quantile(values, np.arange(1, bins) / bins, method="inverted_cdf")
    # A spread of 4983 (from 17 to 5000): 4 - floor(3.7) = 1 decimal.
    spread = float(different[-1]) - float(
        different[0]
    )  # infinite when it is no float any more: then nothing is rounded
    decimals = 4 - floor(log10(spread)) if spread < np.inf else MAX_DECIMALS
    rounded = np.round(quantiles, decimals) if abs(decimals) < MAX_DECIMALS else quantiles
    return np.unique(rounded) + 0.0  # -0.0 and 0.0 are one bound


def numeric_of(values: Numbers, bins: int = BINS) -> tuple[Numeric, int]:
    """Bins of a column and their counts, and the number of missing values (NaN)."""
    present = values[~np.isnan(values)]
    finite = present[np.isfinite(present)]
    if not len(finite):
        return Numeric(bounds=(), counts=(len(present),)), len(values) - len(present)
    bounds = bounds_of(finite, bins)
    counts = np.bincount(bounds.searchsorted(present, side="left"), minlength=len(bounds) + 1)
    numeric = Numeric(
        bounds=tuple(bounds.tolist()),
        counts=tuple(counts.tolist()),
        minimum=float(finite.min()),
        maximum=float(finite.max()),
    )
    return numeric, len(values) - len(present)


def categorical_of(values: Iterable[Any]) -> tuple[Categorical, int]:
    """Counts of a text column's values, and the number of missing ones (anything but a text).

    The most frequent values are counted by name; of equal frequency the alphabetically first.
    """
    everything = list(values)
    found = Counter(value for value in everything if isinstance(value, str))
    missing = len(everything) - found.total()
    ranked = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    named = [item for item in ranked if len(item[0]) <= MAX_CATEGORY_LENGTH and item[0] not in {OTHER, MISSING}]
    listed = dict(named[:MAX_CATEGORIES])
    rest = [value for value, _ in named[MAX_CATEGORIES:MAX_KNOWN]]
    categorical = Categorical(
        counts=listed,
        other=found.total() - sum(listed.values()),
        rare=tuple(sorted(rest)),
        complete=len(listed) + len(rest) == len(found),
    )
    return categorical, missing
