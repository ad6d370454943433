"""A fitted scikit-learn estimator as a model."""

from pathlib import Path
from typing import Any

import numpy as np

from sluice_model_server.compiled import Compiled, compile_model
from sluice_model_server.errors import ModelBroken
from sluice_model_server.labels import Rule, label_rule, tied
from sluice_model_server.manifest import Column, Manifest
from sluice_model_server.predictor import Matrix, Prediction
from sluice_model_server.trust import load_trusted


class Estimator:
    """The label is what the estimator's predict says; where predict is the class of highest probability both outputs
    come from one call.
    """

    whole: tuple[int, ...] = ()

    def __init__(self, model: Any, manifest: Manifest) -> None:
        """Raises ModelBroken for what cannot answer, or not to the manifest's columns."""
        if not callable(getattr(model, "predict", None)):
            raise ModelBroken(f"{type(model).__name__} has no predict; save the fitted estimator or pipeline itself")
        if hasattr(model, "predict_proba") and not hasattr(model, "classes_"):
            raise ModelBroken(f"{type(model).__name__} has predict_proba and no classes_ to say what of")
        self._model = model
        self._compiled: Compiled | None = None
        self.columns = _columns(model, manifest)
        self.classes: tuple[Any, ...] | None = None
        self._class_values: Matrix | None = None
        if hasattr(model, "predict_proba") and isinstance(getattr(model, "classes_", None), np.ndarray):
            self._class_values = model.classes_
            self._rule = label_rule(model)
            self.classes = tuple(model.classes_.tolist())

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

    def own_label(self, rows: Matrix) -> Matrix | None:
        """What predict says, where the label is taken from the probabilities instead."""
        if self._class_values is None or self._rule is Rule.ASK:
            return None
        return np.asarray(self._model.predict(rows))

    def compile(self, probe: Matrix) -> None:
        """From now on without scikit-learn's overhead, if that gives the same bits on the probe and on drawn rows."""
        if probe.dtype == np.float64:
            self._compiled = compile_model(self._model, self._ask, probe)


def load_estimator(path: Path, manifest: Manifest, max_bytes: int) -> Estimator:
    """The estimator in a skops file. max_bytes: limit of its unpacked size. Raises a ModelServerError."""
    return Estimator(load_trusted(path, max_bytes=max_bytes), manifest)


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
