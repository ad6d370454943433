"""Which compiled path answers for this model, and is it bit for bit what scikit-learn says?"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import ElasticNet, Lasso, LinearRegression, LogisticRegression, LogisticRegressionCV, Ridge
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, ExtraTreeClassifier

from sluice_model_server.compiled.forest import forest_classifier, forest_regressor, tree_classifier
from sluice_model_server.compiled.linear import logistic, regression
from sluice_model_server.compiled.path import Answer, Path

BUILDERS: Final[dict[type, Callable[[Any, Any], Path | None]]] = {
    LogisticRegression: logistic,
    LogisticRegressionCV: logistic,
    LinearRegression: regression,
    Ridge: regression,
    Lasso: regression,
    ElasticNet: regression,
    DecisionTreeClassifier: tree_classifier,
    ExtraTreeClassifier: tree_classifier,
    RandomForestClassifier: forest_classifier,
    ExtraTreesClassifier: forest_classifier,
    RandomForestRegressor: forest_regressor,
    ExtraTreesRegressor: forest_regressor,
}
"""By the exact type of the last step; those before it must be StandardScalers."""

_BATCHES: Final = (*[1] * 12, 2, 3, 5, 8, 16, 33, 64)
"""Products of one row and of several are rounded differently, so the comparison has batches of many sizes."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """A path that was compared with scikit-learn. name: which kind."""

    name: str
    answer: Answer


def compile_model(
    model: Any, ask: Callable[[npt.NDArray[Any]], npt.NDArray[Any]], probe: npt.NDArray[Any]
) -> Compiled | None:
    """The compiled path of a fitted estimator, if there is one and it gives the very bits that `ask` gives.

    ask: scikit-learn's own predict_proba or predict of it. probe: rows x columns, the manifest's rows.
    """
    path = _path(model)
    if path is None or path.low.shape != probe.shape[1:]:
        return None
    return Compiled(path.name, path.answer) if _equal(path, ask, probe) else None


def _path(model: Any) -> Path | None:
    steps = [step for _, step in model.steps] if type(model) is Pipeline else [model]
    steps = [step for step in steps if step not in (None, "passthrough")]
    if not steps or any(type(step) is not StandardScaler for step in steps[:-1]):
        return None
    builder = BUILDERS.get(type(steps[-1]))
    return builder(steps[:-1], steps[-1]) if builder else None


def _equal(path: Path, ask: Callable[[npt.NDArray[Any]], npt.NDArray[Any]], probe: npt.NDArray[Any]) -> bool:
    random = np.random.default_rng(0)
    drawn = random.uniform(path.low, path.high, size=(sum(_BATCHES), len(path.low)))
    batches = [probe[np.isfinite(probe).all(axis=1)], *np.split(drawn, np.cumsum(_BATCHES)[:-1])]
    for rows in batches:
        if not len(rows):
            continue
        expected, answer = np.asarray(ask(rows)), path.answer(rows)
        if answer is None or answer.dtype != expected.dtype or answer.shape != expected.shape:
            return False
        if answer.tobytes() != expected.tobytes():  # bits: 0.0 and -0.0 differ, NaN equals itself
            return False
    return True
