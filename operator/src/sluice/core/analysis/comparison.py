"""The evidence of one check, candidate against stable, as a function of the samples' own times.

A poll is a window of one second of *sample* time. The scrapes of an arm's pods fall into different windows, so what was
counted waits until the other arm has something to be compared with: with scrapes each 15 s a candidate's requests meet
those that stable's pods told of since the last comparison. What waits longer than PATIENCE is dropped, so that a busy
hour of stable is never compared with a candidate's first second.

A sample that arrives late is counted into the window it belongs to, and what followed is computed again; windows older
than KEPT are closed. So the numbers do not depend on how a history was cut into answers, and a restarted operator that
reads the history again comes to the same ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal

import numpy as np

from sluice.core.analysis.certificate import TOLERATED_RATIO
from sluice.core.analysis.eprocess import PROMOTION_GRID, Floats, log_evidence, nothing_bet, open_epoch
from sluice.core.analysis.rates import LEAST_RATIO, MARGIN, POD_SPREAD, tolerated_ratio, two_sample_bet

WINDOW: Final = 1.0
"""Seconds of sample time in one poll."""
PATIENCE: Final = 90
"""Windows for which counts of one arm wait for the other's."""
WITH_TRAFFIC: Final = 60
"""Windows within which a pod must have had a request to count as one with traffic."""
KEPT: Final = 120
"""Newest windows into which a late sample is still counted."""
EPOCH: Final = 60
"""Windows of one epoch: new mass enters at most this often, and only when something is compared."""

Arm = Literal["candidate", "stable"]


@dataclass(frozen=True, slots=True)
class Counts:
    """What both arms did: requests (n) and losses (x) of the candidate (1) and of stable (0)."""

    n1: float = 0.0
    x1: float = 0.0
    n0: float = 0.0
    x0: float = 0.0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.n1 + other.n1, self.x1 + other.x1, self.n0 + other.n0, self.x0 + other.x0)


@dataclass(slots=True)
class _Window:
    """index: number of the window since the origin. pods: of each arm, those with requests in it."""

    index: int
    counts: Counts = Counts()
    pods: dict[Arm, set[str]] = field(default_factory=lambda: {"candidate": set(), "stable": set()})


@dataclass(frozen=True, slots=True)
class _State:
    """What is left after a window. waiting: counts that were not compared yet, with their windows. compared: all that
    were."""

    rollback: Floats
    promotion: Floats
    epochs: int = 0
    epoch: int = -1
    waiting: tuple[tuple[int, Counts], ...] = ()
    compared: Counts = Counts()


@dataclass(slots=True)
class Comparison:
    """Is the candidate's share of losses above `ratio` times stable's plus `margin`; and is it shown not to be?

    origin: seconds since the epoch from which windows are counted. ratio: least tolerated ratio; more where few pods
    are compared. margin: tolerated share on top. promotion_margin: that of the certificate, None: none is possible.
    phi: overdispersion; None: not known yet, so nothing is computed. log_e, log_c: ln of the evidence for a rollback,
    for a promotion; peak, peak_c: their largest.
    """

    origin: float
    ratio: float = LEAST_RATIO
    margin: float = MARGIN
    promotion_margin: float | None = None
    phi: float | None = None
    pod_spread: float = POD_SPREAD
    total: Counts = Counts()
    """All that was counted."""
    compared: Counts = Counts()
    """What of it was compared: requests of stable while the candidate had none say nothing."""
    log_e: float = 0.0
    log_c: float = 0.0
    peak: float = 0.0
    peak_c: float = 0.0
    _windows: list[_Window] = field(default_factory=list)
    _after: list[_State] = field(default_factory=list)
    """After each of the windows that are settled."""
    _before: _State = field(
        default_factory=lambda: _State(nothing_bet(), np.full(len(PROMOTION_GRID), -np.log(len(PROMOTION_GRID))))
    )
    """Before the first window that is kept."""

    def add(self, time: float, arm: Arm, pod: str, requests: float, losses: float) -> None:
        """Counts of one scrape of one pod at `time`; a scrape without requests changes nothing."""
        if requests <= 0 or time <= self.origin:
            return
        losses = min(max(losses, 0.0), requests)
        counts = Counts(n1=requests, x1=losses) if arm == "candidate" else Counts(n0=requests, x0=losses)
        at = self._place(int((time - self.origin) // WINDOW))
        window = self._windows[at]
        window.counts += counts
        window.pods[arm].add(pod)
        self.total += counts
        del self._after[at:]

    def settle(self, until: float) -> None:
        """Computes all windows that ended by `until` (seconds since the epoch), up to which both arms were read."""
        if self.phi is None:
            return
        last = int((until - self.origin) // WINDOW)
        while len(self._after) < len(self._windows) and self._windows[len(self._after)].index < last:
            self._compute(len(self._after), self.phi)
            if len(self._after) > 2 * KEPT:
                self._close()
        self._close()

    def _close(self) -> None:
        """Forgets the oldest windows that are settled, down to KEPT."""
        surplus = min(len(self._windows) - KEPT, len(self._after))
        if surplus > 0:
            self._before = self._after[surplus - 1]
            del self._after[:surplus], self._windows[:surplus]

    def _place(self, index: int) -> int:
        at = len(self._windows)
        while at and self._windows[at - 1].index > index:
            at -= 1
        if at and self._windows[at - 1].index == index:
            return at - 1
        self._windows.insert(at, _Window(index))
        del self._after[at:]
        return at

    def _compute(self, at: int, phi: float) -> None:
        window, state = self._windows[at], self._after[at - 1] if at else self._before
        waiting = (*(w for w in state.waiting if w[0] > window.index - PATIENCE), (window.index, window.counts))
        counts = sum((c for _, c in waiting), Counts())
        if counts.n1 <= 0 or counts.n0 <= 0:
            self._after.append(replace(state, waiting=waiting))
            return
        epoch = window.index // EPOCH
        rollback, epochs = state.rollback, state.epochs
        if epoch != state.epoch:
            epochs += 1
            rollback = open_epoch(rollback, epochs)
        pods = self._pods(at)
        ratio = tolerated_ratio(pods["candidate"], pods["stable"], self.pod_spread, self.ratio)
        numbers = (counts.n1, counts.x1, counts.n0, counts.x0)
        rollback = two_sample_bet(rollback, *numbers, ratio, self.margin, phi)
        promotion = state.promotion
        if self.promotion_margin is not None:
            promotion = two_sample_bet(promotion, *numbers, TOLERATED_RATIO, self.promotion_margin, phi, PROMOTION_GRID)
            self.log_c = float(np.logaddexp.reduce(promotion))
            self.peak_c = max(self.peak_c, self.log_c)
        self.log_e = float(log_evidence(rollback, epochs))
        self.peak = max(self.peak, self.log_e)
        self.compared = state.compared + counts
        self._after.append(_State(rollback, promotion, epochs, epoch, compared=self.compared))

    def _pods(self, at: int) -> Mapping[Arm, int]:
        """Pods of each arm that had a request lately; at least one, as there is something to compare."""
        found: dict[Arm, set[str]] = {"candidate": set(), "stable": set()}
        for window in reversed(self._windows[max(0, at - WITH_TRAFFIC) : at + 1]):
            if window.index <= self._windows[at].index - WITH_TRAFFIC:
                break
            for arm, pods in window.pods.items():
                found[arm] |= pods
        return {arm: max(1, len(pods)) for arm, pods in found.items()}
