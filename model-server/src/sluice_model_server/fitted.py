"""How does a fitted estimator become a skops file that answers a server's rows as it does a DataFrame?"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from sluice_model_server.archive import dump
from sluice_model_server.by_position import by_position, selects_by_name
from sluice_model_server.errors import DataError
from sluice_model_server.manifest import Column
from sluice_model_server.predictor import Predictor
from sluice_model_server.tables import column_of, matrix_of

if TYPE_CHECKING:
    import pandas as pd

_COMPARED_ROWS: Final = 2_000


class FittedEstimator:
    """scikit-learn's, saved as skops."""

    format = "skops"
    libraries = ("numpy", "scikit-learn", "scipy")

    def __init__(self, model: Any) -> None:
        _check_fitted(model)
        self._model = model
        self.head: dict[str, Any] = {}
        names = getattr(model, "feature_names_in_", None)
        self.names = None if names is None else [str(name) for name in names]
        self.count = getattr(model, "n_features_in_", None)

    @property
    def by_name(self) -> bool:
        return selects_by_name(self._model)

    @property
    def described(self) -> str:
        steps = getattr(self._model, "steps", None)
        return " and ".join(type(step).__name__ for _, step in steps) if steps else type(self._model).__name__

    def content(self, *, data: bool) -> bytes:
        return dump(by_position(self._model) if data else self._model)

    def columns(self, names: Sequence[str], frame: "pd.DataFrame") -> list[Column]:
        return [column_of(name, frame[name]) for name in names]

    def compare(self, predictor: Predictor, frame: "pd.DataFrame", names: Sequence[str]) -> None:
        """The packed model must answer the server's matrix as the fitted one does the DataFrame."""
        if self.names is None:
            return
        table = frame[list(names)]
        incomplete = np.flatnonzero(table.isna().any(axis=1))[:_COMPARED_ROWS]
        rows = np.union1d(np.arange(min(len(table), _COMPARED_ROWS)), incomplete)
        some = table.iloc[rows]
        try:
            answer = predictor.predict(matrix_of(some, predictor.columns))
            fitted = np.asarray(
                self._model.predict(some) if answer.probability is None else self._model.predict_proba(some)
            )
        except ValueError as error:
            raise DataError(f"data: the model does not answer its own data: {error}") from error
        if answer.probability is not None:
            same = np.isclose(answer.probability, fitted, rtol=1e-6, atol=1e-9).all(axis=1)
        else:
            same = np.isclose(answer.label, fitted, rtol=1e-6) if fitted.dtype.kind == "f" else answer.label == fitted
        if not np.all(same):
            row = int(np.argmin(same))
            if without := [name for name, value in some.iloc[row].items() if value is None]:
                raise DataError(
                    f"data: row {rows[row]}: {without[0]} is None, to which the model answers otherwise than to NaN, "
                    "the one missing value that requests have; train it on NaN, or fill missing texts in"
                )
            raise DataError(
                f"data: row {rows[row]}: the model answers otherwise to a plain matrix, all that a server "
                "has, than to a DataFrame; does it depend on dtypes such as categories? Encode them in a step of the "
                "pipeline"
            )


def _check_fitted(model: Any) -> None:
    if not hasattr(model, "fit"):
        return  # no estimator at all: loading says what it lacks
    try:
        check_is_fitted(model)
    except NotFittedError as error:
        raise DataError(f"{type(model).__name__} is not fitted; call fit first") from error
