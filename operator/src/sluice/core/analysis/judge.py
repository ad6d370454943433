"""What is known about one candidate? Collects the answers of the metrics store and turns them into an Observation.

The evidence is a function of the samples' own times: a judge that reads the history since the rollout's start after a
restart comes to the same numbers as one that was there all the time.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain
from math import log
from typing import Any, Final, Protocol

from sluice.api.status import Verdict
from sluice.api.v1alpha1 import OnFail
from sluice.core.analysis.addresses import Addresses
from sluice.core.analysis.certificate import CERTIFIED_AT
from sluice.core.analysis.comparison import Comparison, settle_together
from sluice.core.analysis.counted import Counted, counted_check
from sluice.core.analysis.counters import Counters, Delta
from sluice.core.analysis.history import history_query
from sluice.core.analysis.ledger import Ledger
from sluice.core.analysis.outcomes import Outcomes, route_query
from sluice.core.analysis.questions import UP, Failure, Measurement, SampleQuestion, Subject
from sluice.core.analysis.saved import Saved
from sluice.core.analysis.scope import beyond
from sluice.core.analysis.sharing import limits_of
from sluice.core.analysis.sight import Sight, Target
from sluice.core.analysis.slowness import LONGEST_GAP
from sluice.core.analysis.threshold import Threshold, write_query
from sluice.core.analysis.verdicts import CheckResult, Observation
from sluice.core.analysis.wording import evidence, strange_address, way
from sluice.core.gateway_counts import host_of
from sluice.core.metrics import Series

LOOK_BACK: Final = 60.0
"""Seconds before the rollout's start from which history is read: baselines of pods that are older than the rollout."""
PAST_SPARE: Final = 2 * LONGEST_GAP
"""Seconds that are read on top of the history that a comparison needs, as it begins with a baseline and cold pods."""
NO_HISTOGRAM: Final = 100
"""Requests after which a histogram must be there; before, they may all have failed in a server that times successes."""
HISTORY: Final = "stable's past"
"""What the question about it is called beside the metrics."""
_CERTAIN: Final = log(CERTIFIED_AT)
_CLOCKS: Final = 1.0
"""Seconds by which a pod may seem to be older than the rollout that made it: the API server cuts off fractions."""


class Part(Protocol):
    """What survives a restart."""

    def save(self) -> Saved: ...

    def restore(self, saved: Saved) -> None: ...


class Judge:
    """The evidence on one candidate. Owned by one task; nothing here waits or looks at a clock.

    subject: whom it judges. joined: when it began to ask, seconds since the epoch; it has caught up once everything
    up to then is answered.
    """

    def __init__(self, subject: Subject, joined: float) -> None:
        self.subject = subject
        self._joined = joined
        self._start = subject.started_at.timestamp()
        self._sight = Sight(known_since=self._start - LOOK_BACK / 2)
        self._counted = tuple(
            c for check in subject.checks if (c := counted_check(check, subject, self._start)) is not None
        )
        self._thresholds = {
            check.name: Threshold(
                check,
                check.prometheus,
                promql := write_query(check.prometheus.query, subject),
                self._start,
                fault=beyond(promql, subject.namespace) if subject.confined else "",
            )
            for check in subject.checks
            if check.prometheus is not None
        }
        self._limits = limits_of(subject.checks, subject.alpha)
        self._fails_at = {check: log(limit) for check, limit in self._limits.items()}
        """ln of the limits."""
        compared = tuple(c.stable_metric for c in self._counted if c.comparison is not None)
        counts = subject.gateway_counts
        self._addresses = Addresses()
        self._gateway = Outcomes(counts, self._addresses, self._start - LOOK_BACK / 2) if counts else None
        wanted = (UP, subject.preset.counters, *(c.metric for c in self._counted), *compared)
        metrics = dict.fromkeys(metric for metric in wanted if metric)
        self._read_until = dict.fromkeys(metrics, self._start - LOOK_BACK)
        for c in self._counted:
            if c.past_seconds and c.stable_metric and subject.stable:
                self._read_until[c.stable_metric] = self._start - c.past_seconds - PAST_SPARE
        self._failures: dict[str, Failure] = {}
        self._counters = {metric: Counters() for metric in metrics if metric != UP}
        self._compared = tuple(c for c in self._counted if c.comparison is not None)
        self._pod_starts: dict[str, float] = {}
        self._candidates: dict[str, bool] = {}
        """Names of pods, and whether they are the candidate's."""
        self._answered = Ledger()
        self.resumed_from: float | None = None
        """Up to when another judge had read its metrics, from whose checkpoint this one went on; None: from none."""

    @property
    def backwards(self) -> int:
        """Samples left out because two Prometheus with different clocks take turns at answering."""
        return sum(counters.backwards for counters in self._counters.values())

    # --- questions -------------------------------------------------------------------------------------------------

    def questions(self) -> tuple[SampleQuestion, ...]:
        """The metrics it reads; `up` first, and to be answered first."""
        return tuple(
            SampleQuestion(
                metric,
                since,
                tuple(sorted({le for c in self._counted for le in c.buckets(metric)})),
                self.subject.gateway_counts if self._is_gateways(metric) else None,
            )
            for metric, since in self._read_until.items()
        )

    def measurements(self, now: datetime) -> tuple[Measurement, ...]:
        """The measurements of plain queries that are due."""
        return tuple(chain.from_iterable(t.due(now.timestamp()) for t in self._thresholds.values()))

    # --- answers ---------------------------------------------------------------------------------------------------

    @property
    def metrics(self) -> tuple[str, ...]:
        """What it reads, `up` first."""
        return tuple(self._read_until)

    def read(self, metric: str, answer: Sequence[Series], until: float) -> bool:
        """Takes the samples of one metric up to `until` (seconds since the epoch). True if any of them was new.

        What they say is known once the judge is settled: see `settle`.
        """
        news = self._look(answer) if metric == UP else self._count(metric, answer)
        self._read_until[metric] = max(self._read_until[metric], until)
        self._failures.pop(metric, None)
        return news

    def unsettled(self) -> Iterator[tuple[Comparison[Any], float]]:
        """Its comparisons, and up to when both arms of each have been read."""
        for counted in self._compared:
            if counted.comparison is not None:
                until = min(self._read_until[counted.metric], self._read_until[counted.stable_metric])
                yield counted.comparison, until

    def _is_gateways(self, metric: str) -> bool:
        return self._gateway is not None and metric == self._gateway.counts.selector

    def _look(self, answer: Sequence[Series]) -> bool:
        for series in answer if self._gateway is not None else ():
            for time, _ in series.points[:1]:
                self._addresses.learn(host_of(series.labels.get("instance", "")), series.labels.get("pod", ""), time)
        return self._sight.absorb(answer)

    def _deltas(self, metric: str, answer: Sequence[Series]) -> list[Delta]:
        if self._gateway is not None and self._is_gateways(metric):
            return self._gateway.absorb(answer)
        return self._counters[metric].absorb(answer, self._born_at_zero)

    def _of_users(self, answer: Iterable[Series]) -> list[Series]:
        """Without what the row of its revision leaves out."""
        candidate, stable = self.subject.preset, self.subject.baseline_preset
        if not candidate.exclude and not stable.exclude:
            return list(answer)
        return [
            series
            for series in answer
            if not (candidate if self._is_candidates(series.labels.get("pod", "")) else stable).excludes(series.labels)
        ]

    def _count(self, metric: str, answer: Sequence[Series]) -> bool:
        if not self._is_gateways(metric):
            answer = self._of_users(answer)
        deltas = self._deltas(metric, answer)
        candidate: list[Delta] = []
        stable: list[Delta] = []
        for delta in deltas:
            (candidate if self._is_candidates(delta.labels.get("pod", "")) else stable).append(delta)
        for counted in self._counted:
            if counted.metric == metric:
                counted.take("candidate", candidate)
                counted.inspect("candidate", (s for s in answer if self._is_candidates(s.labels.get("pod", ""))))
            if counted.comparison is not None and counted.stable_metric == metric:
                counted.take("stable", stable)
                counted.inspect("stable", (s for s in answer if not self._is_candidates(s.labels.get("pod", ""))))
        if metric == self.subject.preset.counters:
            for delta in candidate:
                requests, _ = self.subject.preset.outcome(delta.labels)
                if delta.time > self._start:
                    self._answered.add(delta.time, requests * delta.amount, delta.before)
        return bool(deltas)

    def _is_candidates(self, pod: str) -> bool:
        found = self._candidates.get(pod)
        if found is None:
            found = self._candidates[pod] = pod.rsplit("-", 2)[0] == self.subject.deployment
        return found

    def history(self) -> Measurement | None:
        """The question about stable's past that is still open; comparisons wait for its answer."""
        baseline = self.subject.baseline
        for counted in self._compared:
            if baseline is not None and counted.comparison is not None and not counted.comparison.begun:
                metric, namespace = counted.stable_metric, self.subject.namespace
                promql = history_query(metric, namespace, baseline, counted.buckets(metric))
                if self._gateway is not None and self._is_gateways(metric):
                    promql = route_query(self._gateway.counts, namespace, self.subject.name)
                return Measurement(metric, promql, self._start)
        return None

    def remember(self, question: Measurement, answer: Sequence[Series] | None) -> None:
        """Takes stable's past; None: the store refuses to tell it, and it counts as unknown."""
        told = self._of_users(answer or ())
        if self._gateway is not None and self._is_gateways(question.check):
            told = self._gateway.past(answer or (), lambda pod: not self._is_candidates(pod))
        for counted in self._compared:
            if counted.stable_metric == question.check and counted.comparison and not counted.comparison.begun:
                counted.learn(counted.past(told), self.subject.largest_share)
        self._failures.pop(HISTORY, None)
        settle([self])

    def unanswered(self, metric: str, failure: Failure) -> bool:
        """Notes that a question failed. The evidence stays as it is. True if that is news."""
        news = self._failures.get(metric) != failure
        self._failures[metric] = failure
        return news

    def measured(self, question: Measurement, answer: Sequence[Series]) -> None:
        """Takes the answer to a plain query."""
        self._thresholds[question.check].answered(question.at, answer)

    def unmeasured(self, question: Measurement, failure: Failure) -> bool:
        """Notes that a plain query failed. True if that is news."""
        threshold = self._thresholds[question.check]
        news = threshold.failure != failure
        threshold.failed(question.at, failure)
        return news

    # --- a restart ----------------------------------------------------------------------------------------------------

    def save(self) -> Saved | None:
        """All that it knows; None while anything is still to be read or is no number, and where the gateway counts: its
        endpoints' counters are read again from the beginning."""
        legible = all(counters.legible for counters in self._counters.values())
        if not self.caught_up or self._failures or not legible or self._gateway is not None:
            return None
        saved = Saved(words={"pods": tuple(self._pod_starts)})
        saved.note("pods", list(self._pod_starts.values()))
        saved.note("read_until", list(self._read_until.values()))
        for name, part in self._parts.items():
            saved.put(name, part.save())
        return saved

    def restore(self, saved: Saved) -> None:
        """Goes on from what a judge of the same subject saved. Only for one that has read nothing yet."""
        self._read_until = dict(zip(self._read_until, saved.numbers["read_until"].tolist(), strict=True))
        self._pod_starts = dict(zip(saved.words["pods"], saved.numbers["pods"].tolist(), strict=True))
        for name, part in self._parts.items():
            part.restore(saved.part(name))
        self.resumed_from = self.known_until
        settle([self])

    @property
    def _parts(self) -> dict[str, Part]:
        """Everything in it that has a state of its own."""
        return {
            "sight": self._sight,
            "answered": self._answered,
            **{f"counters/{metric}": counters for metric, counters in self._counters.items()},
            **{f"check/{counted.check.name}": counted for counted in self._counted},
            **{f"check/{name}": threshold for name, threshold in self._thresholds.items()},
        }

    # --- what follows ----------------------------------------------------------------------------------------------

    @property
    def known_until(self) -> float:
        """Up to when all its metrics have been read, seconds since the epoch."""
        return min(self._read_until.values())

    @property
    def caught_up(self) -> bool:
        """Whether everything before it began to ask has been read."""
        return (
            self.known_until >= self._joined
            and self.history() is None
            and all(t.caught_up(self._joined) for t in self._thresholds.values())
        )

    @property
    def failing(self) -> bool:
        """Whether a check on requests has failed that rolls back."""
        return any(c.check.on_fail is OnFail.ROLLBACK and self._failed(c) for c in self._counted)

    def _failed(self, counted: Counted) -> bool:
        return counted.peak >= self._fails_at[counted.check.name]

    def know_pods(self, pods: Mapping[str, datetime], addresses: Mapping[str, str] | None = None) -> None:
        """Notes when pods of both revisions started, and their addresses; what is gone stays known."""
        self._pod_starts.update({pod: started.timestamp() for pod, started in pods.items()})
        for pod, address in (addresses or {}).items():
            if pod in self._pod_starts:
                self._addresses.learn(address, pod, self._pod_starts[pod])

    def observe(
        self,
        now: datetime,
        pods: Mapping[str, datetime],
        stage_since: datetime,
        stable_pods: Mapping[str, datetime] | None = None,
        addresses: Mapping[str, str] | None = None,
    ) -> Observation:
        """What is known now. pods, stable_pods: those of the candidate and of stable, and when each of them started.
        addresses: of both, as far as they have one."""
        self.know_pods({**(stable_pods or {}), **pods}, addresses)
        at, chosen = now.timestamp(), self._chosen()
        scraped = {pod: self._legible(pod, t) for pod in pods if (t := self._sight.newest(pod, chosen)) is not None}
        stable = self._stable_newest()
        known = self.known_until  # `up` alone says nothing about a pod's requests
        gateway = self._gateway if self.subject.rests_on_gateway else None
        unseen = gateway is not None and not gateway.seen(at)
        sights = [self._sight, *([gateway.sight] if gateway is not None else [])]
        if gateway is not None:
            known = min(known, gateway.newest() or 0.0)
        problem = next((f.message for f in self._failures.values()), "") or self._illegible(pods)
        if gateway is not None and unseen and not problem:
            problem = gateway.silence(f"{self.subject.namespace}/{self.subject.name}", at)
        return Observation(
            caught_up=self.caught_up,
            seen=frozenset(
                pod for pod in pods if not unseen and self._sight.seen(pod, at, chosen) and not self._illegible((pod,))
            ),
            newest={pod: datetime.fromtimestamp(min(t, known), UTC) for pod, t in scraped.items() if known},
            scrape_interval=timedelta(seconds=max(sight.interval() for sight in sights)),
            stable_newest=datetime.fromtimestamp(stable, UTC) if stable else None,
            compares=bool(self._compared),
            requests=self._answered.since(stage_since.timestamp()),
            checks=self._results(at, max(scraped.values(), default=None), stable),
            problem=problem or next((t.failure.message for t in self._thresholds.values() if t.failure), ""),
        )

    def _results(self, at: float, newest: float | None, stable: float | None) -> tuple[CheckResult, ...]:
        """newest, stable: times of the newest successful scrapes of the candidate and of stable, if there were any."""
        counted = {c.check.name: c for c in self._counted}
        return tuple(
            self._result(counted[check.name], at, newest, stable)
            if check.name in counted
            else self._thresholds[check.name].result(at, self._answered.first)
            for check in self.subject.checks
        )

    def _result(self, counted: Counted, at: float, newest: float | None, stable: float | None) -> CheckResult:
        check, limit, log_c = counted.check, self._limits[counted.check.name], counted.log_c
        failed, required = self._failed(counted), counted.required
        log_e = counted.peak if failed else counted.log_e
        unknown = None if failed else self._unknown(counted, at, newest, stable)
        verdict = Verdict.CERTIFIED if log_c >= _CERTAIN else Verdict.UNDECIDED
        if failed or unknown:
            verdict = unknown.verdict if unknown else Verdict.FAIL
        return CheckResult(
            check.name,
            verdict,
            check.on_fail,
            evidence(log_e, limit),
            unknown.message if unknown else counted.waits() or counted.told(),
            near_failing=way(log_e, limit),
            near_certified=way(log_c, CERTIFIED_AT) if required else None,
            required=required,
            certificate=evidence(log_c, CERTIFIED_AT) if required else "",
            lacks_stable=unknown is not None and unknown.of_stable,
        )

    def _unknown(self, counted: Counted, at: float, newest: float | None, stable: float | None) -> Failure | None:
        """Why the check cannot say anything now; None if it can."""
        if counted.fault:
            return Failure(Verdict.QUERY_ERROR, counted.fault)
        fresh_for, words = self._sight.fresh_for(), ""
        if self._gateway is not None and self._is_gateways(counted.metric):
            if self._gateway.strangers:
                return Failure(Verdict.QUERY_ERROR, strange_address(self._gateway.strangers))
            newest = self._gateway.newest()
            words = self._gateway.silence(f"{self.subject.namespace}/{self.subject.name}", at)
            fresh_for = max(fresh_for, self._gateway.sight.fresh_for())
        known = min(newest or 0.0, self._read_until[counted.metric], self._read_until[UP])
        if at - known > fresh_for:
            failure = self._failures.get(HISTORY) or self._failures.get(UP) or self._failures.get(counted.metric)
            return failure or Failure(Verdict.NO_DATA, words or self._blindness(at, newest))
        if counted.comparison is not None and (missing := self._stable_missing(counted, at, stable)):
            return Failure(Verdict.NO_DATA, missing, of_stable=True)
        first = self._answered.first
        patient = self._answered.total < NO_HISTOGRAM or first is None or at - first <= 2 * fresh_for
        if counted.histogram and not counted.observed["candidate"] and not patient:
            return Failure(
                Verdict.QUERY_ERROR,
                f"the candidate answers requests, but its histogram {self.subject.preset.latency} is missing: correct "
                "the runtime's metrics.latency",
            )
        return None

    def _stable_newest(self) -> float | None:
        """Time of stable's newest successful scrape, if something is compared with it."""
        if not self._compared:
            return None
        newest = self._sight.newest_by_pod(f"{self.subject.baseline}-")
        return max((self._legible(pod, t) for pod, t in newest.items()), default=None)

    def _legible(self, pod: str, time: float) -> float:
        """`time`, or since when one of the pod's counters is no number if that is earlier."""
        unclear = [c for c in self._counters.values() if not c.legible]
        return min((time, *(t for c in unclear if (t := c.illegible_since(pod)) is not None)))

    def _illegible(self, pods: Iterable[str]) -> str:
        """Which counter of which pod is no number, in words; empty if all are."""
        unclear = [(metric, counters) for metric, counters in self._counters.items() if not counters.legible]
        for pod in pods if unclear else ():
            for metric, counters in unclear:
                if counters.illegible_since(pod) is not None:
                    return f"{metric} of {pod} is no number (NaN or infinite)"
        return ""

    def _stable_missing(self, counted: Counted, at: float, newest: float | None) -> str:
        """Why there is nothing to compare with; empty if there is. newest: time of stable's last successful scrape."""
        baseline, fresh_for = self.subject.baseline, self._sight.fresh_for()
        if newest is None:
            return f"no pod of stable ({baseline}) has been scraped successfully"
        if at - newest > fresh_for:
            return f"the newest successful scrape of stable ({baseline}) is {at - newest:.0f}s old"
        first, metric, observed = self._answered.first, counted.stable_metric, counted.observed
        if first is None or observed["stable"] or observed["candidate"] < NO_HISTOGRAM or at - first <= 2 * fresh_for:
            return ""
        return f"stable ({baseline}) has counted no request in {metric}: there is nothing to compare with"

    def _blindness(self, at: float, newest: float | None) -> str:
        if words := self._illegible(pod for pod, candidate in self._candidates.items() if candidate):
            return words
        if newest is None:
            return f"no pod of {self.subject.deployment} has been scraped successfully yet"
        return f"the newest successful scrape of {self.subject.deployment} is {at - newest:.0f}s old"

    def _born_at_zero(self, pod: str, target: Target, time: float) -> bool:
        started = self._pod_starts.get(pod)
        if started is not None and started >= self._start - _CLOCKS:
            return True
        if self._sight.scraped_before(pod, target, time):
            return True
        first = self._sight.first_scrape(pod)
        # a pod of the candidate that nobody remembers: it was made for this rollout; one of stable may be old
        return started is None and self._is_candidates(pod) and (first is None or first > self._start)

    def _chosen(self) -> Mapping[str, Target]:
        return self._counters[self.subject.preset.counters].chosen


def settle(judges: Iterable[Judge]) -> None:
    """Compares candidate and stable as far as both have been read. Many judges at once, as that is one computation."""
    settle_together([entry for judge in judges for entry in judge.unsettled()])
