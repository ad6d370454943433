"""What is a compiled path?"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]
Answer = Callable[[Matrix], npt.NDArray[Any] | None]
"""rows x columns of float64 to what predict_proba (classifiers) or predict (regressors) of scikit-learn would return
for the same rows. None where scikit-learn must be asked: it would refuse these rows, or go another way."""


@dataclass(frozen=True, slots=True)
class Path:
    """A way to answer that is not yet shown to be right.

    name: for logs and metadata. low, high: per column, the range of values in which the model tells rows apart; what it
    is compared with scikit-learn on is drawn from there.
    """

    name: str
    answer: Answer
    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]
