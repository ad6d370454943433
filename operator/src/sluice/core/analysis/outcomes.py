"""What did the gateway send to each pod, and what came of it?

A server counts what it has answered; a request that hangs reaches no counter of its. The gateway has counted it when it
sent it, and knows when it gave up. What neither succeeded nor failed and is not under way any more was given up by the
client: nobody counts that, so it is worked out here.

    open = sent - succeeded - failed          lost = open - under way

The proxy reads its counters one after the other, and a request may end in between: it would look lost in one scrape and
succeed in the next. So only what is missing in two scrapes in a row is lost.

Worked example: 100 sent, 90 succeeded, 4 failed, 3 under way: of the 6 open ones 3 are missing. One scrape later 110
sent, 99 succeeded, 4 failed, 4 under way: 7 open, 3 missing: 3 were lost. Had it been 111 sent, 101, 4, 4 with 2
missing, only those 2 would have been.

Only what was sent counts. Where no connection can be made (the pod has just died, or its node) the gateway counts a
failure of a request that it never sent: that is no answer of the model, and the loss of a pod is judged elsewhere.

Each proxy of a gateway counts by itself and is scraped at a moment of its own: their counts are added up. A retry is a
request of its own, for the pod that it went to.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Final

from sluice.core.analysis.addresses import Addresses
from sluice.core.analysis.counters import Counters, Delta
from sluice.core.analysis.overdispersion import BLOCK_SECONDS, HISTORY_SECONDS
from sluice.core.analysis.sight import Sight, Target, target_of
from sluice.core.gateway_counts import GatewayCounts
from sluice.core.metrics import MetricPreset, Series

OUTCOMES: Final = MetricPreset(requests="gateway", code_label="outcome", failure_pattern="failed", latency=None)
"""How the differences that come out of here are read: like those of a server that counts by outcome."""
STRANGERS: Final = 100
"""Requests to addresses of no known pod, after which the gateway is said to count for something else than pods."""

IsWanted = Callable[[str], bool]
"""Whether a pod is one of those that are asked about."""
Place = tuple[str, str, str]
"""(proxy, route's label, endpoint's address)"""


def route_query(counts: GatewayCounts, namespace: str, name: str) -> str:
    """PromQL for the outcomes of one route at the end of each block of an hour, as history_query has it for pods."""
    metrics = f'__name__=~"{counts.succeeded}|{counts.failed}"'
    window = f"{HISTORY_SECONDS + BLOCK_SECONDS:.0f}s:{BLOCK_SECONDS:.0f}s"
    return f"{{{metrics},{counts.matcher([(namespace, name)])}}}[{window}]"


@dataclass(slots=True)
class _Open:
    """Of one place: requests without a known outcome, and those of them that were missing at the last scrape."""

    requests: float = 0.0
    missing: float = 0.0

    def failed(self, told: "_Told") -> float:
        """How many requests failed or were lost in this scrape."""
        if told.reset:
            self.requests = self.missing = 0.0
        self.requests = max(self.requests + told.sent - told.succeeded, 0.0)
        failed = min(told.failed, self.requests)
        self.requests -= failed
        if told.under_way is None:
            return failed
        if told.baseline:
            self.requests = told.under_way
        missing = max(self.requests - told.under_way, 0.0)
        lost = min(missing, self.missing)
        self.requests, self.missing = self.requests - lost, missing - lost
        return failed + lost


@dataclass(slots=True)
class _Told:
    """What one scrape told of one place: differences, but for `under_way`."""

    before: float | None = None
    sent: float = 0.0
    succeeded: float = 0.0
    failed: float = 0.0
    uncounted: float = 0.0
    under_way: float | None = None
    reset: bool = False
    baseline: bool = False
    """Nothing is known of before it."""


@dataclass(slots=True)
class Outcomes:
    """The gateway's counts for the pods of one route.

    addresses: of the pods of both revisions. known_since: as in Sight.
    """

    counts: GatewayCounts
    addresses: Addresses
    known_since: float
    sight: Sight = field(init=False)
    """When the proxies told of the route: their own samples are the proof, as a failed scrape has none."""
    strangers: str = ""
    """An address for which it counts and that no pod of the rollout has; empty once one has."""
    _counters: Counters = field(init=False)
    _open: dict[Place, _Open] = field(default_factory=lambda: defaultdict(_Open))
    _strange: float = 0.0
    _familiar: bool = False

    def __post_init__(self) -> None:
        self.sight = Sight(self.known_since)
        self._counters = Counters(process_of=self._place)  # a proxy forgets each place by itself

    def newest(self) -> float | None:
        """Time of the newest sample of any proxy, seconds since the epoch."""
        return max(self.sight.newest_by_pod().values(), default=None)

    def seen(self, now: float) -> bool:
        """Whether a proxy has told of the route in two fresh scrapes."""
        return self.sight.sees_any(now)

    def silence(self, route: str, now: float) -> str:
        """How long it has told nothing of a route, in words."""
        newest = self.newest()
        if newest is None:
            return f"the gateway tells no counts of route {route}: {self.counts.remedy}"
        return f"the gateway's newest counts of route {route} are {now - newest:.0f}s old"

    def absorb(self, answer: Sequence[Series]) -> list[Delta]:
        """What is new, by pod and outcome, to be read with OUTCOMES; in the order of time."""
        own = [_by_proxy(series) for series in answer]
        counted = [series for series in own if series.labels.get("__name__") != self.counts.under_way]
        self.sight.absorb(_scrapes(counted))
        told: dict[float, dict[Place, _Told]] = defaultdict(lambda: defaultdict(_Told))
        for delta in self._counters.absorb(counted, self._born_at_zero):
            self._note(told[delta.time][self._place(delta)], delta)
        for series in own:
            if series.labels.get("__name__") == self.counts.under_way:
                place = self._place(series)
                for time, value in series.points:
                    if time in told and place in told[time]:
                        told[time][place].under_way = value
        return [
            delta
            for time in sorted(told)
            for place in sorted(told[time])
            for delta in self._deltas(time, place, told[time][place])
        ]

    def past(self, answer: Iterable[Series], is_wanted: IsWanted) -> list[Series]:
        """The answer to `route_query`, as far as it is about wanted pods: as one of pods that count by outcome."""
        found = []
        for series in answer:
            since = series.points[0][0] if series.points else 0.0
            pod = self.addresses.pod(self.counts.host(series.labels), since)
            if pod is not None and is_wanted(pod):
                outcome = "failed" if series.labels.get("__name__") == self.counts.failed else "good"
                labels = {**series.labels, "pod": pod, "outcome": outcome, "job": "", "instance": ""}
                found.append(replace(series, labels={**labels, "proxy": series.labels.get("pod", "")}))
        return found

    def _place(self, one: Series | Delta) -> Place:
        labels = one.labels
        return labels["pod"], labels.get(self.counts.route_label, ""), labels.get(self.counts.address_label, "")

    def _born_at_zero(self, proxy: str, target: Target, time: float) -> bool:
        return self.sight.scraped_before(proxy, target, time)

    def _note(self, told: _Told, delta: Delta) -> None:
        name = delta.labels.get("__name__")
        if name == self.counts.sent:
            told.sent, told.before, told.uncounted = delta.amount, delta.before, delta.uncounted
            told.reset, told.baseline = delta.reset, delta.before is None and delta.uncounted > 0
        elif name == self.counts.succeeded:
            told.succeeded = delta.amount
        elif name == self.counts.failed:
            told.failed = delta.amount

    def _deltas(self, time: float, place: Place, told: _Told) -> Iterable[Delta]:
        failed = self._open[place].failed(told)
        pod = self.addresses.pod(self.counts.host({self.counts.address_label: place[2]}), time)
        if pod is None:
            self._strange += told.sent
            if self._strange >= STRANGERS and not self._familiar:
                self.strangers = place[2]
            return
        self._familiar, self.strangers = True, ""
        yield Delta(time, {"pod": pod, "outcome": "good"}, told.succeeded, told.before, told.uncounted)
        if failed:
            yield Delta(time, {"pod": pod, "outcome": "failed"}, failed, told.before)


def _by_proxy(series: Series) -> Series:
    """Where scrapes put no name of a pod on a proxy, its address tells it from the others."""
    if series.labels.get("pod"):
        return series
    return replace(series, labels={**series.labels, "pod": series.labels.get("instance", "")})


def _scrapes(answer: Iterable[Series]) -> list[Series]:
    """Successful scrapes of the proxies, as `up` would tell them."""
    times: dict[tuple[str, Target], set[float]] = defaultdict(set)
    for series in answer:
        times[series.labels["pod"], target_of(series)].update(time for time, value in series.points if isfinite(value))
    return [
        Series({"pod": proxy, "job": job, "instance": instance}, tuple((time, 1.0) for time in sorted(found)))
        for (proxy, (job, instance)), found in times.items()
    ]
