"""How many values of each input lie in each of its bins and categories, live and in the profile's data?"""

from typing import Any

import numpy as np
import numpy.typing as npt

from sluice_model_server import names
from sluice_model_server.counts import NumericCounts, TextCounts
from sluice_model_server.exposition import Family, histogram_series, reference_series, series
from sluice_model_server.profile import OTHER, Categorical, Feature, Numeric

Matrix = npt.NDArray[Any]
_Numbers = list[tuple[int, str, Numeric]]
"""Position, name and bins."""
_Texts = list[tuple[int, str, Categorical]]


class InputCounts:
    """features: the first of the model's columns, in order."""

    def __init__(self, features: tuple[Feature, ...]) -> None:
        self._rows = 0
        numbers = [(place, f.name, f.numeric) for place, f in enumerate(features) if f.numeric is not None]
        texts = [(place, f.name, f.categorical) for place, f in enumerate(features) if f.categorical is not None]
        self._positions = [place for place, _, _ in numbers]
        self._all_in_order = self._positions == list(range(len(features)))
        self._numeric = [NumericCounts(numeric) for _, _, numeric in numbers]
        self._text = [(place, TextCounts(categorical)) for place, _, categorical in texts]
        number_names, text_names = [name for _, name, _ in numbers], [name for _, name, _ in texts]
        complete = [name for _, name, categorical in texts if categorical.complete]
        self._told = [place for place, (_, _, categorical) in enumerate(texts) if categorical.complete]
        self._values = Family(
            names.FEATURE_VALUE,
            "histogram",
            "Values of a numeric input on the bins of the model's profile.",
            [
                line
                for _, name, numeric in numbers
                for line in histogram_series(names.FEATURE_VALUE, numeric, {"feature": name})
            ],
        )
        self._outside = _per_feature(
            names.FEATURE_OUT_OF_RANGE_TOTAL, "Numbers outside the range of the profile's data.", number_names
        )
        self._missing = _per_feature(names.FEATURE_MISSING_TOTAL, "Rows without a value.", number_names + text_names)
        self._categories = Family(
            names.FEATURE_CATEGORY_TOTAL,
            "counter",
            "Values of a text input that the profile names; __other__ for all else.",
            [
                series(names.FEATURE_CATEGORY_TOTAL, feature=name, category=value)
                for _, name, categorical in texts
                for value in (*categorical.counts, OTHER)
            ],
        )
        self._unseen = _per_feature(
            names.FEATURE_UNSEEN_TOTAL, "Text values that the profile's data did not have.", complete
        )
        self._reference = _reference(numbers, texts)

    def add(self, rows: Matrix) -> None:
        self._rows += len(rows)
        if self._numeric:
            chosen = rows if self._all_in_order and rows.shape[1] == len(self._positions) else rows[:, self._positions]
            columns = np.sort(chosen.astype(np.float64, copy=False).T, axis=1)
            for counts, column in zip(self._numeric, columns, strict=True):
                counts.add(column)
        for place, texts in self._text:
            texts.add(rows[:, place].tolist())

    def render(self) -> str:
        values: list[int] = []
        for counts in self._numeric:
            values += (*counts.at_most, counts.present, counts.present)
        missing = [self._rows - counts.present for counts in self._numeric]
        missing += [texts.missing for _, texts in self._text]
        categories: list[int] = []
        for _, texts in self._text:
            categories += (*texts.of_listed, texts.other)
        return (
            self._values.render(values)
            + self._outside.render([counts.outside for counts in self._numeric])
            + self._missing.render(missing)
            + self._categories.render(categories)
            + self._unseen.render([self._text[place][1].unseen for place in self._told])
            + self._reference
        )


def _per_feature(name: str, help: str, features: list[str]) -> Family:
    return Family(name, "counter", help, [series(name, feature=feature) for feature in features])


def _reference(numbers: _Numbers, texts: _Texts) -> str:
    """The profile's own counts beside the live ones: who compares them needs no file but Prometheus."""
    name = names.FEATURE_REFERENCE_ROWS
    lines = [line for _, feature, numeric in numbers for line in reference_series(name, numeric, {"feature": feature})]
    for _, feature, categorical in texts:
        for value, rows in (*categorical.counts.items(), (OTHER, categorical.other)):
            lines.append((series(name, feature=feature, category=value), rows))
    family = Family(
        name,
        "gauge",
        "Rows of the profile's data with a number of at most le, or of that category.",
        [line for line, _ in lines],
    )
    return family.render([rows for _, rows in lines])
