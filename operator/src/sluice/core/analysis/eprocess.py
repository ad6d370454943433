"""Is a share of the candidate's requests above its maximum? A one-sample e-process answers at every sample.

H0: each request is a loss with probability at most `pmax`, whatever happened before. For any G > 1 the wealth
G**x * exp(-n * pmax * (G - 1)) of n requests with x losses has mean at most 1 under H0, because
E[G**x] <= exp(n * p * (G - 1)). A mixture over a grid of G does not need to know how bad a bad candidate is, and a
wealth of 1/alpha is reached with probability at most alpha over the whole rollout, however often one looks (Ville's
inequality; Ramdas, Grünwald, Vovk, Shafer 2023, section 3; Howard, Ramdas, McAuliffe, Sekhon 2021 for the mixture).

Worked example: 10 requests, 5 of them losses, pmax 5%, grid point 10: 5 * ln 10 - 10 * 0.05 * 9 = 11.5 - 4.5 = 7.0, so
this bet alone grew e**7 = 1100-fold. It held 1/32 of the mass (the first epoch bets one half, on 16 points): 34 now.

All functions take arrays with any leading axes; the last axis of `log_wealth` is the grid.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sluice.core.analysis.saved import Saved

Floats = NDArray[np.float64]

GRID: Final[Floats] = np.array([1.15, 1.3, 1.5, 1.75, 2, 2.5, 3, 4, 5, 7, 10, 15, 25, 50, 100, 300])
"""Ratios of the true share to the maximum that are bet on."""

LOG_GRID: Final[Floats] = np.log(GRID)

PROMOTION_GRID: Final[Floats] = 1.0 / GRID
"""Ratios that are bet on when the candidate is to be shown to be better than the largest tolerated share."""

EPOCH_SECONDS: Final = 5.0
"""New mass enters at most this often, in seconds of sample time, and only when requests were counted.

A good hour makes every bet worthless: 20 requests/s, pmax 5% and grid point 10 cost 9 nats each second. What fails
later is found with the mass that came last, so the wait for new mass is paid in bad requests: up to 300 s of them with
an epoch each 5 minutes. Halving the epoch costs 1.4 nats for a late failure (one bad request more at a 50% failing
candidate) and nothing for one that is there from the start. A step of the weight then needs no epoch of its own, so
that the evidence is a function of the samples alone. See docs/reference/statistics.md.
"""


def nothing_bet(shape: tuple[int, ...] = (), bets: int = len(GRID)) -> Floats:
    """log wealth of a process that has not bet yet. shape: the leading axes; bets: length of the last axis."""
    return np.full((*shape, bets), -np.inf)


def open_epoch(log_wealth: Floats, k: ArrayLike) -> Floats:
    """Adds the mass of the k-th epoch (k = 1, 2, ...): 1/(k(k+1)), evenly over the last axis. All epochs sum to 1.

    k: of the leading shape, or one for all.
    """
    number = np.asarray(k, dtype=float)[..., None]
    opened: Floats = np.logaddexp(log_wealth, -np.log(number * (number + 1.0) * log_wealth.shape[-1]))
    return opened


def bet(log_wealth: Floats, requests: ArrayLike, losses: ArrayLike, pmax: float, phi: float = 1.0) -> Floats:
    """Wealth after `requests` (count) with `losses` of them, 0 <= losses <= requests.

    pmax: the tolerated share, 0 < pmax < 1. phi: overdispersion, >= 1: 1 where requests are independent.
    """
    n = np.asarray(requests, dtype=float)[..., None]
    x = np.asarray(losses, dtype=float)[..., None]
    return log_wealth + (x * LOG_GRID - n * pmax * (GRID - 1.0)) / phi


def log_evidence(log_wealth: Floats, k: ArrayLike) -> Floats:
    """ln of the e-value after k epochs: all bets, and the mass 1/(k+1) that was not bet yet."""
    rest = -np.log(np.asarray(k, dtype=float) + 1.0)
    # the largest is taken out, so that no power of e overflows; np.logaddexp.reduce takes three times as long
    most = np.maximum(log_wealth.max(axis=-1), rest)
    total: Floats = most + np.log(np.exp(log_wealth - most[..., None]).sum(axis=-1) + np.exp(rest - most))
    return total


def log_certificate(requests: ArrayLike, losses: ArrayLike, pmax: float, phi: float = 1.0) -> Floats:
    """ln of the e-value for a promotion, H0: each request is a loss with probability at least `pmax`.

    With G < 1 the same wealth has mean at most 1 under this H0. The bets are never renewed, so totals are all it takes:
    150 requests without a loss at pmax 5% bring 150 * 0.05 * (1 - 1/300) - ln 16 = 4.7 on the best grid point alone.
    """
    n = np.asarray(requests, dtype=float)[..., None]
    x = np.asarray(losses, dtype=float)[..., None]
    wealth = (x * np.log(PROMOTION_GRID) - n * pmax * (PROMOTION_GRID - 1.0)) / phi
    total: Floats = np.logaddexp.reduce(wealth, axis=-1) - np.log(len(PROMOTION_GRID))
    return total


KEPT: Final = 24
"""Newest epochs that a late sample can still be counted into: two minutes of traffic."""


@dataclass(slots=True)
class _Epoch:
    """Sums of one stretch of sample time, and the wealth it began with (its own mass included)."""

    index: int
    opening: Floats
    requests: float = 0.0
    losses: float = 0.0


@dataclass(slots=True)
class MaximumTest:
    """One check's evidence that the share of losses is above `pmax`: a function of the samples' times and counts.

    Samples that come late (one pod's scrape took longer) are counted into the epoch they belong to, so the numbers do
    not depend on how a history was cut into answers. Epochs older than KEPT are closed: a rollout that waits for weeks
    takes no more memory than one that just began.

    pmax: tolerated share, 0 < pmax < 1. origin: seconds since the epoch from which epochs are cut.
    """

    pmax: float
    origin: float
    phi: float = 1.0
    requests: float = 0.0
    losses: float = 0.0
    peak: float = 0.0
    """Largest ln of the e-value so far; 0 is no evidence."""
    log_e: float = 0.0
    """ln of the e-value now."""
    log_c: float = 0.0
    """ln of the evidence that the share is below `pmax`."""
    _epochs: list[_Epoch] = field(default_factory=list)
    _closed: int = 0
    """Epochs that are no longer kept."""

    def add(self, time: float, requests: float, losses: float) -> None:
        """Counts of one scrape at `time` (seconds since the epoch); a scrape without requests changes nothing."""
        if requests <= 0:
            return
        losses = min(max(losses, 0.0), requests)
        self.requests += requests
        self.losses += losses
        at = self._place(int((time - self.origin) // EPOCH_SECONDS))
        self._epochs[at].requests += requests
        self._epochs[at].losses += losses
        for later in range(at + 1, len(self._epochs)):
            self._epochs[later].opening = open_epoch(self._closing(later - 1), self._closed + later + 1)
        self.log_e = float(log_evidence(self._closing(len(self._epochs) - 1), self._closed + len(self._epochs)))
        self.peak = max(self.peak, self.log_e)
        self.log_c = float(log_certificate(self.requests, self.losses, self.pmax, self.phi))
        if len(self._epochs) > KEPT:
            del self._epochs[0]
            self._closed += 1

    def save(self) -> Saved:
        """All that it knows. Of the epochs' openings only the first: the others follow from the counts."""
        saved = Saved()
        saved.note("sums", [self.requests, self.losses, self.peak, self.log_e, self.log_c, self._closed])
        saved.note("epochs", [(epoch.index, epoch.requests, epoch.losses) for epoch in self._epochs])
        saved.note("opening", self._epochs[0].opening if self._epochs else ())
        return saved

    def restore(self, saved: Saved) -> None:
        """Goes on from what was saved."""
        *sums, closed = saved.numbers["sums"].tolist()
        self.requests, self.losses, self.peak, self.log_e, self.log_c = sums
        self._closed, opening = int(closed), saved.numbers["opening"].copy()
        for at, (index, requests, losses) in enumerate(saved.table("epochs", 3)):
            if at:
                opening = open_epoch(self._closing(at - 1), self._closed + at + 1)
            self._epochs.append(_Epoch(int(index), opening, requests, losses))

    def _place(self, index: int) -> int:
        """Position of the epoch with this index; it is opened if it was not."""
        at = len(self._epochs)
        while at and self._epochs[at - 1].index > index:
            at -= 1
        if at and self._epochs[at - 1].index == index:
            return at - 1
        if not at and self._closed:
            return 0  # later than anything that was ever seen: its own epoch is closed
        before = self._closing(at - 1) if at else nothing_bet()
        self._epochs.insert(at, _Epoch(index, open_epoch(before, self._closed + at + 1)))
        return at

    def _closing(self, at: int) -> Floats:
        epoch = self._epochs[at]
        return bet(epoch.opening, epoch.requests, epoch.losses, self.pmax, self.phi)
