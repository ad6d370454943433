"""What would other settings have decided? A rollout of the past, judged again from the metrics store's history.

The evidence is a function of the samples' own times, so the operator's own judge comes to the numbers it had; here it
is fed second by second, so that the moment of each verdict is known. Pure: questions are yielded, answers are sent in.
"""

from collections import defaultdict
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil

from sluice.api.status import Verdict
from sluice.api.v1alpha1 import OnFail
from sluice.core.analysis.judge import Judge, settle
from sluice.core.analysis.questions import Failure, Subject, samples_query
from sluice.core.analysis.reading import PIECE, by_pods, window
from sluice.core.analysis.verdicts import CheckResult
from sluice.core.metrics import Series


@dataclass(frozen=True, slots=True)
class Question:
    """PromQL at one moment. at: seconds since the epoch. optional: a refusal is an answer."""

    promql: str
    at: float
    optional: bool = False


Answer = tuple[Series, ...] | Failure
Replay = Generator[Question, Answer, "Replayed"]


@dataclass(frozen=True, slots=True)
class Told:
    """What one check said in the whole of the time.

    failed_at, certified_at: seconds since the rollout's start, of the first time; None: never. nearest: the most of the
    way to failing that it came, 1: it failed. last: what it said at the end.
    """

    last: CheckResult
    failed_at: float | None = None
    certified_at: float | None = None
    nearest: float = 0.0

    def then(self, seconds: float, said: CheckResult) -> "Told":
        """With what it said next."""
        return Told(
            said,
            seconds if self.failed_at is None and said.verdict is Verdict.FAIL else self.failed_at,
            seconds if self.certified_at is None and said.verdict is Verdict.CERTIFIED else self.certified_at,
            max(self.nearest, said.near_failing),
        )


@dataclass(frozen=True, slots=True)
class Replayed:
    """A rollout judged again. seconds: of history. requests: that the candidate answered in them."""

    checks: tuple[Told, ...]
    seconds: float
    requests: int

    @property
    def rolled_back(self) -> Told | None:
        """The check that would have taken the traffic back first."""
        failed = [told for told in self.checks if told.failed_at is not None and told.last.on_fail is OnFail.ROLLBACK]
        return min(failed, key=lambda told: told.failed_at or 0.0, default=None)

    @property
    def certified_at(self) -> float | None:
        """Seconds until every check that needs a certificate had one; None: one never had, or none needs one."""
        needed = [told.certified_at for told in self.checks if told.last.required]
        got = [seconds for seconds in needed if seconds is not None]
        return max(got) if got and len(got) == len(needed) else None


def replay(subject: Subject, until: float) -> Replay:
    """Judges a rollout again, up to `until` (seconds since the epoch). Each question must be answered in turn."""
    start = subject.started_at.timestamp()
    judge, pods = Judge(subject, until), _Pods(subject)
    while (past := judge.history()) is not None:
        known = yield Question(past.promql, past.at, optional=True)
        judge.remember(past, None if isinstance(known, Failure) else known)
    told: dict[str, Told] = {}
    requests = 0
    while (behind := min(question.since for question in judge.questions())) < until:
        end = min(behind + PIECE, until)
        seconds: dict[int, dict[str, list[Series]]] = defaultdict(lambda: defaultdict(list))
        for question in judge.questions():
            promql = samples_query(question, (subject,), question.bounds, window(question.since, end))
            answer = yield Question(promql, end)
            for series in _of(subject, answer):
                for second, points in _by_second(series, start, end).items():
                    seconds[second][question.metric].append(Series(series.labels, points))
        for second in sorted({*seconds, ceil(end)}):
            at = min(float(second), end)
            for metric in judge.metrics:
                answer_of_now = seconds[second][metric] if second in seconds else []
                pods.meet(answer_of_now)
                judge.read(metric, answer_of_now, at)
            settle([judge])
            if at <= start:
                continue
            now = datetime.fromtimestamp(at, UTC)
            for measurement in judge.measurements(now):
                value = yield Question(measurement.promql, measurement.at, optional=True)
                if isinstance(value, Failure):
                    judge.unmeasured(measurement, value)
                else:
                    judge.measured(measurement, value)
            seen = judge.observe(now, pods.candidate, subject.started_at, pods.stable)
            requests = seen.requests
            for said in seen.checks:
                told[said.name] = told.get(said.name, Told(said)).then(at - start, said)
    return Replayed(tuple(told[check.name] for check in subject.checks if check.name in told), until - start, requests)


class _Pods:
    """Pods of both revisions and when each was first seen: nobody remembers when they were made."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self.candidate: dict[str, datetime] = {}
        self.stable: dict[str, datetime] = {}

    def meet(self, answer: Iterable[Series]) -> None:
        for series in answer:
            pod = series.labels.get("pod", "")
            known = self.candidate if pod.rsplit("-", 2)[0] == self._subject.deployment else self.stable
            if pod not in known and series.points:
                known[pod] = datetime.fromtimestamp(series.points[0][0], UTC)


def _of(subject: Subject, answer: Answer) -> Sequence[Series]:
    """The series of the rollout's own pods."""
    if isinstance(answer, Failure):
        raise ValueError(f"samples were refused: {answer.message}")  # noqa: TRY004 - it is the answer's value
    found: Mapping[tuple[str, str], list[Series]] = by_pods(answer)
    return [series for one in subject.deployments for series in found.get((subject.namespace, one), ())]


def _by_second(series: Series, start: float, end: float) -> dict[int, tuple[tuple[float, float], ...]]:
    """Its samples by the second in which they could be read; those of before the start all at once."""
    found: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for point in series.points:
        found[ceil(min(max(point[0], start), end))].append(point)
    return {second: tuple(points) for second, points in found.items()}
