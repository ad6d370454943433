"""Is a classifier's predict the class of highest probability? Not always: thresholds and margins have their own say."""

from enum import Enum
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sklearn.calibration import CalibratedClassifierCV
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import (
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.naive_bayes import BernoulliNB, ComplementNB, GaussianNB, MultinomialNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.tree import DecisionTreeClassifier, ExtraTreeClassifier


class Rule(Enum):
    """How a label follows from the probabilities."""

    ARGMAX = "predict is the first class of highest probability, by its code"
    UNLESS_TIED = "predict compares scores of which the probabilities are a rising function: ties may be rounding"
    ASK = "predict has a rule of its own"


_RULES: Final[dict[type, Rule]] = {
    DecisionTreeClassifier: Rule.ARGMAX,
    ExtraTreeClassifier: Rule.ARGMAX,
    RandomForestClassifier: Rule.ARGMAX,
    ExtraTreesClassifier: Rule.ARGMAX,
    BaggingClassifier: Rule.ARGMAX,
    CalibratedClassifierCV: Rule.ARGMAX,
    LogisticRegression: Rule.UNLESS_TIED,
    LogisticRegressionCV: Rule.UNLESS_TIED,
    MLPClassifier: Rule.UNLESS_TIED,
    GradientBoostingClassifier: Rule.UNLESS_TIED,
    HistGradientBoostingClassifier: Rule.UNLESS_TIED,
    GaussianNB: Rule.UNLESS_TIED,
    BernoulliNB: Rule.UNLESS_TIED,
    ComplementNB: Rule.UNLESS_TIED,
    MultinomialNB: Rule.UNLESS_TIED,
    DummyClassifier: Rule.ASK,
}


def label_rule(model: Any) -> Rule:
    """The rule of a fitted classifier, or of a pipeline's last step."""
    last = model.steps[-1][1] if type(model) is Pipeline else model
    return _RULES.get(type(last), Rule.ASK)


def tied(probability: npt.NDArray[Any]) -> bool:
    """Whether some row has two classes of highest probability."""
    if probability.shape[1] == 2:
        return bool(np.count_nonzero(probability[:, 0] == probability[:, 1]))
    highest = probability.max(axis=1, keepdims=True)
    return int(np.count_nonzero(probability == highest)) > len(probability)
