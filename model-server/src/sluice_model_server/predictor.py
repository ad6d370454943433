"""What does the model answer to a matrix of rows?"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from sluice_model_server.datatypes import datatype_of
from sluice_model_server.errors import ModelBroken
from sluice_model_server.manifest import Column, Manifest

Matrix = npt.NDArray[Any]
LABEL: Final = "label"
PROBABILITY: Final = "probability"
_FLOAT64_MAX: Final = float(np.finfo(np.float64).max)
_FLOAT32_MAX: Final = float(np.finfo(np.float32).max)
_UNSEEN: Final = "\N{INVISIBLE SEPARATOR}no text of any data"


class Prediction(NamedTuple):
    """label: one value per row. probability: rows x classes, in the order of `classes`; None without probabilities."""

    label: Matrix
    probability: Matrix | None


class Model(Protocol):
    """What a file becomes once it is loaded: an estimator of scikit-learn, or a graph of ONNX.

    columns: its inputs. whole: positions of those that take whole numbers only. classes: what the probabilities are
    of, in their order; None without probabilities. path: who answers, for the log.
    """

    columns: tuple[Column, ...]
    whole: tuple[int, ...]
    classes: tuple[Any, ...] | None

    @property
    def path(self) -> str: ...

    def predict(self, rows: Matrix) -> Prediction:
        """rows: rows x columns, float64, or object where a column is text. Raises ValueError for numbers it does not
        take, and whatever it fails with."""

    def own_label(self, rows: Matrix) -> Matrix | None:
        """What its own predict says; None where that is what `predict` tells anyway."""

    def compile(self, probe: Matrix) -> None:
        """From now on faster, where that changes no bit of any answer. probe: rows x columns that it must answer."""


class Predictor:
    """A model, and what is known of the rows that it takes.

    accepts_missing: whether numbers may be missing (NaN). largest: the greatest number that it takes. without_text:
    positions of text columns that may be missing. closed: of those that must have texts that the model knows. All are
    found out by `probe`.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self.columns = model.columns
        self.classes = model.classes
        self.whole = model.whole
        self.numeric = tuple(column.datatype != "BYTES" for column in self.columns)
        self.all_numeric = all(self.numeric)
        self.all_text = not any(self.numeric)
        self.accepts_missing = False
        self.largest = _FLOAT64_MAX
        self.without_text: frozenset[int] = frozenset()
        self.closed: tuple[int, ...] = ()
        self._known: Sequence[Any] = ()
        self.label_datatype = "FP64" if self.classes is None else datatype_of(np.asarray(self.classes))

    @property
    def largest_square(self) -> float:
        """The square of `largest` as far as a float can say it."""
        return _FLOAT64_MAX if self.largest > _FLOAT32_MAX else _FLOAT32_MAX**2

    @property
    def path(self) -> str:
        """Who answers, for the log."""
        return self._model.path

    def predict(self, rows: Matrix) -> Prediction:
        """rows: rows x columns, float64, or object where a column is text. Raises what the model raises."""
        return self._model.predict(rows)

    def compile(self, manifest: Manifest) -> None:
        """From now on faster, where that changes no bit of any answer."""
        self._model.compile(self._matrix(self._probe_rows(manifest)))

    def answer(self, rows: Sequence[Sequence[Any]]) -> Prediction:
        """As `predict`, of rows as manifest.json writes them. Raises ModelBroken for rows of another width."""
        return self.predict(self._matrix(rows))

    def probe(self, manifest: Manifest) -> Prediction:
        """Asks the model for the manifest's probe rows, and finds out what it answers with (`label_datatype`), what
        numbers it takes: missing ones (NaN), and any at all or only those of 32 bits, as trees (`largest`), and what
        texts.

        Raises ModelBroken when it does not answer with one finite number or label per row, or its own predict says
        otherwise.
        """
        probe = self._probe_rows(manifest)
        rows = self._matrix(probe)
        try:
            answer, own = self.predict(rows), self._model.own_label(rows)
        except Exception as error:  # whatever it raises, it does not answer
            raise ModelBroken(f"the model does not answer its probe: {type(error).__name__}: {error}") from error
        if len(answer.label) != len(rows) or not _is_finite(answer):
            raise ModelBroken("the model answers its probe without one finite answer per row")
        if own is not None and not np.array_equal(own, answer.label):
            raise ModelBroken("the model's predict says otherwise on its probe than its probabilities")
        self.label_datatype = datatype_of(answer.label)
        self._known = probe[0]
        texts = [place for place, number in enumerate(self.numeric) if not number]
        self.without_text = self._taking(texts, None)
        self.closed = tuple(sorted({*texts} - self._taking(texts, _UNSEEN)))
        free = [number and place not in self.whole for place, number in enumerate(self.numeric)]
        if not any(free):
            self.accepts_missing = not any(self.numeric)
            return answer
        self.accepts_missing = self._takes(self._everywhere(None, free, probe[0]), finite=True)
        if not self._takes(self._everywhere(2 * _FLOAT32_MAX, free, probe[0]), finite=False):
            self.largest = _FLOAT32_MAX
        return answer

    def unknown_text(self, rows: Matrix) -> tuple[int, int] | None:
        """Row and column of a text among these that the model fails on, where it takes known ones only.

        rows: that it failed on.
        """
        for place in self.closed:
            column = rows[:, place].tolist()
            texts = list(dict.fromkeys(value for value in column if type(value) is str))
            if not texts or self._answers({place: text} for text in texts):
                continue
            while len(texts) > 1:
                first, rest = texts[: len(texts) // 2], texts[len(texts) // 2 :]
                texts = rest if self._answers({place: text} for text in first) else first
            return column.index(texts[0]), place
        return None

    def _taking(self, places: Sequence[int], text: str | None) -> frozenset[int]:
        """Those of the places at which the model takes this text; None: no text. Usually one question tells."""
        if self._answers([dict.fromkeys(places, text)]):
            return frozenset(places)
        return frozenset(place for place in places if self._answers([{place: text}]))

    def _answers(self, rows: Iterable[Mapping[int, str | None]]) -> bool:
        """Whether the model answers rows that are one that it knows, with other texts in these places."""
        try:
            self.predict(self._matrix([[other.get(p, own) for p, own in enumerate(self._known)] for other in rows]))
        except Exception:  # whatever a model raises: it does not answer
            return False
        return True

    def _everywhere(self, value: float | None, where: Sequence[bool], row: Sequence[Any]) -> Matrix:
        """A probe row with this value in some places; its texts are ones that the model knows."""
        return self._matrix([tuple(value if there else own for there, own in zip(where, row, strict=True))])

    def _probe_rows(self, manifest: Manifest) -> Sequence[Sequence[Any]]:
        return manifest.probe or (tuple(0.0 if number else "" for number in self.numeric),)

    def _takes(self, rows: Matrix, *, finite: bool) -> bool:
        """Whether the model answers these rows; finite: with a finite number, where it answers with numbers."""
        try:
            with np.errstate(all="ignore"):  # whatever numpy would warn of here, no client asked for
                answer = self.predict(rows)
        except ValueError:
            return False
        return not finite or _is_finite(answer)

    def _matrix(self, rows: Sequence[Sequence[Any]]) -> Matrix:
        if any(len(row) != len(self.columns) for row in rows):
            raise ModelBroken(f"manifest.json: probe rows must have {len(self.columns)} values")
        if self.all_numeric:
            return np.asarray(rows, dtype=np.float64)
        matrix = np.empty((len(rows), len(self.columns)), dtype=object)
        for number, row in enumerate(rows):
            matrix[number] = [np.nan if value is None else value for value in row]
        return matrix


def _is_finite(answer: Prediction) -> bool:
    numbers = answer.probability if answer.probability is not None else answer.label
    return numbers.dtype.kind != "f" or bool(np.isfinite(numbers).all())
