"""By what does a request of either arm multiply a bet, for each bucket of the histogram that it may fall into?

H0, in one poll: at every bound b the candidate's share of slower requests is T1(b) <= r_b T0(b) + margin, where T0 is
stable's. T1 and T0 are whatever they are in this poll; r_b >= 1 and margin are fixed before it.

A bet is a pair of factors for each bucket j: f1(j) for a request of the candidate, f0(j) for one of stable. At a bound
b the first rises by some lambda_b >= 0 and the second falls by r_b lambda_b n1 / n0. So in the mean over a request

    n1 E[f1] + n0 E[f0] = n1 f1(0) + n0 f0(0) + n1 sum of lambda_b (T1(b) - r_b T0(b))
                       <= n1 f1(0) + n0 f0(0) + n1 margin sum of lambda_b

for every member of H0: what is unknown of stable cancels out. f0(0) is what makes the right side n1 + n0. The product
over all requests then has mean prod E[f] <= exp(sum (E[f] - 1)) = exp(n1 (E[f1] - 1) + n0 (E[f0] - 1)) <= 1: it is an
e-value, *whatever* lambda >= 0 was chosen before the poll, also where requests differ among each other, as only their
mean shares enter. Slowness never counts for the candidate; that is all that H0, a set of tails, can be asked.

Which lambda is a matter of power alone. Against an alternative (Q, S) the best e-value divides by the member of H0 that
is nearest in Kullback-Leibler divergence (Grünwald, de Heide, Koolen 2024, theorem 1), and its factors have the form
above: lambda are the multipliers of the bounds' constraints. Were stable's tail S known, f1 would be the increasing
regression of Q on H0's largest tail M = r S + margin, bucket by bucket (Robertson, Wright, Dykstra 1988, section 1.5):
a ratio h that is flat where Q is below M, and flat again where all that M has left is the margin. S is known as well
as n0 requests tell it, so h counts h / (1 + w (h - 1)), w = n1 r / (n1 r + n0). With r = 1 and margin 0 that is the
nearest member exactly. Calculated at a weight of 10%, the best of the bets grows by 83 to 99% of the largest growth
that a search over all lambda finds (sigma .5 and .8; +30%, +50%, 2% of the requests tenfold).

The alternatives: a share s of the candidate's requests is slower than tolerated by d standard deviations of the normal
distribution that r S is made, the others are like stable's: Q = (1 - s) S + s ndtr(ndtri(r S) + d). A service with
sigma .5 that takes 30% longer than tolerated has moved by ln 1.3 / .5 = .52. Six percent of the money are on one bound
each, where the odds of a slower request are some times those of M, for services that no normal distribution describes:
where a tenth of the requests miss a cache and half as many more do so now, nothing moves but the share between the two
modes.

Worked example: 100 candidate and 300 stable requests, bounds of 0.1 and 0.2 s that 30% and 10% of stable's exceed,
r = 1.2 and 1.5, margin .002: H0 allows M = 36.2% and 15.2%. The bet on s = .98, d = .5 expects Q = 55.1% and 29.2%. Its
ratios to M are .70, 1.23 and 1.92 in the three buckets; with w = .286 and .333 a request of the candidate counts .760,
1.148 and 1.473, one of stable 1.080, .924 and .762. 40, 30 and 30 requests of the candidate against 210, 60 and 30 of
stable bring 8.0 nats. At the edge of H0, T1 = M and T0 = S, the means are 100 * .9498 + 300 * 1.0167 = 400.
"""

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from sluice.core.analysis.eprocess import Floats

ALTERNATIVES: Final[Floats] = np.array(
    [(0.98, 0.05), (0.98, 0.1), (0.98, 0.2), (0.98, 0.5), (0.98, 1.2), (0.02, 3.0), (0.04, 5.0), (0.1, 2.0)]
)
"""(share of the candidate's requests that are slower, by how many standard deviations), for each bet."""
STEPS: Final[Floats] = np.array([(tail, odds) for tail in (0.5, 0.2, 0.1, 0.03) for odds in (1.3, 2.0)])
"""(share of stable's requests that exceed about the bound, odds to what H0 allows), for each bet on one bound alone."""
_ALL: Final = 0.5
"""A larger share is one of all requests; the rest may still be as fast as ever, so that no fast one ruins a bet."""
_MANY = ALTERNATIVES[:, 0] > _ALL
STAKES: Final[Floats] = np.concatenate(
    [
        np.where(_MANY, 0.4 / np.count_nonzero(_MANY), 0.54 / np.count_nonzero(~_MANY)),
        np.full(len(STEPS), 0.06 / len(STEPS)),
    ]
)
"""Parts of the money on each, sum 1. Few slow requests take longest to be found: each of their bets has more."""
_SHARE, _SHIFT = ALTERNATIVES.T[:, :, None]
_TAIL, _ODDS = STEPS.T[:, :, None]
_CERTAIN: Final = 0.999
"""Where H0 allows this share there is nothing to bet on."""
_LEAST: Final = 0.01
"""Smallest factor: no request takes more than 99% of a bet."""
_EMPTY: Final = 1e-9
"""A bucket to which H0 gives less has no ratio of its own; it counts like the next slower one."""


def fair_factors(
    n1: ArrayLike, n0: ArrayLike, stable: Floats, ratio: Floats, margin: ArrayLike
) -> tuple[Floats, Floats]:
    """(f1 - 1, f0 - 1), each (..., bets, buckets): what a request of the candidate, and of stable, adds to each bet.

    n1, n0: requests of the candidate and of stable in the poll, (...), > 0. stable: share slower than each bound by
    what is remembered, (..., bounds), above 0 and below 1. ratio: r, (..., bounds), >= 1; infinite at a bound on which
    nothing is to be bet. margin: (...), a share.
    """
    k1, k0, extra = (np.asarray(a, dtype=float)[..., None, None] for a in (n1, n0, margin))
    r = ratio[..., None, :]
    bet_on = r * stable[..., None, :] + extra < _CERTAIN
    r = np.where(bet_on, r, 1.0)
    tolerated = np.minimum.accumulate(np.where(bet_on, r * stable[..., None, :], 1.0), axis=-1)
    largest = np.where(tolerated < 1.0, tolerated + extra, 1.0)
    usual = np.minimum.accumulate(np.where(bet_on, stable[..., None, :], 1.0), axis=-1)
    expected = (1.0 - _SHARE) * usual + _SHARE * ndtr(ndtri(tolerated) + _SHIFT)
    h = np.concatenate([_increasing_ratio(expected, largest), _step(usual, largest, bet_on)], axis=-2)

    odds = k1 / k0
    w = k1 * r / (k1 * r + k0)
    above = h - 1.0
    rise = bet_on * (1.0 - w) * np.diff(h, axis=-1) / ((1.0 + w * above[..., 1:]) * (1.0 + w * above[..., :-1]))
    up, down = _summed(rise), _summed(rise * r) * odds
    first = above[..., :1] * (k0 / (k1 + k0)) / (1.0 + above[..., :1] * (k1 / (k1 + k0)))
    f1 = first + up
    f0 = -odds * (first + extra * up[..., -1:]) - down
    least = np.minimum(f1[..., :1], f0[..., -1:])
    part = np.minimum(1.0, (_LEAST - 1.0) / np.minimum(least, _LEAST - 1.0))
    return part * f1, part * f0


def bucket_counts(requests: Floats, slow: Floats) -> Floats:
    """Requests in each bucket, (..., bounds + 1). Of tails that rise, as no histogram's do, the lower one counts.

    requests: (...); slow: those slower than each bound, (..., bounds), between 0 and all.
    """
    falling = np.minimum.accumulate(slow, axis=-1)
    return _parts(falling, requests[..., None])


def _parts(tail: Floats, whole: Floats) -> Floats:
    """What lies between two bounds, below the first and above the last. tail: (..., bounds); whole: (..., 1)."""
    parts = np.empty((*tail.shape[:-1], tail.shape[-1] + 1))
    parts[..., 0] = whole[..., 0] - tail[..., 0]
    parts[..., 1:-1] = tail[..., :-1] - tail[..., 1:]
    parts[..., -1] = tail[..., -1]
    return parts


def _summed(rise: Floats) -> Floats:
    """0 in the lowest bucket, and in each other one the sum of what the bounds below it bring."""
    total = np.zeros((*rise.shape[:-1], rise.shape[-1] + 1))
    np.cumsum(rise, axis=-1, out=total[..., 1:])
    return total


def _increasing_ratio(expected: Floats, allowed: Floats) -> Floats:
    """h, (..., bets, buckets): what is expected of a bucket over what H0 allows it at most, made to rise.

    expected: Q, (..., bets, bounds); allowed: M, (..., 1, bounds), 1 where nothing is to be bet. The ratio of the
    buckets falls, rises, falls: below M at first, and nothing but margin in the end. So what is flattened at either end
    reaches to the bound where the mean ratio from that end on is least, or largest.
    """
    one = np.ones((*allowed.shape[:-1], 1))
    here, there = _parts(expected, one), _parts(allowed, one)
    with np.errstate(divide="ignore", invalid="ignore"):
        least = np.where(allowed < 1.0, (1.0 - expected) / (1.0 - allowed), 1.0).min(axis=-1, keepdims=True)
        ratio = here / there
    most = np.maximum((expected / allowed).max(axis=-1, keepdims=True), 1.0)
    flat = np.where(there > _EMPTY, np.clip(ratio, least, most), most)
    flat[..., -1:] = most
    rising: Floats = np.minimum.accumulate(flat[..., ::-1], axis=-1)[..., ::-1]
    return rising


def _step(usual: Floats, allowed: Floats, bet_on: NDArray[np.bool_]) -> Floats:
    """h of the bets on one bound alone, (..., steps, buckets): the one that about _TAIL of stable's requests exceed.

    usual: S, allowed: M, bet_on: whether it may be this one, each (..., 1, bounds).
    """
    far = np.where(bet_on, np.abs(np.log(usual) - np.log(_TAIL)), np.inf)
    at = np.argmin(far, axis=-1)[..., None]
    most = np.take_along_axis(np.broadcast_to(np.where(bet_on, allowed, 1.0), far.shape), at, axis=-1)
    below = np.where(most < 1.0, 1.0 / (1.0 + (_ODDS - 1.0) * most), 1.0)
    above = np.where(most < 1.0, _ODDS * below, 1.0)
    return np.where(np.arange(far.shape[-1] + 1) > at, above, below)
