"""Is the candidate slower than stable, by more than two revisions may differ?

H0, for the rollback: at every bound b of the histogram and in every poll P1(slower than b) <= S(b / c) + margin, where
S is stable's tail and c the tolerated slow-down: each request of the candidate may take c times as long as one of
stable. Equality is no null to test, as pods of one revision differ. Nor is a ratio of tails: 5% more time puts 2.2
times as many requests beyond 3 sigma where sigma is .2, and 1.2 times as many where it is .8.

The histogram holds S at its bounds only. Between two of them ndtri(S) is taken as linear in ln b, exact for a lognormal
latency. So S(b / c) is r * S(b), r from stable's own past, and H0 at b becomes p1 <= r * p0 + margin for the shares p1,
p0 of requests slower than b, whatever they do from poll to poll. Three memories of the past tell r, and the largest
counts: the short one follows a load that changes shape, the long one knows the far tail.

Against it is bet that the odds of a slow candidate request are G times what H0 allows. The bet divides by the member
(m1, m0) of H0 that is nearest to the alternative (P1, P0) in Kullback-Leibler divergence; as H0 is a half-plane, which
is convex, that quotient is an e-value for every member (Grünwald, de Heide, Koolen 2024, theorem 1; Turner, Ly,
Grünwald 2024 for two samples). c = 1 with margin 0 is the exact test of "no slower at all", for set-ups without any
difference.

Worked example: 100 candidate and 300 stable requests, P0 = 2% slower than b, r = 1.5: H0 allows M = 1.5 * .02 + .002 =
3.2%. Grid point 5 bets on P1 = 5 * .032 / (5 * .032 + .968) = 14.2%. Nearest in H0 are m0 = 4.43% and m1 = 1.5 * .0443
+ .002 = 6.85%: a slow request of the candidate multiplies the wealth by .142 / .0685 = 2.07, a slow one of stable by
.02 / .0443 = 0.451. 15 slow ones of 100 against 6 of 300: 15 * .728 - 85 * .0820 - 6 * .796 + 294 * .0252 = 6.6 nats.

A weight above the candidate's share of the pods is more load for each of them, which no null tolerates: the caller
warns.
"""

from dataclasses import dataclass, replace
from math import exp, sqrt
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from sluice.core.analysis.eprocess import Floats

POD_SPREAD: Final = 0.05
"""How much the latencies of two pods of one revision differ by themselves: standard deviation of their logarithm."""
LEAST_SLOWDOWN: Final = 1.05
"""Slow-down that is always tolerated: scrapes out of phase alone look like less."""
MARGIN: Final = 0.002
"""Share of slow requests that is tolerated on top."""
GRID: Final[Floats] = np.array([1.15, 1.3, 1.5, 2, 3, 5, 10, 50])
"""Ratios of the odds of a slow candidate request to the largest odds allowed that are bet on."""
MEMORIES: Final[Floats] = np.array([15.0, 60.0, 300.0])
"""Half-lives of what is remembered of stable, in seconds."""
HISTORY_SECONDS: Final = 300.0
"""Stable must have answered for so long before the first bet."""
_USUAL: Final = 1
"""Position of the memory that says what stable's tail is now."""
_LARGEST_TAIL: Final = 0.5
"""No money goes to bounds that most requests exceed. Small tails get it: 2% of slow requests show nowhere else."""
_CERTAIN: Final = 0.999
"""Where H0 allows this share there is nothing to bet on."""
_STEPS: Final = 50
"""Most steps towards a root; some eight are usual."""
_PRECISION: Final = 1e-12
"""Of a root, as a part of it."""


def tolerated_slowdown(
    candidate_pods: int, stable_pods: int, pod_spread: float = POD_SPREAD, least: float = LEAST_SLOWDOWN
) -> float:
    """c = max(least, exp(2.5 s sqrt(1/m1 + 1/m0))): 2.5 standard deviations of what pods differ by themselves.

    candidate_pods, stable_pods: those with traffic, >= 1. pod_spread: s, >= 0. 1 against 3 pods: 1.155; 2 against 6:
    1.107; 5 against 15: 1.067. Raises ValueError for an arm without pods.
    """
    if candidate_pods < 1 or stable_pods < 1:
        raise ValueError(f"both arms need a pod, not {candidate_pods} and {stable_pods}")
    return max(least, exp(2.5 * pod_spread * sqrt(1 / candidate_pods + 1 / stable_pods)))


@dataclass(frozen=True, slots=True)
class SlowdownState:
    """The evidence so far and what is remembered of stable, for any leading axes (worlds; none in the product).

    bounds: of the buckets that both arms have, in seconds, rising, infinity left out, (bounds,).
    log_wealth: (..., bounds, grid). epochs: times that new mass was bet, (...).
    slow, requests: stable's faded counts, (..., memories, bounds) and (..., memories).
    history: seconds in which stable answered, (...).
    """

    bounds: Floats
    log_wealth: Floats
    epochs: Floats
    slow: Floats
    requests: Floats
    history: Floats


def new_slowdown(bounds: ArrayLike, shape: tuple[int, ...] = ()) -> SlowdownState:
    """Nothing bet and nothing known. bounds: see SlowdownState; shape: the leading axes.

    Raises ValueError where there are not two bounds > 0, finite and rising: one alone says nothing about b / c.
    """
    b = np.asarray(bounds, dtype=float)
    if b.ndim != 1 or b.size < 2 or not np.all(np.isfinite(b)) or b[0] <= 0 or np.any(np.diff(b) <= 0):
        raise ValueError(f"bucket bounds must be at least two rising numbers of seconds above 0, not {b}")
    return SlowdownState(
        bounds=b,
        log_wealth=np.full((*shape, b.size, GRID.size), -np.inf),
        epochs=np.zeros(shape),
        slow=np.zeros((*shape, MEMORIES.size, b.size)),
        requests=np.zeros((*shape, MEMORIES.size)),
        history=np.zeros(shape),
    )


def remember_stable(state: SlowdownState, n0: ArrayLike, x0: ArrayLike, seconds: ArrayLike) -> SlowdownState:
    """Fades what is known of stable by `seconds` > 0 and adds n0 requests, x0 of them slower than each bound.

    n0, seconds: (...); x0: (..., bounds), counts. Time without requests is no history.
    """
    n, x = _clean(n0, x0)
    passed = np.asarray(seconds, dtype=float)
    kept = 0.5 ** (passed[..., None] / MEMORIES)
    return replace(
        state,
        slow=state.slow * kept[..., None] + x[..., None, :],
        requests=state.requests * kept + n[..., None],
        history=state.history + np.where(n > 0, passed, 0.0),
    )


def has_history(state: SlowdownState) -> NDArray[np.bool_]:
    """Whether enough is known of stable to bet, (...)."""
    return np.asarray(state.history >= HISTORY_SECONDS)


def stable_tail(state: SlowdownState) -> Floats:
    """Share of stable's requests slower than each bound lately, (..., bounds)."""
    tail: Floats = _tails(state)[..., _USUAL, :]
    return tail


def least_ratio(state: SlowdownState, slowdown: ArrayLike) -> Floats:
    """By how much a candidate that takes `slowdown` times as long exceeds each bound more often than stable, at least:
    the smallest S(b / c) / S(b) of the memories, (..., bounds); 1 where nothing is known of it."""
    tails = _tails(state)
    earlier, known = _tails_before(tails, state.bounds, np.asarray(slowdown, dtype=float))
    ratio: Floats = np.where(known, (earlier / tails).min(axis=-2), 1.0)
    return ratio


def open_slowdown_epoch(state: SlowdownState) -> SlowdownState:
    """Adds the mass 1/(k(k+1)) of the next epoch k, evenly over the grid and the bounds with a small tail now.

    Where there is too little history, or no such bound, the mass is kept for later: k does not rise. The lowest bound
    gets none, as nothing is known of S below it.
    """
    small = stable_tail(state) <= _LARGEST_TAIL
    small[..., 0] = False
    small &= has_history(state)[..., None]
    places = small.sum(axis=-1) * GRID.size
    k = state.epochs + (places > 0)
    mass = np.where(small, -np.log(np.maximum(k * (k + 1.0) * places, 1.0))[..., None], -np.inf)
    return replace(state, epochs=k, log_wealth=np.logaddexp(state.log_wealth, mass[..., None]))


def bet_on_slowdown(
    state: SlowdownState,
    n1: ArrayLike,
    x1: ArrayLike,
    n0: ArrayLike,
    x0: ArrayLike,
    slowdown: ArrayLike,
    phi: ArrayLike = 1.0,
    margin: ArrayLike = MARGIN,
) -> SlowdownState:
    """The wealth after one poll; one in which an arm had no request changes nothing. The poll is remembered afterwards.

    n1, n0: requests of the candidate and of stable, (...); x1, x0: those slower than each bound, (..., bounds); counts.
    slowdown: c >= 1, see tolerated_slowdown. phi: overdispersion, >= 1. margin: share of requests.
    """
    requests1, slow1 = _clean(n1, x1)
    requests0, slow0 = _clean(n0, x0)
    tails = _tails(state)
    earlier, known = _tails_before(tails, state.bounds, np.asarray(slowdown, dtype=float))
    ratio = np.maximum((earlier / tails).max(axis=-2), 1.0)
    stable = tails[..., _USUAL, :]
    extra = np.asarray(margin, dtype=float)[..., None]
    allowed = ratio * stable + extra
    funded = state.log_wealth[..., 0] > -np.inf
    both = (requests1 > 0) & (requests0 > 0)
    live = np.nonzero(known & funded & (allowed < _CERTAIN) & both[..., None])

    def at(values: Floats) -> Floats:
        """The cells that are bet on, with an axis for the grid: (cells, 1)."""
        return np.broadcast_to(values, funded.shape)[live][:, None]

    k1, k0, s1, s0 = at(requests1[..., None]), at(requests0[..., None]), at(slow1), at(slow0)
    r, p0, most, delta = at(ratio), at(stable), at(allowed), at(extra)
    p1 = GRID * most / (GRID * most + 1.0 - most)
    m0 = _nearest_null(k1, k0, p1, p0, r, delta)
    m1 = r * m0 + delta
    gain = s1 * np.log(p1 / m1) + (k1 - s1) * np.log((1.0 - p1) / (1.0 - m1))
    gain += s0 * np.log(p0 / m0) + (k0 - s0) * np.log((1.0 - p0) / (1.0 - m0))
    wealth = state.log_wealth.copy()
    wealth[live] += gain / at(np.asarray(phi, dtype=float)[..., None])
    return replace(state, log_wealth=wealth)


def slowdown_evidence(state: SlowdownState) -> Floats:
    """ln of the e-value, (...): all bets, and the mass 1/(k+1) that was not bet yet."""
    bets = np.logaddexp.reduce(np.logaddexp.reduce(state.log_wealth, axis=-1), axis=-1)
    total: Floats = np.logaddexp(bets, -np.log(state.epochs + 1.0))
    return total


def _clean(requests: ArrayLike, slow: ArrayLike) -> tuple[Floats, Floats]:
    """Counts as floats, with 0 <= slow <= requests even where buckets and count were not scraped at once."""
    n = np.maximum(np.asarray(requests, dtype=float), 0.0)
    return n, np.clip(np.asarray(slow, dtype=float), 0.0, n[..., None])


def _tails(state: SlowdownState) -> Floats:
    """Share of stable's requests slower than each bound, by each memory; never 0 nor 1. (..., memories, bounds)."""
    tails: Floats = (state.slow + 0.5) / (state.requests[..., None] + 1.0)
    return np.minimum(tails, 1.0 - 1e-16)


def _tails_before(tails: Floats, bounds: Floats, slowdown: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """S(b / c) by each memory, and whether it is known: at the lowest bound, and where b / c is below it, it is not."""
    where = np.log(bounds)
    wanted = where - np.log(slowdown)[..., None]
    left = np.clip(np.searchsorted(where, wanted, side="right") - 1, 0, bounds.size - 2)
    part = np.clip((wanted - where[left]) / (where[left + 1] - where[left]), 0.0, 1.0)[..., None, :]
    normal = ndtri(tails)
    index = np.broadcast_to(left[..., None, :], tails.shape)
    low, high = (np.take_along_axis(normal, i, axis=-1) for i in (index, index + 1))
    known = (wanted >= where[0]) & (np.arange(bounds.size) > 0)
    return ndtr(low + part * (high - low)), known


def _nearest_null(k1: Floats, k0: Floats, p1: Floats, p0: Floats, r: Floats, margin: Floats) -> Floats:
    """m0 of the member (r m0 + margin, m0) of H0 that is nearest to (p1, p0), by Newton's method within a bracket.

    At the root k1 r (p1 - m1) / (m1 (1 - m1)) + k0 (p0 - m0) / (m0 (1 - m0)) = 0. The left side falls with m0, is >= 0
    at p0 and <= 0 where m1 = p1; it has the sign of its product with both denominators, a cubic. It begins where small
    shares without a margin have their root.
    """
    low, high = np.broadcast_arrays(p0, (p1 - margin) / r)
    m0 = np.clip((k1 * p1 + k0 * p0) / (k1 * r + k0), low, high)
    done = np.zeros(m0.shape, dtype=bool)
    for _ in range(_STEPS):
        m1 = r * m0 + margin
        variance0, variance1, gap0, gap1 = m0 * (1.0 - m0), m1 * (1.0 - m1), p0 - m0, p1 - m1
        value = k1 * r * gap1 * variance0 + k0 * gap0 * variance1
        slope = k1 * r * (gap1 * (1.0 - 2.0 * m0) - r * variance0) + k0 * (gap0 * r * (1.0 - 2.0 * m1) - variance1)
        low, high = np.where(value > 0, m0, low), np.where(value > 0, high, m0)
        with np.errstate(divide="ignore", invalid="ignore"):
            step = m0 - value / slope
        better = np.where((step >= low) & (step <= high), step, 0.5 * (low + high))
        moved = ~done
        done = done | (np.abs(better - m0) <= _PRECISION * m0)
        m0 = np.where(moved, better, m0)  # what is found stays, so that company changes no result
        if done.all():
            break
    return m0
