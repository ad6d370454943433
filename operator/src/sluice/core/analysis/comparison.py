"""The evidence of one check, candidate against stable, as a function of the samples' own times.

A poll is a window of one second of *sample* time. The scrapes of an arm's pods fall into different windows, so what was
counted waits until the other arm has something to be compared with: with scrapes each 15 s a candidate's requests meet
those that stable's pods told of since the last comparison. What waits longer than PATIENCE is dropped, so that a busy
hour of stable is never compared with a candidate's first second.

A sample that arrives late is counted into the window it belongs to, and what followed is computed again; windows older
than KEPT are closed. So the numbers do not depend on how a history was cut into answers, and a restarted operator that
reads the history again comes to the same ones.

What is made of two arms' counts is not decided here: see Bets.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, Final, Generic, Literal, Protocol, TypeVar

import numpy as np

from sluice.core.analysis.eprocess import Floats
from sluice.core.analysis.saved import Saved, flat, unflat

WINDOW: Final = 1.0
"""Seconds of sample time in one poll."""
PATIENCE: Final = 90
"""Windows for which counts of one arm wait for the other's."""
WITH_TRAFFIC: Final = 60
"""Windows within which a pod must have had a request to count as one with traffic."""
KEPT: Final = 20
"""Newest windows into which a late sample is still counted. A scrape that tells later than that has failed; and what is
left after each of them is most of the memory that a rollout takes."""

Arm = Literal["candidate", "stable"]
ARMS: Final[tuple[Arm, ...]] = ("candidate", "stable")


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """What both arms did: requests (n) and losses (x) of the candidate (1) and of stable (0).

    x1, x0: one number for each way to lose, (ways,): for errors one, for latency one for each bucket bound.
    """

    n1: float
    x1: Floats
    n0: float
    x0: Floats

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.n1 + other.n1, self.x1 + other.x1, self.n0 + other.n0, self.x0 + other.x0)

    def plus(self, arm: Arm, requests: float, losses: Floats) -> "Counts":
        """With so many more of one arm."""
        if arm == "candidate":
            return Counts(self.n1 + requests, self.x1 + losses, self.n0, self.x0)
        return Counts(self.n1, self.x1, self.n0 + requests, self.x0 + losses)

    def row(self) -> list[float]:
        """As numbers."""
        return [self.n1, *self.x1.tolist(), self.n0, *self.x0.tolist()]


def no_counts(ways: int) -> Counts:
    """Nothing counted."""
    return Counts(0.0, np.zeros(ways), 0.0, np.zeros(ways))


def counts_of(row: Sequence[float]) -> Counts:
    """Counts from their numbers."""
    half = len(row) // 2
    return Counts(row[0], np.array(row[1:half]), row[half], np.array(row[half + 1 :]))


class Evidence(Protocol):
    """All that is left of the past; never changed.

    log_e: ln of the evidence for a rollback; log_c: of that for a promotion.
    """

    @property
    def log_e(self) -> float: ...

    @property
    def log_c(self) -> float: ...


State = TypeVar("State", bound=Evidence)


@dataclass(frozen=True, slots=True, eq=False)
class Step(Generic[State]):
    """Counts of both arms that are compared. state: before them. index: number of their window. pods: of each arm,
    those with traffic."""

    bets: "Bets[State]"
    state: State
    counts: Counts
    index: int
    pods: Mapping[Arm, int]


class Bets(Protocol[State]):
    """What is made of the counts."""

    @property
    def group(self) -> Hashable:
        """Steps of one group are computed together, whatever their other settings."""

    def nothing(self) -> State:
        """Before the first count."""

    def remember(self, state: State, counts: Counts, index: int) -> State:
        """Learns from counts of stable that are compared with nothing. index: number of their window."""

    def compare(self, steps: Sequence[Step[State]]) -> list[State]:
        """Bets on each step; all are of this group. Each by itself has the same result."""


Kind = TypeVar("Kind")


def bets_of(step: Step[Any], kind: type[Kind]) -> Kind:
    """The settings of a step's own bets. Raises TypeError for one of another group."""
    if not isinstance(step.bets, kind):
        raise TypeError(f"{step.bets} are no {kind.__name__}")
    return step.bets


@dataclass(slots=True)
class _Window:
    """index: number of the window since the origin."""

    index: int
    counts: Counts


@dataclass(frozen=True, slots=True)
class _After(Generic[State]):
    """What is left after a window. waiting: counts that were not compared yet, with their windows. compared: all that
    were."""

    state: State
    compared: Counts
    waiting: tuple[tuple[int, Counts], ...] = ()


class Comparison(Generic[State]):
    """Is the candidate worse than stable; and is it shown not to be?

    origin: seconds since the epoch from which windows are counted: what was before it is compared with nothing, but
    remembered. ways: number of ways to lose. `begin` says what is bet; before, counts are kept and nothing is computed.
    """

    def __init__(self, origin: float, ways: int = 1) -> None:
        self.origin = origin
        self.ways = ways
        self.total = no_counts(ways)
        """All that was counted since the origin."""
        self.compared = no_counts(ways)
        """What of it was compared: requests of stable while the candidate had none say nothing."""
        self.log_e = 0.0
        """ln of the evidence for a rollback now."""
        self.log_c = 0.0
        """The same for a promotion."""
        self.peak = 0.0
        """The largest log_e so far."""
        self.peak_c = 0.0
        """The largest log_c so far."""
        self._bets: Bets[State] | None = None
        self._windows: list[_Window] = []
        self._traffic: dict[Arm, dict[str, list[int]]] = {arm: {} for arm in ARMS}
        """Of each pod the windows in which it had requests lately, rising."""
        self._after: list[_After[State]] = []
        """After each of the windows that are settled."""
        self._before: _After[State] | None = None
        """Before the first window that is kept; None before `begin`."""

    @property
    def begun(self) -> bool:
        """Whether it is known what is bet."""
        return self._bets is not None

    @property
    def state(self) -> State | None:
        """What is left after the last window that was settled; None before `begin`."""
        last = self._after[-1] if self._after else self._before
        return last.state if last else None

    def begin(self, bets: Bets[State]) -> None:
        """From now on all that was and will be counted is computed. Called once."""
        if self._bets is not None:
            raise ValueError("the bets of a comparison are fixed once: its evidence would belong to neither of them")
        self._bets = bets
        self._before = _After(bets.nothing(), no_counts(self.ways))

    def add(self, time: float, arm: Arm, pod: str, requests: float, losses: Floats) -> None:
        """Counts of one scrape of one pod at `time`; a scrape without requests changes nothing. losses: (ways,)."""
        if requests <= 0 or (time <= self.origin and arm == "candidate"):
            return
        lost = np.minimum(np.maximum(losses, 0.0), requests)
        at = self._place(int((time - self.origin) // WINDOW))
        window = self._windows[at]
        window.counts = window.counts.plus(arm, requests, lost)
        self._note_traffic(arm, pod, window.index)
        if time > self.origin:
            self.total = self.total.plus(arm, requests, lost)
        del self._after[at:]

    def settle(self, until: float) -> None:
        """Computes all windows that ended by `until` (seconds since the epoch), up to which both arms were read."""
        settle_together([(self, until)])

    def step(self, until: float) -> Step[State] | None:
        """The next step to be computed of what ended by `until`, to be answered with `take`; None if there is none."""
        bets, before = self._bets, self._before
        if bets is None or before is None:
            return None
        last = int((until - self.origin) // WINDOW)
        while (at := len(self._after)) < len(self._windows) and self._windows[at].index < last:
            if at > 2 * KEPT:
                self._close()
                continue
            found = self._pass(bets, self._after[at - 1] if at else self._before or before, at)
            if isinstance(found, Step):
                return found
            self._after.append(found)
        self._close()
        return None

    def take(self, step: Step[State], state: State) -> None:
        """What became of the step."""
        before = self._after[-1] if self._after else self._before
        if before is None:
            raise ValueError("nothing has begun")
        self.log_e, self.log_c = state.log_e, state.log_c
        self.peak, self.peak_c = max(self.peak, self.log_e), max(self.peak_c, self.log_c)
        self.compared = before.compared + step.counts
        self._after.append(_After(state, self.compared))

    def save(self) -> Saved:
        """All that it knows. What is left after each window is not saved: it is computed again."""
        saved, before = Saved(), self._before
        saved.note("evidence", [self.log_e, self.log_c, self.peak, self.peak_c])
        saved.note("totals", [self.total.row(), self.compared.row()])
        saved.note("windows", [[window.index, *window.counts.row()] for window in self._windows])
        for arm, pods in self._traffic.items():
            saved.words[arm] = tuple(pods)
            saved.note(f"{arm}/often", [len(windows) for windows in pods.values()])
            saved.note(f"{arm}/when", list(chain.from_iterable(pods.values())))
        if before is not None and self._bets is not None:
            saved.put("bets", flat(self._bets))
            saved.put("state", flat(before.state))
            saved.note("before", before.compared.row())
            saved.note("waiting", [[index, *counts.row()] for index, counts in before.waiting])
        return saved

    def restore(self, saved: Saved, kind: type[Bets[State]]) -> None:
        """Goes on from what was saved, once it is settled as far as it was. kind: of the bets."""
        self.log_e, self.log_c, self.peak, self.peak_c = saved.numbers["evidence"].tolist()
        self.total, self.compared = map(counts_of, saved.numbers["totals"].tolist())
        width = 3 + 2 * self.ways
        self._windows = [_Window(int(index), counts_of(row)) for index, *row in saved.table("windows", width)]
        for arm in ARMS:
            often, when = (iter(saved.numbers[f"{arm}/{name}"].astype(int).tolist()) for name in ("often", "when"))
            self._traffic[arm] = {pod: list(islice(when, next(often))) for pod in saved.words[arm]}
        if fixed := saved.part("bets"):
            bets = unflat(kind, fixed)
            self.begin(bets)
            state = unflat(type(bets.nothing()), saved.part("state"))
            waiting = tuple((int(index), counts_of(row)) for index, *row in saved.table("waiting", width))
            self._before = _After(state, counts_of(saved.numbers["before"].tolist()), waiting)

    def _close(self) -> None:
        """Forgets the oldest windows that are settled, down to KEPT."""
        surplus = min(len(self._windows) - KEPT, len(self._after))
        if surplus > 0:
            self._before = self._after[surplus - 1]
            del self._after[:surplus], self._windows[:surplus]
            self._forget_traffic(self._windows[0].index - WITH_TRAFFIC)

    def _note_traffic(self, arm: Arm, pod: str, index: int) -> None:
        windows = self._traffic[arm].setdefault(pod, [])
        at = bisect_left(windows, index)
        if at == len(windows) or windows[at] != index:
            windows.insert(at, index)

    def _forget_traffic(self, until: int) -> None:
        """Forgets in which windows up to this one a pod had requests."""
        for pods in self._traffic.values():
            for pod in [pod for pod, windows in pods.items() if windows[0] <= until]:
                del pods[pod][: bisect_right(pods[pod], until)]
                if not pods[pod]:
                    del pods[pod]

    def _place(self, index: int) -> int:
        at = len(self._windows)
        while at and self._windows[at - 1].index > index:
            at -= 1
        if at and self._windows[at - 1].index == index:
            return at - 1
        self._windows.insert(at, _Window(index, no_counts(self.ways)))
        del self._after[at:]
        return at

    def _pass(self, bets: Bets[State], before: _After[State], at: int) -> _After[State] | Step[State]:
        """What a window leaves, or what must be compared in it."""
        window, state = self._windows[at], before.state
        if window.index < 0:
            return _After(bets.remember(state, window.counts, window.index), before.compared)
        waiting = (*before.waiting, (window.index, window.counts))
        while waiting[0][0] <= window.index - PATIENCE:
            (index, dropped), *rest = waiting
            state, waiting = bets.remember(state, dropped, index), tuple(rest)
        counts = _together(waiting)
        if counts is None:
            return _After(state, before.compared, waiting)
        return Step(bets, state, counts, window.index, self._pods(at))

    def _pods(self, at: int) -> Mapping[Arm, int]:
        """Pods of each arm that had a request lately; at least one, as there is something to compare."""
        index = self._windows[at].index
        return {
            arm: max(1, sum(_any_within(windows, index - WITH_TRAFFIC, index) for windows in pods.values()))
            for arm, pods in self._traffic.items()
        }


def _together(waiting: Sequence[tuple[int, Counts]]) -> Counts | None:
    """What can be compared: the sum of all that waits; None while an arm has no request. Arrays are added only then."""
    n1 = n0 = 0.0
    for _, counts in waiting:
        n1 += counts.n1
        n0 += counts.n0
    if not n1 or not n0:
        return None
    x1, x0 = waiting[0][1].x1, waiting[0][1].x0
    for _, counts in waiting[1:]:
        x1, x0 = x1 + counts.x1, x0 + counts.x0
    return Counts(n1, x1, n0, x0)


def _any_within(windows: Sequence[int], after: int, until: int) -> bool:
    """Whether one of the windows, which rise, is above `after` and at most `until`."""
    at = bisect_right(windows, until)
    return at > 0 and windows[at - 1] > after


def settle_together(comparisons: Sequence[tuple[Comparison[Any], float]]) -> None:
    """Settles each up to its time (seconds since the epoch). Steps of one group are one computation: for a thousand
    rollouts that takes a tenth of the time."""
    unsettled = list(comparisons)
    while unsettled:
        steps = [(one, until, step) for one, until in unsettled if (step := one.step(until)) is not None]
        groups: dict[Hashable, list[tuple[Comparison[Any], Step[Any]]]] = defaultdict(list)
        for one, _, step in steps:
            groups[step.bets.group].append((one, step))
        for members in groups.values():
            states = members[0][1].bets.compare([step for _, step in members])
            for (one, step), state in zip(members, states, strict=True):
                one.take(step, state)
        unsettled = [(one, until) for one, until, _ in steps]
