"""How many times as often as stable does the candidate lose? A confidence sequence: right at every moment at once.

For each ratio r of a grid two e-processes run, the two-sample bets of rates.py without a margin: one against p1 <=
r p0, one against p1 >= r p0. A ratio is left out while one of them is at 40 or more. The true ratio is ever left out on
one side with a probability of at most 1/40, so the interval holds at all times together with at least 95% (Howard,
Ramdas, McAuliffe, Sekhon 2021). It is for people: no decision is taken by it.

Worked example: 30 losses of 10,000 requests of the candidate, 90 of 30,000 of stable: about as often. 1 is of course
not left out; 2.5 times as often and a third as often are.
"""

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from sluice.core.analysis.eprocess import Floats
from sluice.core.analysis.rates import two_sample_bet

RATIOS: Final[Floats] = 2.0 ** (np.arange(-12, 13) / 3)
"""From a sixteenth to sixteen times."""
_BETS: Final[Floats] = np.array([1.3, 2.0, 4.0, 10.0])
_GRIDS: Final = (_BETS, 1.0 / _BETS)
"""Bets against p1 <= r p0, and against p1 >= r p0."""
_LEFT_OUT_AT: Final = 40.0


def new_ratios(shape: tuple[int, ...] = ()) -> Floats:
    """Wealth before the first count, (..., 2, ratios, bets). shape: the leading axes."""
    return np.full((*shape, 2, RATIOS.size, _BETS.size), -np.log(_BETS.size))


def count_ratios(
    wealth: Floats, n1: ArrayLike, x1: ArrayLike, n0: ArrayLike, x0: ArrayLike, phi: ArrayLike = 1.0
) -> Floats:
    """The wealth after one poll. Counts and phi are of the leading shape, see two_sample_bet."""
    requests1, losses1, requests0, losses0, noise = (
        np.asarray(a, dtype=float)[..., None] for a in (n1, x1, n0, x0, phi)
    )
    sides = [
        two_sample_bet(wealth[..., side, :, :], requests1, losses1, requests0, losses0, RATIOS, 0.0, noise, grid=grid)
        for side, grid in enumerate(_GRIDS)
    ]
    return np.stack(sides, axis=-3)


def ratio_interval(wealth: Floats) -> tuple[float | None, float | None]:
    """(least, most) ratio that is not left out; None where the grid's end is not. wealth: of one rollout."""
    above, below = np.logaddexp.reduce(wealth, axis=-1) >= np.log(_LEFT_OUT_AT)
    least = float(RATIOS[np.nonzero(above)[0].max()]) if above.any() else None
    most = float(RATIOS[np.nonzero(below)[0].min()]) if below.any() else None
    return least, most
