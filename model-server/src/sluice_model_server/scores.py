"""Which number and which class does an answer stand for, and is it an answer at all?"""

from typing import Any

import numpy as np
import numpy.typing as npt

from sluice_model_server.predictor import Prediction

Matrix = npt.NDArray[Any]


def score_name(classes: tuple[Any, ...] | None, *, numeric_label: bool) -> str | None:
    """What `score` returns for such a model, in words; None when it has no score.

    classes: those that have probabilities. numeric_label: whether the label is a floating-point number.
    """
    if classes is None:
        return "predicted number" if numeric_label else None
    return f"probability of {classes[1]}" if len(classes) == 2 else "probability of the answered class"


def score(prediction: Prediction) -> npt.NDArray[np.float64] | None:
    """One number per row: the second class's probability of two, the greatest among more, or the number predicted."""
    if prediction.probability is not None:
        probability = prediction.probability
        return probability[:, 1] if probability.shape[1] == 2 else probability.max(axis=1)
    if prediction.label.dtype.kind == "f":
        return prediction.label.astype(np.float64, copy=False).reshape(len(prediction.label), -1)[:, 0]
    return None


def nulls(prediction: Prediction) -> npt.NDArray[np.bool_]:
    """For each row whether the answer is none: NaN, infinite, or no label."""
    numbers = prediction.probability if prediction.probability is not None else prediction.label
    if numbers.dtype.kind == "f":
        return np.asarray(~np.isfinite(numbers.reshape(len(numbers), -1)).all(axis=1), dtype=bool)
    if numbers.dtype.kind == "O":
        return np.array([value is None or value != value for value in numbers.tolist()], dtype=bool)  # noqa: PLR0124
    return np.zeros(len(numbers), dtype=bool)
