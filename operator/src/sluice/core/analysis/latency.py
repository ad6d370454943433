"""Is the candidate slower than stable, by more than two revisions may differ?

H0, for the rollback: at every bound b of the histogram and in every poll P1(slower than b) <= S(b / c) + margin, where
S is stable's tail and c the tolerated slow-down: each request of the candidate may take c times as long as one of
stable. Equality is no null to test, as pods of one revision differ. Nor is a ratio of tails: 5% more time puts 2.2
times as many requests beyond 3 sigma where sigma is .2, and 1.2 times as many where it is .8.

The histogram holds S at its bounds only. Between two of them ndtri(S) is taken as linear in ln b, exact for a lognormal
latency. So S(b / c) is r * S(b), r from stable's own past, and H0 at b becomes p1 <= r * p0 + margin for the shares p1,
p0 of requests slower than b, whatever they do from poll to poll. Three memories of the past tell r, and the largest
counts: the short one follows a load that changes shape, the long one knows the far tail.

Against it is bet on the whole histogram at once: each request multiplies a bet by a factor that rises from bucket to
bucket, see histogram_bets.py for the factors, for why each bet is an e-value for every member of H0, and for a worked
example. What the factors are made for, how slow stable is now, is told by the longest memory: a rare tail takes minutes
to be known, and one that is out of date costs power but no validity. c = 1 with margin 0 is the exact test of "no
slower at all", for set-ups without any difference.

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
from sluice.core.analysis.histogram_bets import STAKES, bucket_counts, fair_factors

POD_SPREAD: Final = 0.05
"""How much the latencies of two pods of one revision differ by themselves: standard deviation of their logarithm."""
LEAST_SLOWDOWN: Final = 1.05
"""Slow-down that is always tolerated: scrapes out of phase alone look like less."""
MARGIN: Final = 0.002
"""Share of slow requests that is tolerated on top."""
MEMORIES: Final[Floats] = np.array([15.0, 60.0, 300.0])
"""Half-lives of what is remembered of stable, in seconds."""
HISTORY_SECONDS: Final = 300.0
"""Stable must have answered for so long before the first bet."""
_USUAL: Final = 1
"""Position of the memory that says what stable's tail is now."""
_LONGEST: Final = 2
"""Position of the memory that says what a bet is made for."""
_MONEY: Final[Floats] = np.log(STAKES)


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
    log_wealth: (..., bets). epochs: times that new mass was bet, (...).
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
        log_wealth=np.full((*shape, STAKES.size), -np.inf),
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


def open_slowdown_epoch(state: SlowdownState, where: ArrayLike = True) -> SlowdownState:
    """Adds the mass 1/(k(k+1)) of the next epoch k, by the stakes. where: which rollouts, (...). Where there is too
    little history the mass is kept for later: k does not rise."""
    opened = has_history(state) & np.asarray(where, dtype=bool)
    k = state.epochs + opened
    mass = np.where(opened, -np.log(np.maximum(k * (k + 1.0), 1.0)), -np.inf)[..., None] + _MONEY
    return replace(state, epochs=k, log_wealth=np.logaddexp(state.log_wealth, mass))


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
    stable = tails[..., _LONGEST, :]
    extra = np.asarray(margin, dtype=float)
    ratio = np.where(known, ratio, np.inf)
    both = (requests1 > 0) & (requests0 > 0)
    f1, f0 = fair_factors(np.where(both, requests1, 1.0), np.where(both, requests0, 1.0), stable, ratio, extra)
    gain = (bucket_counts(requests1, slow1)[..., None, :] * np.log1p(f1)).sum(axis=-1)
    gain += (bucket_counts(requests0, slow0)[..., None, :] * np.log1p(f0)).sum(axis=-1)
    gain = np.where(both[..., None], gain / np.asarray(phi, dtype=float)[..., None], 0.0)
    return replace(state, log_wealth=state.log_wealth + gain)


def slowdown_evidence(state: SlowdownState) -> Floats:
    """ln of the e-value, (...): all bets, and the mass 1/(k+1) that was not bet yet."""
    total: Floats = np.logaddexp(np.logaddexp.reduce(state.log_wealth, axis=-1), -np.log(state.epochs + 1.0))
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
