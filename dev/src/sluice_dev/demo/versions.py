"""Which five versions of the flight model does the demo roll out, and how does each behave?"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


@dataclass(frozen=True, slots=True)
class DemoVersion:
    """A version of the demo's model.

    estimator: builds the unfitted estimator. flights: how many flights it learns from.
    faults: the model server's SLUICE_MODEL_FAULTS for it; empty means it behaves.
    """

    title: str
    estimator: Callable[[], Any]
    flights: int
    faults: dict[str, float | int] = field(default_factory=dict)


def _boosting(trees: int, seed: int) -> Any:
    # Few trees with a high rate: the same AUC as 60 trees at a third of the cost per request. The whole demo, cluster
    # and load included, runs on two cores.
    return HistGradientBoostingClassifier(max_iter=trees, learning_rate=0.3, random_state=seed)


VERSIONS: Final[dict[str, DemoVersion]] = {
    "v1": DemoVersion(
        "logistic regression",
        lambda: make_pipeline(SimpleImputer(strategy="median"), StandardScaler(), LogisticRegression()),
        60_000,
    ),
    "v2": DemoVersion(
        "gradient boosting: better",
        lambda: _boosting(20, seed=2),
        100_000,
    ),
    "v3": DemoVersion(
        "gradient boosting whose server fails half of its requests",
        lambda: _boosting(15, seed=3),
        60_000,
        {"error_share": 0.5},
    ),
    "v4": DemoVersion(
        "random forest whose server takes 0.6 s longer",
        lambda: RandomForestClassifier(5, max_depth=8, random_state=4),
        60_000,
        {"delay_seconds": 0.6},
    ),
    "v5": DemoVersion(
        "gradient boosting whose server exits after its 100th live request",
        lambda: _boosting(10, seed=5),
        60_000,
        {"exit_after": 100},
    ),
}
