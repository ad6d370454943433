"""What is no reason for a rollback, and what a certificate must exclude?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Of one poll, for any number of rollouts: numbers, or arrays of one axis.

    most: ratio of losses, or slow-down, that is tolerated. margin: share tolerated on top. phi: overdispersion, >= 1.
    promotion_margin: share that the certificate tolerates on top.
    """

    most: ArrayLike
    margin: ArrayLike
    phi: ArrayLike
    promotion_margin: ArrayLike


class _Settings(Protocol):
    @property
    def margin(self) -> float: ...

    @property
    def phi(self) -> float: ...

    @property
    def promotion_margin(self) -> float: ...


def tolerances(settings: Sequence[_Settings], most: Sequence[float]) -> Tolerance:
    """Those of many rollouts as one. most: of each, see Tolerance."""
    rows = [(tolerated, s.margin, s.phi, s.promotion_margin) for s, tolerated in zip(settings, most, strict=True)]
    columns: NDArray[Any] = np.array(rows, dtype=float).T
    return Tolerance(*columns)
