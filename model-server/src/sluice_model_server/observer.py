"""What went into the model and what came out, as counts?

A request costs one append: rows are counted together, each few hundred and before every scrape. No value that was sent
leaves this module, only counts under names that the profile declares.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from sluice_model_server.observed_answers import AnswerCounts
from sluice_model_server.observed_inputs import InputCounts
from sluice_model_server.observed_slices import AllSliceCounts
from sluice_model_server.predictor import Prediction
from sluice_model_server.profile import Answers, Profile

Matrix = npt.NDArray[Any]

FLUSH_ROWS: Final = 512
MAX_OBSERVED: Final = 128
"""Inputs that are counted; of wider models the first ones. 128 histograms of 10 bins are 1,536 series of each pod."""


class Observer:
    """Counts rows and answers of one model.

    profile: None leaves the classes answered and null answers. classes: those of the model, None for a regression.
    """

    def __init__(self, profile: Profile | None, classes: tuple[Any, ...] | None) -> None:
        self._pending: list[tuple[Matrix, Prediction | None]] = []
        self._waiting = 0
        features = profile.features[:MAX_OBSERVED] if profile else ()
        self._inputs = InputCounts(features)
        position = {feature.name: place for place, feature in enumerate(profile.features)} if profile else {}
        live = [part for part in profile.slices if part.live] if profile else []
        self._slices = AllSliceCounts([(position[part.column], part) for part in live])
        self._answers = AnswerCounts(profile.answers if profile else Answers(), classes)

    def observe(self, rows: Matrix, prediction: Prediction | None) -> None:
        """Remembers one request until the next flush. Neither array may be changed afterwards.

        rows: rows x columns, float64 or object. prediction: None when the model failed on them.
        """
        self._pending.append((rows, prediction))
        self._waiting += len(rows)
        if self._waiting >= FLUSH_ROWS:
            self.flush()

    def flush(self) -> None:
        """Counts what is remembered."""
        pending, self._pending, self._waiting = self._pending, [], 0
        if not pending:
            return
        rows = np.concatenate([rows for rows, _ in pending]) if len(pending) > 1 else pending[0][0]
        self._inputs.add(rows)
        answered = [prediction for _, prediction in pending if prediction is not None]
        if answered:
            self._answers.add(answered)
        if self._slices.some:
            self._slices.add(rows, np.repeat([p is None for _, p in pending], [len(r) for r, _ in pending]))

    def render(self) -> bytes:
        """All counts up to now in Prometheus' text format."""
        self.flush()
        return (self._inputs.render() + self._answers.render() + self._slices.render()).encode()
