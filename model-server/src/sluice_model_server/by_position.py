"""How does a pipeline that was trained on a DataFrame answer a matrix?

A ColumnTransformer that selects by names refuses a matrix, and every estimator that knows its columns' names complains
of rows without. A server that made a DataFrame of each request would need pandas and 0.1 ms. So names become positions
when a model is packed: the order of the columns is in the manifest.
"""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer


def by_position(model: Any) -> Any:
    """A copy of a fitted estimator in which every selection by name is one by position and no name is left.

    Models that knew no names are returned as they are.
    """
    if not any(_knows_names(part) for part in _estimators(model, set())):
        return model
    copied = deepcopy(model)
    for part in list(_estimators(copied, set())):
        if isinstance(part, ColumnTransformer) and hasattr(part, "_transformer_to_input_indices") and not _masks(part):
            _select_by_position(part)
        elif isinstance(part, ColumnTransformer):  # not fitted: what others were made from, and never asked
            part.transformers = [(name, step, [] if callable(cols) else cols) for name, step, cols in part.transformers]
        # What a step hands to the next is a matrix too.
        vars(part).pop("_sklearn_output_config", None)
    for part in list(_estimators(copied, set())):
        vars(part).pop("feature_names_in_", None)
    return copied


def _knows_names(part: Any) -> bool:
    return "feature_names_in_" in vars(part)


def _masks(part: ColumnTransformer) -> bool:
    """Whether it selects by masks, as that of a histogram boosting does: they are positions already."""
    chosen = [selected for name, _, selected in part.transformers_ if name != "remainder"]
    return all(isinstance(selected, np.ndarray) and selected.dtype == bool for selected in chosen)


def selects_by_name(model: Any) -> bool:
    """Whether it answers DataFrames only."""
    return any(
        any(isinstance(one, str) for one in np.ravel(selected).tolist())
        for part in _estimators(model, set())
        if isinstance(part, ColumnTransformer)
        for name, _, selected in getattr(part, "transformers_", ())
        if name != "remainder" and not isinstance(selected, slice)
    )


def _select_by_position(part: ColumnTransformer) -> None:
    positions: dict[str, Any] = {
        name: [int(index) for index in indices] for name, indices in part._transformer_to_input_indices.items()
    }
    for name, _, selected in part.transformers_:
        if isinstance(selected, str):  # a single name hands over a vector, as text vectorizers want it
            positions[name] = positions[name][0]
    part.transformers_ = [(name, step, positions[name]) for name, step, _ in part.transformers_]
    part.transformers = [(name, step, positions.get(name, [])) for name, step, _ in part.transformers]
    part._columns = [selected for _, _, selected in part.transformers]
    if "remainder" in positions:
        part._remainder = ("remainder", part.remainder, positions["remainder"])


def _estimators(thing: Any, seen: set[int]) -> Iterator[Any]:
    """The estimators in a model, itself first."""
    if id(thing) in seen:
        return
    seen.add(id(thing))
    if isinstance(thing, BaseEstimator):
        yield thing
    # CalibratedClassifierCV keeps its parts in an object that is no estimator.
    if isinstance(thing, BaseEstimator) or type(thing).__name__ == "_CalibratedClassifier":
        for part in vars(thing).values():
            yield from _estimators(part, seen)
    elif isinstance(thing, list | tuple | set):
        for part in thing:
            yield from _estimators(part, seen)
    elif isinstance(thing, dict):
        for part in thing.values():
            yield from _estimators(part, seen)
    elif isinstance(thing, np.ndarray) and thing.dtype == object:
        for part in thing.ravel():
            yield from _estimators(part, seen)
