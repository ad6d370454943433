"""Has the traffic moved away from the training reference, by more than is tolerated?

H0: every poll's distribution over the bins is within a total variation distance of `tolerance` from the reference,
TV(p_t, pi) <= tolerance. Equality is never true: a world in which nothing changes does not exist.

The bet is on q, what was seen lately (from the past only). It divides by p, the distribution in that ball which is
nearest to q in Kullback-Leibler divergence: as the ball is convex, a bin's q/p has mean at most 1 under every member of
it (Grünwald, de Heide, Koolen 2024, theorem 1; plug-in bets: Waudby-Smith, Ramdas 2024). While q is inside of the ball
p = q and nothing is risked, so traffic that keeps to its reference costs nothing and needs no epochs.

p takes from the bins that are far above the reference and gives to those far below, evenly by ratio: q/a where q/pi >
a, q/b where q/pi < b, else pi, with a and b such that exactly `tolerance` lies above pi and as much below.

The reference is a sample too: with n rows in K bins its TV to the truth is .5 sqrt(2K / (PI n)) on average, and exceeds
that by sqrt(ln(1000) / (2 n)) once in a thousand (McDiarmid 1989), which is added to the tolerance. A shift by a
quarter of sigma is a TV of .0995; with K = 10 the tolerance .05 becomes .05 + 3.12 / sqrt(n): 4,000 rows or fewer never
show it.

Worked example: two bins, half each, tolerance .1, lately 80% in the first: TV .3, and p = (.6, .4). 8 of 10 requests in
the first bin: 8 * ln(.8/.6) + 2 * ln(.2/.4) = 2.30 - 1.39 = 0.92 nats.

Drift against training alone pauses or alerts and does not roll back: traffic may have drifted for stable too.
"""

from dataclasses import dataclass
from math import log, pi
from typing import Final

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import xlogy

from sluice.core.analysis.eprocess import Floats

TOLERANCE: Final = 0.05
"""Total variation distance from the reference that is always tolerated."""
WINDOW_SECONDS: Final = 120.0
"""Half-life of what was seen lately; hours or days where the world is slow."""
_PRIOR: Final = 100.0
"""Requests that the reference counts for among those seen lately: a handful of requests is no reason to bet."""
_UNLUCKY: Final = 1000.0
"""The tolerance is too small for one reference in so many."""
_SMOOTHING: Final = 0.5
"""Added to each bin (Jeffreys' prior): an empty bin of the reference is no impossibility."""
_STEPS: Final = 60
"""Halvings: a ratio of a million is known to 1e-12."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What training saw. shares: pi, > 0 with sum 1, (..., bins). tolerance: TV, enlarged for its size, (...)."""

    shares: Floats
    tolerance: Floats


def smooth(counts: ArrayLike) -> Floats:
    """Shares of the bins, none of them 0. counts: (..., bins)."""
    x = np.asarray(counts, dtype=float) + _SMOOTHING
    shares: Floats = x / x.sum(axis=-1, keepdims=True)
    return shares


def reference_of(counts: ArrayLike, tolerance: float = TOLERANCE) -> Reference:
    """The reference from rows by bin, (..., bins). tolerance: TV, >= 0.

    Raises ValueError for fewer than two bins, for negative counts or none at all.
    """
    x = np.asarray(counts, dtype=float)
    rows = x.sum(axis=-1)
    if x.shape[-1] < 2 or np.any(x < 0) or not np.all(rows > 0):
        raise ValueError(f"a reference needs at least two bins and some rows in them, not {x}")
    own = 0.5 * np.sqrt(2 * x.shape[-1] / (pi * rows)) + np.sqrt(log(_UNLUCKY) / (2 * rows))
    return Reference(smooth(x), tolerance + own)


@dataclass(frozen=True, slots=True)
class DriftState:
    """log_e: ln of the e-value, (...). recent: faded counts, (..., bins)."""

    log_e: Floats
    recent: Floats


def new_drift(bins: int, shape: tuple[int, ...] = ()) -> DriftState:
    """Nothing seen; shape: the leading axes."""
    return DriftState(np.zeros(shape), np.zeros((*shape, bins)))


def watch_drift(
    state: DriftState,
    reference: Reference,
    counts: ArrayLike,
    seconds: ArrayLike,
    window: float = WINDOW_SECONDS,
    phi: ArrayLike = 1.0,
) -> DriftState:
    """The state after one poll: first the bet on the past, then the poll is remembered.

    counts: requests by bin, (..., bins). seconds: since the poll before, > 0, (...). window: half-life in seconds.
    phi: overdispersion, >= 1.
    """
    x = np.asarray(counts, dtype=float)
    q = expected_shares(state, reference)
    p = nearest_tolerated(q, reference)
    gain = (x * np.log(q / p)).sum(axis=-1) / np.asarray(phi, dtype=float)
    kept = 0.5 ** (np.asarray(seconds, dtype=float) / window)
    return DriftState(state.log_e + gain, state.recent * kept[..., None] + x)


def expected_shares(state: DriftState, reference: Reference) -> Floats:
    """q: what was seen lately, drawn towards the reference while that is little. (..., bins)."""
    seen = state.recent.sum(axis=-1, keepdims=True)
    shares: Floats = (_PRIOR * reference.shares + state.recent) / (_PRIOR + seen)
    return shares


def total_variation(one: Floats, other: Floats) -> Floats:
    """Half the sum of the absolute differences of two distributions, 0..1, (...)."""
    distance: Floats = 0.5 * np.abs(one - other).sum(axis=-1)
    return distance


def nearest_tolerated(q: Floats, reference: Reference) -> Floats:
    """p: q itself where H0 tolerates it, else the nearest that it does, in KL divergence. q: (..., bins), all > 0."""
    p = q.copy()
    outside = total_variation(q, reference.shares) > reference.tolerance
    shares = np.broadcast_to(reference.shares, q.shape)[outside]
    tolerance = np.broadcast_to(reference.tolerance, outside.shape)[outside]
    p[outside] = _projection(q[outside], shares, tolerance[:, None])
    return p


def _projection(q: Floats, shares: Floats, tolerance: Floats) -> Floats:
    """p for distributions outside of the ball, (cells, bins); tolerance: (cells, 1)."""
    ratio = q / shares
    low_a, high_a = np.ones_like(tolerance), ratio.max(axis=-1, keepdims=True)
    low_b, high_b = ratio.min(axis=-1, keepdims=True), np.ones_like(tolerance)
    for _ in range(_STEPS):
        a, b = 0.5 * (low_a + high_a), 0.5 * (low_b + high_b)
        above = np.maximum(q / a - shares, 0.0).sum(axis=-1, keepdims=True) > tolerance
        below = np.maximum(shares - q / b, 0.0).sum(axis=-1, keepdims=True) > tolerance
        low_a, high_a = np.where(above, a, low_a), np.where(above, high_a, a)
        low_b, high_b = np.where(below, low_b, b), np.where(below, b, high_b)
    a, b = 0.5 * (low_a + high_a), 0.5 * (low_b + high_b)
    return np.where(ratio > a, q / a, np.where(ratio < b, q / b, shares))


def population_stability(shares: Floats, reference: Floats) -> Floats:
    """Population stability index in nats: sum of (s - r) ln(s / r), both > 0, (..., bins). A size, not a trigger."""
    index: Floats = ((shares - reference) * np.log(shares / reference)).sum(axis=-1)
    return index


def jensen_shannon(shares: Floats, reference: Floats) -> Floats:
    """Jensen-Shannon divergence in bits, 0..1 (Lin 1991), (..., bins). A size, not a trigger."""
    middle = 0.5 * (shares + reference)
    both = xlogy(shares, shares / middle) + xlogy(reference, reference / middle)
    bits: Floats = 0.5 * both.sum(axis=-1) / np.log(2.0)
    return bits
