"""What a comparison with stable bets on latency: see slowness.py for the bets, comparison.py for when they are made."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Final

import numpy as np

from sluice.core.analysis.certificate import UNKNOWN_MARGIN
from sluice.core.analysis.comparison import WINDOW, Arm, Counts, Step, bets_of
from sluice.core.analysis.latency import (
    LEAST_SLOWDOWN,
    MARGIN,
    POD_SPREAD,
    SlowdownState,
    tolerated_slowdown,
)
from sluice.core.analysis.slowness import Slowness, compare_latencies, new_slowness, remember_passed
from sluice.core.analysis.tolerance import tolerances


def telling_bound(state: "SlownessState", compared: Counts) -> int:
    """Position of the bound that says most now: where there is evidence the one at which the candidate differs most,
    else the certificate's. compared: all counts that were.

    Most is in standard deviations of the difference of two shares that are one.
    """
    if compared.n1 <= 0 or compared.n0 <= 0 or (state.log_e <= 0 and state.proof is not None):
        return state.proof or 0
    share = (compared.x1 + compared.x0) / (compared.n1 + compared.n0)
    scatter = np.sqrt(share * (1.0 - share) * (1.0 / compared.n1 + 1.0 / compared.n0))
    difference = compared.x1 / compared.n1 - compared.x0 / compared.n0
    return int(np.argmax(np.divide(difference, scatter, out=np.zeros_like(scatter), where=scatter > 0)))


@dataclass(frozen=True, slots=True, eq=False)
class SlownessState:
    """evidence: of one rollout. until: end of what is remembered, a window's number; None: nothing is. log_e, log_c:
    see Evidence."""

    evidence: Slowness
    until: int | None = None
    log_e: float = 0.0
    log_c: float = 0.0

    @property
    def slowdown(self) -> SlowdownState:
        """The rollback's bets and what is remembered of stable."""
        return self.evidence.slowdown

    @property
    def epoch(self) -> int:
        """Number of the newest, -1 before the first."""
        return int(self.evidence.epoch)

    @property
    def proof(self) -> int | None:
        """Position of the certificate's bound, None until it is chosen."""
        return int(self.evidence.proof) if self.evidence.proof >= 0 else None


@dataclass(frozen=True, slots=True)
class SlowdownBets:
    """Bets that each request of the candidate takes more than `slowdown` times as long as with stable; for the
    certificate, that at one bound no more are slow than such a slow-down makes, plus `promotion_margin`.

    bounds: seconds, rising; the ways to lose. phi: overdispersion, >= 1. slowdown: least tolerated one; more where few
    pods are compared. margin: tolerated share on top. proof: position of the certificate's bound; None: it is chosen at
    the first bet, from what is then remembered of stable.
    """

    bounds: tuple[float, ...]
    phi: float
    slowdown: float = LEAST_SLOWDOWN
    margin: float = MARGIN
    pod_spread: float = POD_SPREAD
    promotion_margin: float = UNKNOWN_MARGIN
    proof: int | None = None

    @property
    def group(self) -> Hashable:
        """See Bets."""
        return self.bounds

    def nothing(self) -> SlownessState:
        """See Bets."""
        return SlownessState(new_slowness(self.bounds, proof=self.proof))

    def remember(self, state: SlownessState, counts: Counts, index: int) -> SlownessState:
        """See Bets."""
        if counts.n0 <= 0:
            return state
        until, passed = _passed(state, index)
        slowdown = remember_passed(state.slowdown, counts.n0, counts.x0, passed)
        return replace(state, evidence=replace(state.evidence, slowdown=slowdown), until=until)

    def tolerated(self, pods: Mapping[Arm, int]) -> float:
        """Slow-down that is no reason for a rollback."""
        return tolerated_slowdown(pods["candidate"], pods["stable"], self.pod_spread, self.slowdown)

    def compare(self, steps: Sequence[Step[SlownessState]]) -> list[SlownessState]:
        """See Bets."""
        n1, n0 = (np.array([n(s.counts) for s in steps]) for n in (attrgetter("n1"), attrgetter("n0")))
        x1, x0 = (np.stack([x(s.counts) for s in steps]) for x in (attrgetter("x1"), attrgetter("x0")))
        bets = [bets_of(s, SlowdownBets) for s in steps]
        tolerance = tolerances(bets, [b.tolerated(s.pods) for b, s in zip(bets, steps, strict=True)])
        times = [_passed(s.state, s.index) for s in steps]
        passed = np.array([seconds for _, seconds in times])
        before = _stacked([s.state.evidence for s in steps])
        after = compare_latencies(before, [s.index for s in steps], n1, x1, n0, x0, tolerance, passed)
        log_e, log_c = after.log_e, after.log_c
        return [
            SlownessState(_row(after, k), until, float(log_e[k]), float(log_c[k])) for k, (until, _) in enumerate(times)
        ]


def _passed(state: SlownessState, index: int) -> tuple[int, float]:
    """Until when stable is remembered after this window, and how many seconds that adds."""
    if state.until is None:
        return index, WINDOW
    until = max(index, state.until)
    return until, WINDOW * (until - state.until)


_SLOWDOWN: Final = ("log_wealth", "epochs", "slow", "requests", "history")
"""Fields of a SlowdownState that have an axis for many rollouts."""
_EVIDENCE: Final = ("promotion", "epoch", "proof")
"""The same of a Slowness."""


def _stacked(states: Sequence[Slowness]) -> Slowness:
    """Many rollouts as one state with a leading axis; all have the same bounds."""
    slowdowns = [s.slowdown for s in states]
    slowdown = SlowdownState(
        slowdowns[0].bounds, *(np.stack([getattr(s, name) for s in slowdowns]) for name in _SLOWDOWN)
    )
    return Slowness(slowdown, *(np.stack([getattr(s, name) for s in states]) for name in _EVIDENCE))


def _row(states: Slowness, k: int) -> Slowness:
    """One of them again, without holding on to the others."""
    many = states.slowdown
    slowdown = SlowdownState(many.bounds, *(np.array(getattr(many, name)[k]) for name in _SLOWDOWN))
    return Slowness(slowdown, *(np.array(getattr(states, name)[k]) for name in _EVIDENCE))
