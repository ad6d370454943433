"""How good is the model on data whose labels are known?"""

from collections.abc import Sequence
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
from sklearn import metrics

from sluice_model_server.predictor import Prediction
from sluice_model_server.profile import MISSING, OTHER, Baselines, SliceBaseline

Matrix = npt.NDArray[Any]

MIN_SLICE_ROWS: Final = 30
"""A figure of fewer rows is noise, and of one row it is that row's label."""
DIGITS: Final = 6


def metrics_of(label: Matrix, prediction: Prediction, classes: Sequence[Any] | None) -> dict[str, float]:
    """Metrics that make sense for such a model and these labels; label and prediction: of the same rows.

    classes: in the order of the probabilities, None without them. Classification: accuracy, and with probabilities
    auc (of more than two classes the mean of one against the rest), log_loss, brier (the sum over all classes for
    more than two). Regression: mae, rmse, r2. What is not defined for these labels, such as the auc of a single class,
    is left out.
    """
    if classes is None and prediction.label.dtype.kind == "f":
        found = _regression(label, prediction)
    else:
        found = {"accuracy": float(np.mean(texts_of(label) == texts_of(prediction.label)))}
        if prediction.probability is not None and classes is not None:
            found |= _probabilities(label, prediction.probability, classes)
    return {name: round(value, DIGITS) for name, value in found.items() if np.isfinite(value)}


def _regression(label: Matrix, prediction: Prediction) -> dict[str, float]:
    truth, answer = label.astype(np.float64), prediction.label
    error = truth - answer
    found = {"mae": float(np.abs(error).mean()), "rmse": float(np.sqrt(np.square(error).mean()))}
    if len(truth) > 1 and np.ptp(truth) > 0:
        found["r2"] = float(metrics.r2_score(truth, answer))
    return found


def _probabilities(label: Matrix, probability: Matrix, classes: Sequence[Any]) -> dict[str, float]:
    codes = {text: code for code, text in enumerate(texts_of(np.asarray(classes)))}
    known = [codes.get(text, -1) for text in texts_of(label)]
    truth = np.array(known)
    if (truth < 0).any():  # a class that the model does not know has no probability to be judged by
        return {}
    is_it = np.eye(len(classes))[truth]
    # Those of 32 bits are at most 1, and 1 together, up to rounding only.
    shares = np.clip(probability, 0, 1)
    shares /= shares.sum(axis=1, keepdims=True)
    found = {
        "log_loss": float(metrics.log_loss(truth, shares, labels=range(len(classes)))),
        "brier": float(np.square(is_it - probability).sum(axis=1).mean() / (2 if len(classes) == 2 else 1)),
    }
    if len(set(known)) == len(classes):
        scores = probability[:, 1] if len(classes) == 2 else probability
        found["auc"] = float(metrics.roc_auc_score(truth, scores, multi_class="ovr"))
    return found


def baselines_of(
    label: Matrix,
    prediction: Prediction,
    classes: Sequence[Any] | None,
    slices: Sequence[tuple[str, Sequence[str], npt.NDArray[np.intp]]],
    source: Literal["data", "evaluation"],
) -> Baselines:
    """Metrics of all rows and of each slice.

    slices: for each its column, the names of its values, and each row's place among these, then other, then missing.
    """
    parts = []
    for column, values, codes in slices:
        for code, value in enumerate((*values, OTHER, MISSING)):
            rows = np.flatnonzero(codes == code)
            if not len(rows):
                continue
            part = Prediction(
                prediction.label[rows], None if prediction.probability is None else prediction.probability[rows]
            )
            found = metrics_of(label[rows], part, classes) if len(rows) >= MIN_SLICE_ROWS else {}
            parts.append(SliceBaseline(column=column, value=value, rows=len(rows), metrics=found))
    return Baselines(
        source=source, rows=len(label), overall=metrics_of(label, prediction, classes), slices=tuple(parts)
    )


def texts_of(values: Matrix) -> npt.NDArray[np.str_]:
    """1, 1.0 and "1" may stand for the same class in data and model; True and 1 may not."""
    if values.dtype.kind == "f" and np.array_equal(values, values.astype(np.int64)):
        values = values.astype(np.int64)
    return np.array([str(value) for value in values.tolist()])
