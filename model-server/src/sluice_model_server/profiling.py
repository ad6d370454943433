"""What does the data that a model is packed with look like, and what does the model answer to it?"""

import importlib.metadata
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from sluice_model_server.baselines import baselines_of, texts_of
from sluice_model_server.bins import BINS, categorical_of, numeric_of
from sluice_model_server.counts import SliceCounts
from sluice_model_server.errors import DataError
from sluice_model_server.manifest import Column
from sluice_model_server.predictor import Prediction, Predictor
from sluice_model_server.profile import Answers, Baselines, Feature, Probe, Profile, Slice
from sluice_model_server.scores import score, score_name
from sluice_model_server.slicing import slice_of
from sluice_model_server.tables import column_of, matrix_of

if TYPE_CHECKING:
    import pandas as pd

Matrix = npt.NDArray[Any]
Value = float | int | str | None

MAX_SLICES: Final = 8
_CHUNK_ROWS: Final = 4_096
_PROBE_QUANTILES: Final = (0.1, 0.35, 0.65, 0.9)


def profile_of(
    predictor: Predictor,
    frame: "pd.DataFrame",
    *,
    probe: Sequence[Sequence[Value]],
    label: str | None,
    slices: Sequence[str],
    evaluation: "pd.DataFrame | None",
    libraries: Sequence[str],
    bins: int = BINS,
) -> Profile:
    """The profile of a packed model.

    predictor: the model as the server loads it. frame: the data; evaluation: other data with the same columns whose
    labels the baselines are taken of, None for the data itself. probe: rows that the server asks the model at start.
    libraries: packages whose releases decide what it answers.
    Raises DataError.
    """
    if len(slices) > MAX_SLICES:
        raise DataError(f"slices: {len(slices)} columns, at most {MAX_SLICES} are told apart")
    rows = matrix_of(frame, predictor.columns)
    prediction = answers_to(predictor, rows)
    if prediction.label.ndim > 1:
        numbers = prediction.label.shape[1]
        raise DataError(f"data: the model answers {numbers} numbers per row, which no profile tells; pack without data")
    features = tuple(_feature(column, rows[:, place], bins) for place, column in enumerate(predictor.columns))
    inputs = {column.name for column in predictor.columns}
    parts = [_slice(frame, name, live=name in inputs) for name in slices]
    baselines = None
    if label is not None:
        judged = frame if evaluation is None else evaluation
        answered = prediction
        if evaluation is not None:
            answered = answers_to(predictor, matrix_of(evaluation, predictor.columns), "evaluation")
        baselines = _baselines(predictor, judged, answered, label, parts, apart=evaluation is not None)
    return Profile(
        rows=len(frame),
        label=label,
        features=features,
        answers=_answers(predictor, prediction, bins),
        slices=tuple(parts),
        baselines=baselines,
        probe=_probe(predictor, probe),
        libraries={name: importlib.metadata.version(name) for name in libraries},
    )


def answers_to(predictor: Predictor, rows: Matrix, what: str = "data") -> Prediction:
    """The model's answers to many rows, in pieces, as the server would give them. what: how errors call them.

    Raises DataError.
    """
    try:
        pieces = [predictor.predict(rows[start : start + _CHUNK_ROWS]) for start in range(0, len(rows), _CHUNK_ROWS)]
    except ValueError as error:
        raise DataError(f"{what}: the model does not answer all of it: {error}") from error
    probabilities = [piece.probability for piece in pieces if piece.probability is not None]
    return Prediction(
        np.concatenate([piece.label for piece in pieces]), np.concatenate(probabilities) if probabilities else None
    )


def probe_rows(frame: "pd.DataFrame", columns: Sequence[Column]) -> list[list[Value]]:
    """Rows that look like the data and are nobody's: a quantile of each number, a frequent value of each text.

    Neighbouring columns take different quantiles, so that no row is low or high everywhere.
    """
    rows: list[list[Value]] = [[] for _ in _PROBE_QUANTILES]
    for place, column in enumerate(columns):
        values = matrix_of(frame, [column])[:, 0]
        if column.datatype == "BYTES":
            typical: list[Value] = list(categorical_of(values.tolist())[0].counts) or [""]
        else:
            finite = values[np.isfinite(values)]
            quantiles = np.quantile(finite, _PROBE_QUANTILES, method="inverted_cdf") if len(finite) else np.zeros(4)
            whole = column.datatype == "INT64"
            typical = [int(value) if whole else float(value) for value in quantiles]
        for number, row in enumerate(rows):
            row.append(typical[(number + place) % len(typical)])
    return rows


def _feature(column: Column, values: Matrix, bins: int) -> Feature:
    if column.datatype == "BYTES":
        categorical, missing = categorical_of(values.tolist())
        return Feature(name=column.name, datatype=column.datatype, missing=missing, categorical=categorical)
    numeric, missing = numeric_of(values.astype(np.float64), bins)
    return Feature(name=column.name, datatype=column.datatype, missing=missing, numeric=numeric)


def _answers(predictor: Predictor, prediction: Prediction, bins: int) -> Answers:
    numeric_label = prediction.label.dtype.kind == "f"
    values = score(prediction)
    binned = None if values is None else numeric_of(values, bins)[0]
    classes = None
    if predictor.classes is not None or not numeric_label:
        found = Counter(map(str, prediction.label.tolist()))
        known = map(str, predictor.classes if predictor.classes is not None else sorted(found))
        classes = {name: found[name] for name in known}
    return Answers(score_of=score_name(predictor.classes, numeric_label=numeric_label), score=binned, classes=classes)


def _probe(predictor: Predictor, rows: Sequence[Sequence[Value]]) -> Probe:
    answer = predictor.answer(rows)
    return Probe(
        rows=tuple(tuple(row) for row in rows),
        label=tuple(answer.label.tolist()),
        probability=None if answer.probability is None else tuple(map(tuple, answer.probability.tolist())),
    )


def _slice(frame: "pd.DataFrame", name: str, *, live: bool) -> Slice:
    if name not in frame.columns:
        raise DataError(f"slices: the data has no column {name}; it has {', '.join(map(str, frame.columns[:20]))}")
    return slice_of(name, matrix_of(frame, [column_of(name, frame[name])])[:, 0], live=live)


def _baselines(
    predictor: Predictor, frame: "pd.DataFrame", prediction: Prediction, label: str, slices: list[Slice], *, apart: bool
) -> Baselines:
    what = "evaluation" if apart else "data"
    for name in (label, *(part.column for part in slices)):
        if name not in frame.columns:
            raise DataError(f"{what}: has no column {name}")
    if frame[label].isna().any():
        raise DataError(f"{what}: {int(frame[label].isna().sum())} rows have no label ({label}); leave them out")
    truth = frame[label].to_numpy()
    if predictor.classes is not None and not set(texts_of(truth)) & set(texts_of(np.asarray(predictor.classes))):
        raise DataError(
            f"{what}: no value of {label} is a class of the model ({', '.join(map(str, predictor.classes[:5]))}); "
            f"its first is {truth[:1].tolist()[0]!r}; give the labels that it was trained on"
        )
    codes = []
    for part in slices:
        values = matrix_of(frame, [column_of(part.column, frame[part.column])])[:, 0]
        codes.append((part.column, part.values, SliceCounts(part).codes(values)))
    return baselines_of(truth, prediction, predictor.classes, codes, "evaluation" if apart else "data")
