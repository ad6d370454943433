"""Does the candidate lose a larger share of its requests than stable, by more than two revisions may differ?

H0, for the rollback: in every poll p1 <= r0 * p0 + delta, where p1, p0 are the shares of losses of the candidate and of
stable in that poll. Both may change from poll to poll in any way: a bad hour of the whole system is no evidence.

For counts with mean n1 p1 and n0 p0, E[a**X1 * b**X0] <= exp(n1 p1 (a - 1) + n0 p0 (b - 1)). With a > 1 > b and b
chosen so that n1 r0 (a - 1) + n0 (b - 1) = 0 the unknown p0 cancels, and a**X1 * b**X0 * exp(-n1 delta (a - 1)) has
mean at most 1 under H0. By convexity the same holds for sums of losses anywhere in [0, 1]. With a < 1 < b the
inequality turns, and the same product is an e-value for H0: p1 >= r0 * p0 + delta (see certificate.py).

Sources: Lindon, Malek 2022 (sequential tests for count processes); Turner, Ly, Grünwald 2024 (two-sample e-values);
Ramdas, Grünwald, Vovk, Shafer 2023 (mixtures and stopping).

Worked example: 100 candidate and 900 stable requests, r0 = 1, grid point 5. Under H0 the candidate has 10% of the
losses, under the alternative 5 * 100 / (5 * 100 + 900) = 35.7%: a candidate loss multiplies the wealth by a = 3.57, a
stable one by b = 0.714. Ten losses of the candidate and none of stable: 10 ln 3.57 = 12.7 nats, less 100 * 0.0005 *
2.57 = 0.13.

Counts are fed poll by poll. Never pool them over a change of weight: with a base that drifts, totals of a ramp say that
the candidate is worse when it only came later (Simpson's paradox).
"""

from math import exp, sqrt
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from sluice.core.analysis.eprocess import GRID, Floats

POD_SPREAD: Final = 0.2
"""How much the shares of losses of two pods of one revision differ by themselves: standard
deviation of their logarithm."""
LEAST_RATIO: Final = 1.1
"""Ratio of losses that is always tolerated: nobody wants a rollback for a tenth more of very few."""
MARGIN: Final = 0.0005
"""Share of losses that is tolerated on top, so that a stable without any does not make one loss a scandal."""


def tolerated_ratio(
    candidate_pods: int, stable_pods: int, pod_spread: float = POD_SPREAD, least: float = LEAST_RATIO
) -> float:
    """r0 = max(least, exp(2 s sqrt(1/m1 + 1/m0))): two standard deviations of what pods differ by themselves.

    candidate_pods, stable_pods: those with traffic, >= 1. pod_spread: s, >= 0. 1 against 3 pods: 1.59; 2 against 6:
    1.39; 5 against 15: 1.23. Raises ValueError for an arm without pods.
    """
    if candidate_pods < 1 or stable_pods < 1:
        raise ValueError(f"both arms need a pod, not {candidate_pods} and {stable_pods}")
    return max(least, exp(2 * pod_spread * sqrt(1 / candidate_pods + 1 / stable_pods)))


def two_sample_bet(
    log_wealth: Floats,
    n1: ArrayLike,
    x1: ArrayLike,
    n0: ArrayLike,
    x0: ArrayLike,
    r0: ArrayLike,
    delta: ArrayLike,
    phi: ArrayLike = 1.0,
    grid: Floats = GRID,
) -> Floats:
    """log wealth after one poll; a poll in which an arm had no request changes nothing.

    log_wealth: (..., bets). n1, x1: requests and losses of the candidate in the poll, counts; n0, x0: of stable; all of
    the leading shape. r0, delta: tolerated ratio (> 0) and margin (>= 0, a share). phi: overdispersion, >= 1. grid:
    ratios to r0 that are bet on, above 1 for the rollback, below for the promotion.
    """
    requests1, losses1, requests0, losses0, ratio, margin, noise = (
        np.asarray(a, dtype=float)[..., None] for a in (n1, x1, n0, x0, r0, delta, phi)
    )
    both = (requests1 > 0) & (requests0 > 0)
    expected = np.where(both, ratio * requests1, 1.0)
    others = np.where(both, requests0, 1.0)
    a = grid * (expected + others) / (expected * grid + others)
    b = (expected + others) / (expected * grid + others)
    gain = (losses1 * np.log(a) + losses0 * np.log(b) - requests1 * margin * (a - 1.0)) / noise
    grown: Floats = log_wealth + np.where(both, gain, 0.0)
    return grown
