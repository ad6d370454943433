"""Does the value of a user's own query stay within its limits? Measured at fixed moments, so a restart repeats them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from math import floor, isnan, nan
from typing import Final

from sluice.api.quantities import format_duration
from sluice.api.status import MEASUREMENTS, MeasurementOutcome, MeasurementStatus, Verdict
from sluice.api.v1alpha1 import Check, PrometheusCheck
from sluice.core.analysis.questions import Failure, Measurement, Subject, revision_matchers
from sluice.core.analysis.saved import Saved
from sluice.core.analysis.verdicts import CheckResult
from sluice.core.metrics import Series

HISTORY: Final = 50
"""Newest moments that count, and that are measured again after a restart; more where failureLimit needs more."""
SETTLE: Final = 1.0
"""Seconds after a moment before it is measured: samples scraped just before it have then arrived, and a repetition
sees what the first measurement saw."""
_LEAST_INTERVAL: Final = 1.0


def write_query(template: str, subject: Subject) -> str:
    """The user's query with its placeholders filled in."""
    return filled(template, subject.namespace, subject.name, subject.candidate, subject.stable)


def filled(template: str, namespace: str, name: str, candidate: str, stable: str | None) -> str:
    """A query for these two revisions of a ModelDeployment."""
    for placeholder, text in (
        ("$(candidate)", revision_matchers(namespace, name, candidate)),
        ("$(stable)", revision_matchers(namespace, name, stable)),
        ("$(namespace)", namespace),
        ("$(name)", name),
    ):
        template = template.replace(placeholder, text)
    return template


@dataclass(frozen=True, slots=True)
class NotOneNumber(Exception):
    """The query does not yield one number; the message says what it yields."""

    message: str


def single_value(answer: Sequence[Series]) -> float | None:
    """The one number of an answer; None if there is none or it is NaN. Raises NotOneNumber."""
    if len(answer) > 1:
        raise NotOneNumber(f"the query yields {len(answer)} series, not one number: aggregate them, e.g. with sum(...)")
    if not answer or not answer[0].points:
        return None
    if len(answer[0].points) > 1:
        raise NotOneNumber("the query yields a range of samples, not one number: drop the [..] or use rate(...)")
    value = answer[0].points[0][1]
    return None if isnan(value) else value


@dataclass(slots=True)
class Threshold:
    """The measurements of one check in one rollout.

    A measurement counts once the candidate has answered a request, and `initialDelay` has passed: before that its value
    says nothing about it. Measuring begins with the rollout all the same, so that a bad query is found at weight 0.
    """

    check: Check
    limits: PrometheusCheck
    promql: str
    origin: float
    """Start of the rollout, seconds since the epoch: moments are origin + k * interval."""
    fault: str = ""
    """Why the query may not be asked at all, else empty."""
    failure: Failure | None = None
    _fail: bool = False
    """A check that failed stays failed, also when its measurements have grown too old to count."""
    _values: dict[float, float | None] = field(default_factory=dict)
    _tried: float = float("-inf")
    """Newest moment that was answered, with a value or with a refusal."""

    @property
    def interval(self) -> float:
        """Seconds between two moments."""
        return max(self.limits.interval.total_seconds(), _LEAST_INTERVAL)

    @property
    def history(self) -> int:
        """How many of the newest moments count."""
        return max(HISTORY, 2 * (self.limits.failure_limit + 1))

    def save(self) -> Saved:
        """All that it knows; nothing while it has no answer: its moments are then measured again."""
        saved = Saved()
        if self.failure is None:
            values = [(at, nan if value is None else value) for at, value in self._values.items()]
            saved.note("values", values)
            saved.note("state", [self._tried, self._fail])
        return saved

    def restore(self, saved: Saved) -> None:
        """Goes on from what was saved; from the beginning where nothing was."""
        if saved:
            self._values = {at: None if isnan(value) else value for at, value in saved.table("values", 2)}
            tried, fail = saved.numbers["state"].tolist()
            self._tried, self._fail = tried, bool(fail)

    def due(self, now: float) -> tuple[Measurement, ...]:
        """Moments that are past and not yet answered, oldest first; none beyond `history`; none of a faulty query."""
        if self.fault:
            return ()
        last = floor((now - SETTLE - self.origin) / self.interval)
        moments = (self.origin + k * self.interval for k in range(max(0, last - self.history + 1), last + 1))
        return tuple(Measurement(self.check.name, self.promql, at) for at in moments if at > self._tried)

    def answered(self, at: float, answer: Sequence[Series]) -> None:
        """Takes the answer for one moment."""
        try:
            self._note(at, single_value(answer))
            self.failure = None
        except NotOneNumber as error:
            self._note(at, None)
            self.failure = Failure(Verdict.QUERY_ERROR, error.message)

    def failed(self, at: float, failure: Failure) -> None:
        """Takes a refusal, which is an answer, or an outage, after which the same moment is asked again."""
        self.failure = failure
        if failure.verdict is Verdict.QUERY_ERROR:
            self._note(at, None)

    def _note(self, at: float, value: float | None) -> None:
        self._tried = max(self._tried, at)
        self._values[at] = value
        for old in sorted(self._values)[: -self.history]:
            del self._values[old]

    def caught_up(self, until: float) -> bool:
        """Whether all moments up to `until` (seconds since the epoch) have been answered."""
        return not self.due(until)

    def result(self, now: float, exposed_at: float | None) -> CheckResult:
        """What the check says. exposed_at: when the candidate's first request was counted; None: none so far."""
        since = float("inf") if exposed_at is None else exposed_at + self.limits.initial_delay.total_seconds()
        counted = tuple((at, self._values[at]) for at in sorted(self._values) if at >= since)
        failures = sum(self._outcome(value) is MeasurementOutcome.FAILED for _, value in counted)
        self._fail = self._fail or failures > self.limits.failure_limit
        values = [value for _, value in counted if value is not None]
        verdict, message = self._verdict(now, counted, values[-1] if values else None, exposed_at)
        return CheckResult(
            self.check.name,
            verdict,
            self.check.on_fail,
            f"{failures} of {self.limits.failure_limit + 1} failed measurements",
            message,
            near_failing=1.0 if self._fail else failures / (self.limits.failure_limit + 1),
            holds=bool(values) and self._outcome(values[-1]) is MeasurementOutcome.INCONCLUSIVE,
            measurements=tuple(self._told(at, value) for at, value in counted[-MEASUREMENTS:]),
        )

    def _verdict(
        self, now: float, counted: tuple[tuple[float, float | None], ...], value: float | None, exposed_at: float | None
    ) -> tuple[Verdict, str]:
        """value: the newest of the counted measurements that yielded one."""
        shown = self._allowed() if value is None else f"{value:.6g}, {self._allowed()}"
        if self.fault:
            return Verdict.QUERY_ERROR, self.fault
        if self._fail:
            return Verdict.FAIL, shown
        missing = sum(1 for _ in takewhile(lambda entry: entry[1] is None, reversed(counted)))
        if value is None or missing > self.limits.consecutive_error_limit:
            return self._without_value(now, counted, exposed_at)
        if self.failure is not None and self._stale(now):
            return self.failure.verdict, self.failure.message
        return Verdict.UNDECIDED, f"{shown} ({missing} since without a value)" if missing else shown

    def _without_value(
        self, now: float, counted: tuple[tuple[float, float | None], ...], exposed_at: float | None
    ) -> tuple[Verdict, str]:
        if self.failure is not None and (self.failure.verdict is Verdict.QUERY_ERROR or self._stale(now)):
            return self.failure.verdict, self.failure.message
        if self._tried == float("-inf"):
            return Verdict.NO_DATA, "not measured yet"
        if exposed_at is None:
            return Verdict.UNDECIDED, "the query works; measurements count once the candidate answers requests"
        # without a word on the candidate a short stage would be left, and at last all traffic given to it
        return Verdict.NO_DATA, "the query yields no value" if counted else self._none_yet()

    def _stale(self, now: float) -> bool:
        patience = timedelta(seconds=max(2 * self.interval, 5.0)).total_seconds()
        return now - self._tried > patience

    def _none_yet(self) -> str:
        delay, interval = self.limits.initial_delay, format_duration(self.limits.interval)
        begin = f"{format_duration(delay)} after its first request" if delay else "its first request"
        return f"measurements of the candidate count from {begin} on, one each {interval}: none yet"

    def _outcome(self, value: float | None) -> MeasurementOutcome:
        if value is None:
            return MeasurementOutcome.NO_VALUE
        for low, high, outcome in (
            (self.limits.min, self.limits.max, MeasurementOutcome.FAILED),
            (self.limits.hold_below, self.limits.hold_above, MeasurementOutcome.INCONCLUSIVE),
        ):
            if (low is not None and value < float(low)) or (high is not None and value > float(high)):
                return outcome
        return MeasurementOutcome.PASSED

    def _told(self, at: float, value: float | None) -> MeasurementStatus:
        shown = "" if value is None else f"{value:.6g}"
        return MeasurementStatus(at=datetime.fromtimestamp(at, UTC), value=shown, outcome=self._outcome(value))

    def _allowed(self) -> str:
        low, high = self.limits.min, self.limits.max
        if low is not None and high is not None:
            return f"{low} to {high} allowed"
        return f"at least {low} allowed" if low is not None else f"at most {high} allowed"
