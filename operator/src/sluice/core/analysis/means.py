"""Is the candidate's mean reward below stable's, by more than is tolerated?

H0, for the rollback: in every poll mean1 >= mean0 - delta. Higher is better; where lower is, the caller turns the sign.

The difference of the two means of a poll is weighted by h = n1 n0 / (n1 + n0), its precision. The sum S of h times
(mean0 - mean1 - delta) then has variance V = sum of h^2 (v1/n1 + v0/n0), and under H0 it drifts downwards. For large
counts S is normal, and 2 sqrt(rho / (V + rho)) exp(S^2 / (2 (V + rho))) Phi(S / sqrt(V + rho)) is the wealth of all
bets on a worse candidate at once, mixed with a half-normal of variance 1/rho. rho is the V at which the mixture is
sharpest; three of them serve early and late losses. A base that changes for both arms alike cancels poll by poll.

Sources: Howard, Ramdas, McAuliffe, Sekhon 2021, proposition 6 (one-sided normal mixture); Waudby-Smith, Arbour, Sinha,
Kennedy, Ramdas 2024 (asymptotic confidence sequences).

The guarantee is asymptotic: it starts at 100 requests an arm, and rare large rewards (half a percent of the requests)
break it. Bounded rewards, accuracy and click-through rates belong to rates.py, with the loss scaled to [0, 1].

Worked example: polls of 100 candidate and 900 stable requests, rewards with variance 1: h = 90, and V grows by 8100 *
(1/100 + 1/900) = 90 a poll; rho = 270, 2700 or 27000. A candidate that is 0.2 worse has S = 18 a poll. After ten polls
S = 180, V = 900, and with rho = 270: 2 * sqrt(270/1170) * exp(180^2 / 2340) * Phi(5.26) = 0.961 * e**13.85 = e**13.8.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import erfcx, log_ndtr

from sluice.core.analysis.eprocess import Floats

SCALE_POLLS: Final = 6
"""The first polls with requests in both arms only tell how much V a poll brings."""
MIXTURE: Final[Floats] = np.array([3.0, 30.0, 300.0])
"""rho in polls of that size."""
LEAST_REQUESTS: Final = 100.0
"""An arm must have answered so many before the first bet: below that a sum is not yet normal."""
_ROUNDING: Final = 1e-12
"""Least variance, relative to the mean square: the difference of two large sums has rounding errors."""


@dataclass(frozen=True, slots=True)
class MeansState:
    """The evidence so far, for any leading axes (worlds; none in the product). Arms: candidate, then stable.

    requests, total, squares: of each arm's whole past, sums of 1, of rewards and of their squares, (..., 2).
    polls: those that set the scale, 0..6, (...). precisions: their sum of h^2/n, (..., 2).
    scale: V of one such poll, (...); 0 until the first bet. gap, variance: S and V, (...).
    """

    requests: Floats
    total: Floats
    squares: Floats
    polls: Floats
    precisions: Floats
    scale: Floats
    gap: Floats
    variance: Floats


def new_means(shape: tuple[int, ...] = ()) -> MeansState:
    """Nothing known; shape: the leading axes."""
    arms, worlds = np.zeros((*shape, 2)), np.zeros(shape)
    return MeansState(arms, arms, arms, worlds, arms, worlds, worlds, worlds)


def compare_means(
    state: MeansState, requests: ArrayLike, total: ArrayLike, squares: ArrayLike, delta: ArrayLike = 0.0
) -> MeansState:
    """The state after one poll; one in which an arm had no request moves no evidence.

    requests, total, squares: of the poll, counts, sums of rewards and of their squares, (..., 2). delta: tolerated loss
    of mean reward, in its unit, >= 0.
    """
    n, t, q = (np.asarray(a, dtype=float) for a in (requests, total, squares))
    both = np.all(n > 0, axis=-1)
    n_safe = np.where(both[..., None], n, 1.0)
    h = np.where(both, n_safe[..., 0] * (n_safe[..., 1] / n_safe.sum(axis=-1)), 0.0)
    precision = (h**2)[..., None] / n_safe

    past = _variances(state.requests, state.total, state.squares)
    now = (state.requests + n, state.total + t, state.squares + q)
    setting = both & (state.polls < SCALE_POLLS)
    ready = both & ~setting & np.all(state.requests >= LEAST_REQUESTS, axis=-1)
    first = (state.precisions * past).sum(axis=-1) / SCALE_POLLS
    scale = np.where(ready & (state.scale == 0.0), first, state.scale)
    # Without any scatter yet there is no scale, and so no bet: the poll that shows the first one is not bet on either.
    ready &= scale > 0.0
    mean = np.where(both[..., None], t, 0.0) / n_safe
    gap = h * (mean[..., 1] - mean[..., 0] - np.asarray(delta, dtype=float))
    return MeansState(
        *now,
        polls=state.polls + setting,
        precisions=state.precisions + np.where(setting[..., None], precision, 0.0),
        scale=scale,
        gap=state.gap + np.where(ready, gap, 0.0),
        variance=state.variance + np.where(ready, (precision * _variances(*now)).sum(axis=-1), 0.0),
    )


def means_evidence(state: MeansState) -> Floats:
    """ln of the e-value, (...); 0 before the first bet."""
    rho = np.where(state.scale > 0.0, state.scale, 1.0)[..., None] * MIXTURE
    spread = state.variance[..., None] + rho
    z = state.gap[..., None] / np.sqrt(spread)
    # ln of exp(z^2/2) Phi(z). For z < 0 the two logarithms are large and cancel, for z > 0 erfcx overflows.
    up = np.maximum(z, 0.0)
    tail = np.where(z > 0.0, 0.5 * up * up + log_ndtr(up), np.log(0.5 * erfcx(np.maximum(-z, 0.0) * np.sqrt(0.5))))
    wealth = np.log(2.0) + 0.5 * (np.log(rho) - np.log(spread)) + tail
    mean: Floats = np.logaddexp.reduce(wealth, axis=-1) - np.log(MIXTURE.size)
    return mean


def _variances(requests: Floats, total: Floats, squares: Floats) -> Floats:
    """Sample variance of each arm's past; 0 for fewer than two requests or without any reward."""
    n = np.maximum(requests, 2.0)
    variance = (squares - total * (total / n)) / (n - 1.0)
    floor = _ROUNDING * squares / n
    return np.where(requests > 1.0, np.maximum(variance, floor), 0.0)
