"""How much more do losses scatter than independent requests would? Measured on stable, frozen before the rollout.

Losses come in bursts: one broken connection fails ten requests. phi is the factor by which that widens the variance of
a count, and every bet's gain is divided by it.

What both arms share (an outage upstream) is no noise between them, so phi is measured *between pods*: of all events of
a block of time, does each pod get the part that is due to its requests of that block at its usual share of losses? (A
container that restarts takes what it counted since its last scrape with it, requests and losses alike: that is no
scatter.) Where a pod's part cannot be told (one pod, or parts that change) the
scatter of the total is taken, by successive differences, so that a slow drift of the base does not count (von Neumann
1941). Of a shared five-fold burst that second estimate makes 100 to 500 and the first 1.2 to 1.4.

An estimate from few blocks is itself a guess, so one standard error is added to it: sqrt(2/d) of it, d the number of
independent differences it was made from. For two pods over an hour d = 29, a quarter; for four pods d = 87, a seventh.

Worked example: two pods with half of the events each, 8 and 12 events in one block, 12 and 8 in the next: the scatter
around 10 is (4 + 4 + 4 + 4) / (2 - 1) = 16, expected are 2 * 20 * 2 * .5 * .5 / 2 = 10: 1.6. With two blocks d = 1; had
it been an hour, phi = 1.26 * 1.6 = 2.
"""

from math import sqrt
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

BLOCK_SECONDS: Final = 120.0
"""Length of a block."""
HISTORY_SECONDS: Final = 3600.0
"""Least history for an estimate: 30 blocks."""
UNKNOWN: Final = 3.0
"""phi where there is no history or not one event in it."""
MOST: Final = 10.0
"""Largest phi. One outage in the hour before, with a single pod, reads as tens of thousands, and nothing would ever be
evidence again; at 10 a candidate that fails half of its answers still costs some forty requests only."""
_CAUTION: Final = 1.25
"""The same for the scatter of totals, whose successive differences are not independent."""
_STEADY: Final = 0.5
"""A pod's part of the requests may change by this factor between the first and the second half, either way."""


def overdispersion(requests: ArrayLike, losses: ArrayLike) -> float:
    """phi >= 1 from stable's history.

    requests, losses: counts by pod and block of BLOCK_SECONDS, shape (pods, blocks), oldest block first.
    """
    n, x = np.asarray(requests, dtype=float), np.asarray(losses, dtype=float)
    if n.ndim != 2 or n.shape != x.shape:
        raise ValueError(f"requests and losses must both be (pods, blocks), not {n.shape} and {x.shape}")
    if n.shape[1] * BLOCK_SECONDS < HISTORY_SECONDS or x.sum() <= 0:
        return UNKNOWN
    whole = _there_all_the_time(n)
    if _steady(n[whole]) and x[whole].sum() > 0:
        differences = (int(whole.sum()) - 1) * (n.shape[1] - 1)
        estimate = (1.0 + sqrt(2.0 / differences)) * _between_pods(n[whole], x[whole])
    else:
        estimate = _CAUTION * _between_blocks(n.sum(axis=0), x.sum(axis=0))
    return min(MOST, max(1.0, estimate))


def _there_all_the_time(n: np.ndarray) -> np.ndarray:
    """Which pods had requests in both halves: one that was replaced meanwhile must not hide how the others compare."""
    half = n.shape[1] // 2
    there: np.ndarray = (n[:, :half].sum(axis=1) > 0) & (n[:, half:].sum(axis=1) > 0)
    return there


def _steady(n: np.ndarray) -> bool:
    """Whether at least two pods had about the same parts of the requests in both halves of the history."""
    if n.shape[0] < 2:
        return False
    half = n.shape[1] // 2
    halves = [part.sum(axis=1) for part in (n[:, :half], n[:, half:])]
    if any(np.any(one <= 0) for one in halves):
        return False
    change = (halves[1] / halves[1].sum()) / (halves[0] / halves[0].sum())
    return bool(np.all((change > _STEADY) & (change < 1 / _STEADY)))


def _between_pods(n: np.ndarray, x: np.ndarray) -> float:
    blocks = x.shape[1]
    due = n * (x.sum(axis=1) / n.sum(axis=1))[:, None]
    all_due = due.sum(axis=0)
    parts = np.divide(due, all_due, out=np.zeros_like(due), where=all_due > 0)
    totals = x.sum(axis=0)
    seen = float(((x - parts * totals) ** 2).sum()) / (blocks - 1)
    expected = float((parts * (1 - parts) * totals).sum()) / blocks
    return seen / expected if expected > 0 else 1.0


def _between_blocks(n: np.ndarray, x: np.ndarray) -> float:
    share = x.sum() / n.sum()
    residuals = x - n * share
    expected = float((n * share * (1 - share)).mean())
    return float((np.diff(residuals) ** 2 / 2).mean()) / expected if expected > 0 else 1.0
