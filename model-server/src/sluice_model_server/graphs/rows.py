"""Is each row's answer its own, and is it what it is said to be?

Requests share a run. A graph that averages over the rows, or normalises them together, would answer each client with
the others' rows in it.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from sluice_model_server.graphs.asking import ROWS
from sluice_model_server.manifest import Column, Manifest
from sluice_model_server.predictor import Matrix, Model, Prediction
from sluice_model_server.refusal import demand

_RELATIVE: Final = 1e-4
"""How far a 32-bit number may move with the rows beside it, of the greatest in the batch: a matrix's sums are taken
in another order than a row's."""
_SUM: Final = 1e-3
"""How far the probabilities of a row may be from 1 together."""


def some_rows(manifest: Manifest, columns: tuple[Column, ...]) -> Matrix:
    """ROWS rows that the model must be able to answer: those of the probe, then mixtures of their columns.

    Without a probe: zeros and empty texts.
    """
    probe = manifest.probe or (tuple("" if column.datatype == "BYTES" else 0.0 for column in columns),)
    demand(all(len(row) == len(columns) for row in probe), f"manifest.json: probe rows must have {len(columns)} values")
    text = any(column.datatype == "BYTES" for column in columns)
    rows = np.empty((ROWS, len(columns)), dtype=object if text else np.float64)
    for place in range(len(columns)):
        for row in range(ROWS):
            turn, start = divmod(row, len(probe))
            value = probe[(start + turn * (place + 1)) % len(probe)][place]
            rows[row, place] = np.nan if value is None else value
    return rows


def check_answers(model: Model, rows: Matrix) -> None:
    """Asks for 1 to ROWS rows together and for each alone. Raises Refusal, and what the model raises."""
    _check_kind(model, model.predict(rows))
    for asked in (rows, _spread(model, rows)):
        alone = [model.predict(asked[row : row + 1]) for row in range(ROWS)]
        for count in range(1, ROWS + 1):
            demand(
                _same(model.predict(asked[:count]), alone[:count]),
                "answers a row otherwise when it is asked together with others; every row must be answered by itself",
            )


def _spread(model: Model, rows: Matrix) -> Matrix:
    """Rows that differ in every number, as those of a single probe row do not; the same rows if the model refuses
    such."""
    spread = rows.copy()
    steps = np.arange(ROWS) / 32
    for place, column in enumerate(model.columns):
        if column.datatype != "BYTES" and place not in model.whole:
            spread[:, place] = rows[:, place].astype(np.float64) * (1 + steps) + steps / 4
    try:
        model.predict(spread)
    except Exception:  # such as a number that is no category: then the probe's own rows have to do
        return rows
    return spread


def _check_kind(model: Model, answer: Prediction) -> None:
    if model.classes is None or answer.probability is None:
        return
    known = set(model.classes)
    demand(len(known) == len(model.classes), "its classes stand twice")
    strange = [label for label in answer.label.tolist() if label not in known]
    demand(not strange, f"answers {strange[:1]}, which is none of its classes {list(model.classes)[:5]}")
    within = (answer.probability >= -_SUM).all() and (np.abs(answer.probability.sum(axis=1) - 1) <= _SUM).all()
    demand(
        bool(within),
        "its second output is no probabilities, which lie in 0..1 and are 1 together for each row; convert the "
        "estimator with probabilities, or leave it out: "
        "skl2onnx.helpers.onnx_helper.select_model_inputs_outputs(model, outputs=[...])",
    )


def _same(together: Prediction, alone: list[Prediction]) -> bool:
    labels = np.concatenate([answer.label for answer in alone])
    if together.probability is None:
        return _close(together.label, labels)
    numbers = np.concatenate([answer.probability for answer in alone if answer.probability is not None])
    highest = np.sort(numbers, axis=1)[:, -2:]
    tied = highest[:, -1] - highest[:, 0] < _SUM  # then the last bits may decide
    return _close(together.probability, numbers) and bool(((together.label == labels) | tied).all())


def _close(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> bool:
    if one.dtype.kind != "f":
        return bool((one == other).all())
    with np.errstate(all="ignore"):
        finite = np.abs(other[np.isfinite(other)])
        reach = float(finite.max()) if finite.size else 0.0
        return bool(np.isclose(one, other, rtol=_RELATIVE, atol=_RELATIVE * reach, equal_nan=True).all())
