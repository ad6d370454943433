"""What does the model answer to a matrix of rows?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from sluice_model_server.errors import ModelBroken
from sluice_model_server.manifest import Column, Manifest

Matrix = npt.NDArray[Any]
LABEL: Final = "label"
PROBABILITY: Final = "probability"


@dataclass(frozen=True, slots=True)
class Prediction:
    """label: one value per row. probability: rows x classes, in the order of `classes`; None without probabilities."""

    label: Matrix
    probability: Matrix | None


class Predictor:
    """A fitted scikit-learn estimator behind one call.

    The label is the class of highest probability, so that both outputs come from one call and cannot disagree;
    without predict_proba it is what predict says (for regressors a number).
    """

    def __init__(self, model: Any, manifest: Manifest) -> None:
        if not callable(getattr(model, "predict", None)):
            raise ModelBroken(f"{type(model).__name__} has no predict; save the fitted estimator or pipeline itself")
        _without_pools(model)
        self._model = model
        self.columns = _columns(model, manifest)
        self.numeric = tuple(column.datatype != "BYTES" for column in self.columns)
        self.all_numeric = all(self.numeric)
        self.classes: tuple[Any, ...] | None = None
        self._class_values: Matrix | None = None
        if hasattr(model, "predict_proba") and isinstance(getattr(model, "classes_", None), np.ndarray):
            self._class_values = model.classes_
            self.classes = tuple(model.classes_.tolist())
        self.accepts_missing = False

    def predict(self, rows: Matrix) -> Prediction:
        """rows: rows x columns, float64, or object where a column is text. Raises what the estimator raises."""
        if self._class_values is None:
            return Prediction(np.asarray(self._model.predict(rows)), None)
        probability = np.asarray(self._model.predict_proba(rows))
        return Prediction(self._class_values[probability.argmax(axis=1)], probability)

    def answer(self, rows: Sequence[Sequence[Any]]) -> Prediction:
        """As `predict`, of rows as manifest.json writes them. Raises ModelBroken for rows of another width."""
        return self.predict(self._matrix(rows))

    def probe(self, manifest: Manifest) -> Prediction:
        """Asks the model for the manifest's probe rows, and finds out whether it takes missing values.

        Raises ModelBroken when it does not answer with one finite number or label per row.
        """
        rows = self._matrix(manifest.probe or (tuple(0.0 if number else "" for number in self.numeric),))
        try:
            answer = self.predict(rows)
        except Exception as error:  # whatever it raises, it does not answer
            raise ModelBroken(f"the model does not answer its probe: {type(error).__name__}: {error}") from error
        numbers = answer.probability if answer.probability is not None else answer.label
        if len(answer.label) != len(rows) or (numbers.dtype.kind == "f" and not np.isfinite(numbers).all()):
            raise ModelBroken("the model answers its probe without one finite answer per row")
        self.accepts_missing = self._takes(self._matrix([tuple(None if number else "" for number in self.numeric)]))
        return answer

    def _takes(self, rows: Matrix) -> bool:
        try:
            self.predict(rows)
        except ValueError:
            return False
        return True

    def _matrix(self, rows: Sequence[Sequence[Any]]) -> Matrix:
        if any(len(row) != len(self.columns) for row in rows):
            raise ModelBroken(f"manifest.json: probe rows must have {len(self.columns)} values")
        if self.all_numeric:
            return np.asarray(rows, dtype=np.float64)
        matrix = np.empty((len(rows), len(self.columns)), dtype=object)
        for number, row in enumerate(rows):
            matrix[number] = [np.nan if value is None else value for value in row]
        return matrix


def _without_pools(model: Any) -> None:
    # One row is not worth handing to a pool: slower, and pools outlive a drain.
    pools = {
        name: 1
        for name, value in (model.get_params() if hasattr(model, "get_params") else {}).items()
        if name.rpartition("__")[2] == "n_jobs" and value is not None
    }
    if pools:
        model.set_params(**pools)


def _columns(model: Any, manifest: Manifest) -> tuple[Column, ...]:
    count = getattr(model, "n_features_in_", None)
    if manifest.columns is not None:
        if count is not None and count != len(manifest.columns):
            raise ModelBroken(f"manifest.json names {len(manifest.columns)} columns, the model was trained on {count}")
        return manifest.columns
    if count is None:
        raise ModelBroken("the model does not say its number of inputs (n_features_in_); name columns in manifest.json")
    names = getattr(model, "feature_names_in_", None)
    return tuple(Column(name=str(name)) for name in (names if names is not None else [f"x{i}" for i in range(count)]))
