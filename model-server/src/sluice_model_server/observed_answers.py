"""How many answers lie in each bin of the score, in each class, and are none at all?"""

from typing import Any

import numpy as np

from sluice_model_server import names
from sluice_model_server.counts import LabelCounts, NumericCounts
from sluice_model_server.exposition import Family, histogram_series, reference_series, series
from sluice_model_server.predictor import Prediction
from sluice_model_server.profile import OTHER, Answers
from sluice_model_server.scores import nulls, score


class AnswerCounts:
    """answers: of the profile, empty without one. classes: of the model, None for a regression."""

    def __init__(self, answers: Answers, classes: tuple[Any, ...] | None) -> None:
        listed = list(answers.classes or ()) or [str(value) for value in classes or ()]
        self._labels = LabelCounts(listed) if listed else None
        self._score = NumericCounts(answers.score) if answers.score else None
        self._nulls = 0
        self._null_family = Family(
            names.PREDICTION_NULL_TOTAL, "counter", "Answers that are no finite number or no label.",
            [names.PREDICTION_NULL_TOTAL],
        )  # fmt: skip
        self._class_family = Family(
            names.PREDICTION_CLASS_TOTAL,
            "counter",
            "Answered rows by class.",
            [series(names.PREDICTION_CLASS_TOTAL, class_=name) for name in (*listed, OTHER) if listed],
        )
        self._score_family = Family(
            names.PREDICTION_SCORE,
            "histogram",
            f"Of each answered row: {answers.score_of or 'nothing'}.",
            histogram_series(names.PREDICTION_SCORE, answers.score, {}) if answers.score else (),
        )
        reference: list[tuple[str, int]] = []
        if answers.score:
            reference += reference_series(names.PREDICTION_REFERENCE_ROWS, answers.score, {})
        for name, rows in (answers.classes or {}).items():
            reference.append((series(names.PREDICTION_REFERENCE_ROWS, class_=name), rows))
        self._reference = Family(
            names.PREDICTION_REFERENCE_ROWS,
            "gauge",
            "Rows of the profile's data with a score of at most le, or of that class.",
            [line for line, _ in reference],
        ).render([rows for _, rows in reference])

    def add(self, predictions: list[Prediction]) -> None:
        label = np.concatenate([prediction.label for prediction in predictions])
        probability = None
        if predictions[0].probability is not None:
            probability = np.concatenate([p.probability for p in predictions if p.probability is not None])
        together = Prediction(label.reshape(len(label), -1)[:, 0], probability)
        self._nulls += int(nulls(together).sum())
        if self._labels:
            self._labels.add(together.label.tolist())
        values = score(together) if self._score else None
        if self._score and values is not None:
            self._score.add(np.sort(values))

    def render(self) -> str:
        scores = [*self._score.at_most, self._score.present, self._score.present] if self._score else []
        return (
            self._class_family.render(self._labels.counts if self._labels else [])
            + self._null_family.render([self._nulls])
            + self._score_family.render(scores)
            + self._reference
        )
