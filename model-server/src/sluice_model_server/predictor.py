"""What does the model answer to a matrix of rows?"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from sluice_model_server.compiled import Compiled, compile_model
from sluice_model_server.errors import ModelBroken
from sluice_model_server.labels import Rule, label_rule, tied
from sluice_model_server.manifest import Column, Manifest

Matrix = npt.NDArray[Any]
LABEL: Final = "label"
PROBABILITY: Final = "probability"
_FLOAT64_MAX: Final = float(np.finfo(np.float64).max)
_FLOAT32_MAX: Final = float(np.finfo(np.float32).max)


class Prediction(NamedTuple):
    """label: one value per row. probability: rows x classes, in the order of `classes`; None without probabilities."""

    label: Matrix
    probability: Matrix | None


class Predictor:
    """A fitted scikit-learn estimator behind one call.

    The label is what the estimator's predict says; where predict is the class of highest probability both outputs come
    from one call.
    """

    def __init__(self, model: Any, manifest: Manifest) -> None:
        if not callable(getattr(model, "predict", None)):
            raise ModelBroken(f"{type(model).__name__} has no predict; save the fitted estimator or pipeline itself")
        if hasattr(model, "predict_proba") and not hasattr(model, "classes_"):
            raise ModelBroken(f"{type(model).__name__} has predict_proba and no classes_ to say what of")
        self._model = model
        self._compiled: Compiled | None = None
        self.columns = _columns(model, manifest)
        self.numeric = tuple(column.datatype != "BYTES" for column in self.columns)
        self.all_numeric = all(self.numeric)
        self.all_text = not any(self.numeric)
        self.classes: tuple[Any, ...] | None = None
        self._class_values: Matrix | None = None
        if hasattr(model, "predict_proba") and isinstance(getattr(model, "classes_", None), np.ndarray):
            self._class_values = model.classes_
            self._rule = label_rule(model)
            self.classes = tuple(model.classes_.tolist())
        self.accepts_missing = False
        self.largest = _FLOAT64_MAX

    @property
    def largest_square(self) -> float:
        """The square of `largest` as far as a float can say it."""
        return _FLOAT64_MAX if self.largest > _FLOAT32_MAX else _FLOAT32_MAX**2

    @property
    def path(self) -> str:
        """Who answers: `sklearn`, or the kind of the compiled path."""
        return self._compiled.name if self._compiled else "sklearn"

    def predict(self, rows: Matrix) -> Prediction:
        """rows: rows x columns, float64, or object where a column is text. Raises what the estimator raises."""
        numbers = self._compiled.answer(rows) if self._compiled else None
        if numbers is None:
            numbers = self._ask(rows)
        if self._class_values is None:
            return Prediction(numbers, None)
        if self._rule is Rule.ASK or (self._rule is Rule.UNLESS_TIED and tied(numbers)):
            return Prediction(np.asarray(self._model.predict(rows)), numbers)
        return Prediction(self._class_values[numbers.argmax(axis=1)], numbers)

    def _ask(self, rows: Matrix) -> Matrix:
        return np.asarray(self._model.predict(rows) if self._class_values is None else self._model.predict_proba(rows))

    def compile(self, manifest: Manifest) -> None:
        """From now on without scikit-learn's overhead, if that gives the same bits on the probe and on drawn rows."""
        if self.all_numeric:
            self._compiled = compile_model(self._model, self._ask, self._matrix(self._probe_rows(manifest)))

    def answer(self, rows: Sequence[Sequence[Any]]) -> Prediction:
        """As `predict`, of rows as manifest.json writes them. Raises ModelBroken for rows of another width."""
        return self.predict(self._matrix(rows))

    def probe(self, manifest: Manifest) -> Prediction:
        """Asks the model for the manifest's probe rows, and finds out what numbers it takes: missing ones (NaN), and
        any at all or only those of 32 bits, as trees (`largest`).

        Raises ModelBroken when it does not answer with one finite number or label per row.
        """
        probe = self._probe_rows(manifest)
        rows = self._matrix(probe)
        try:
            answer = self.predict(rows)
        except Exception as error:  # whatever it raises, it does not answer
            raise ModelBroken(f"the model does not answer its probe: {type(error).__name__}: {error}") from error
        numbers = answer.probability if answer.probability is not None else answer.label
        if len(answer.label) != len(rows) or (numbers.dtype.kind == "f" and not np.isfinite(numbers).all()):
            raise ModelBroken("the model answers its probe without one finite answer per row")
        self.accepts_missing = self._takes(self._everywhere(None, probe[0]))
        if any(self.numeric) and not self._takes(self._everywhere(2 * _FLOAT32_MAX, probe[0])):
            self.largest = _FLOAT32_MAX
        return answer

    def _everywhere(self, value: float | None, row: Sequence[Any]) -> Matrix:
        """A probe row with this value in place of each number; its texts are ones that the model knows."""
        return self._matrix([tuple(value if number else text for number, text in zip(self.numeric, row, strict=True))])

    def _probe_rows(self, manifest: Manifest) -> Sequence[Sequence[Any]]:
        return manifest.probe or (tuple(0.0 if number else "" for number in self.numeric),)

    def _takes(self, rows: Matrix) -> bool:
        try:
            with np.errstate(all="ignore"):  # whatever numpy would warn of here, no client asked for
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
