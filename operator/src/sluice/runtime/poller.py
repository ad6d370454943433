"""Who asks the metrics store, and when? One task, once a second, for all rollouts; it wakes those with news.

One query per metric, whatever the number of rollouts. A rollout whose history is still to be read (after a restart of
the operator, or after an outage of the store) reads it in pieces of its own until it has caught up.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import structlog

from sluice.api.status import Verdict
from sluice.core.analysis.checkpoint import NotUsable, TooLarge, resumed, taken
from sluice.core.analysis.judge import HISTORY, Judge, settle
from sluice.core.analysis.questions import UP, Failure, Measurement, SampleQuestion, Subject, samples_query
from sluice.core.analysis.reading import PIECE, by_pods, window
from sluice.core.analysis.verdicts import NOTHING_KNOWN, Observation
from sluice.core.gateway_counts import GatewayCounts
from sluice.core.metrics import Series
from sluice.ports import Clock, MetricSource, ProviderError, QueryError

PERIOD: Final = 1.0
"""Seconds from the beginning of one poll to that of the next."""
TOGETHER: Final = 50
"""Most rollouts in one query: the matchers of their two revisions make 6 KB of a URL, and proxies take 8."""
CATCH_UP_BUDGET: Final = 0.5
"""Seconds of one poll that may go into reading history, so that the others are not kept waiting."""
MEASURING: Final = 2
"""Plain queries under way at once."""
READING: Final = 2
"""Questions for samples under way at once. With MEASURING as many as the source takes: one more would be refused."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Watched:
    """One rollout that is polled."""

    key: Hashable
    judge: Judge
    warned: bool = False
    """Whether it was logged that two Prometheus answer in turn."""
    sound: bool = True
    """Whether all samples that it was told were understood; else it is not for a successor to go on from."""
    unsaved: str = ""
    """Why there was no checkpoint, as it was logged last."""

    @property
    def behind(self) -> float:
        """Up to when all its metrics have been read, seconds since the epoch."""
        return self.judge.known_until


Asking = tuple[Watched, SampleQuestion]


class Poller:
    """Feeds the judges of all rollouts under way. All methods belong to one event loop.

    wake: called with the key of a rollout about which something new is known, and whether a check now fails, so that
    its traffic must be taken back. engine: version of the evidence's code, see checkpoint.py.
    """

    def __init__(
        self, source: MetricSource, clock: Clock, wake: Callable[[Hashable, bool], None], engine: str = ""
    ) -> None:
        self._engine = engine
        self._source = source
        self._clock = clock
        self._wake = wake
        self._watched: dict[Hashable, Watched] = {}
        self._wanted = asyncio.Event()
        self._measuring = asyncio.Semaphore(MEASURING)
        self._reading = asyncio.Semaphore(READING)
        self._problems: dict[str, Failure] = {}
        """Metrics whose last question failed."""
        self._fault = ("", "")
        """The unexpected fault that was logged last."""
        self._hurry = False
        """Whether history remains that the last poll had no time for."""
        self.polls = 0
        """Polls so far."""
        self.failures = 0
        """Questions that failed, and polls that broke off, so far."""

    # --- who is watched --------------------------------------------------------------------------------------------

    def track(self, key: Hashable, subject: Subject, checkpoint: str | None = None) -> None:
        """Begins to watch a rollout. The same subject again changes nothing; another one starts from its checkpoint,
        without one that can be used from its history."""
        watched = self._watched.get(key)
        if watched is None or watched.judge.subject != subject:
            self._watched[key] = Watched(key, self._judge(key, subject, checkpoint))
            self._wanted.set()

    def _judge(self, key: Hashable, subject: Subject, checkpoint: str | None) -> Judge:
        joined = self._clock.now().timestamp()
        if checkpoint is None:
            return Judge(subject, joined)
        try:
            judge = resumed(subject, joined, checkpoint, self._engine)
        except NotUsable as why:
            log.warning("checkpoint not used, all samples are read again", rollout=key, reason=str(why))
            return Judge(subject, joined)
        log.info("evidence goes on from its checkpoint", rollout=key, seconds_old=round(joined - judge.known_until, 1))
        return judge

    def checkpoint(self, key: Hashable) -> str | None:
        """The state of a rollout's evidence, for `track` of a later process. None while its history is being read, and
        where there can be none: that is logged, once."""
        watched = self._watched.get(key)
        if watched is None or not watched.sound:
            return None
        try:
            return taken(watched.judge, self._engine)
        except (TooLarge, TypeError) as why:
            if watched.unsaved != str(why):
                log.warning("no checkpoint: a restart will read all samples again", rollout=key, reason=str(why))
            watched.unsaved = str(why)
            return None

    def untrack(self, key: Hashable) -> None:
        """Forgets a rollout; one that is not watched is fine."""
        self._watched.pop(key, None)
        if not self._watched:
            self._wanted.clear()

    def observation(
        self,
        key: Hashable,
        pods: Mapping[str, datetime],
        stage_since: datetime,
        stable_pods: Mapping[str, datetime] | None = None,
        addresses: Mapping[str, str] | None = None,
    ) -> Observation:
        """What is known about a rollout now; nothing, if it is not watched.

        pods, stable_pods: those of the candidate and of stable, and when each was created. stage_since: requests after
        it are counted. addresses: of both revisions' pods.
        """
        watched = self._watched.get(key)
        if watched is None:
            return NOTHING_KNOWN
        return watched.judge.observe(self._clock.now(), pods, stage_since, stable_pods, addresses)

    # --- asking ----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Polls until cancelled. Plain queries run beside the polls: a slow one delays no evidence."""
        measuring: asyncio.Task[None] | None = None
        try:
            while True:
                await self._wanted.wait()
                started = self._clock.monotonic()
                await self._guarded(self._read_all())
                if measuring is None or measuring.done():
                    measuring = asyncio.create_task(self._guarded(self._measure_all()))
                pause = PERIOD - (self._clock.monotonic() - started)
                await asyncio.sleep(0 if self._hurry else max(pause, 0))
        finally:
            if measuring is not None:
                measuring.cancel()
                with suppress(asyncio.CancelledError):
                    await measuring

    async def poll_once(self) -> None:
        """One poll with all that is due."""
        await self._guarded(self._read_all())
        await self._guarded(self._measure_all())

    async def _guarded(self, work: Awaitable[None]) -> None:
        """A fault in one poll must not end the polling: it is logged, counted, and its rollouts become blind."""
        try:
            await work
        except Exception as error:
            self._log_once(error, "poll broke off")
            for watched in tuple(self._watched.values()):
                self._blind(watched, UP, Failure(Verdict.PROVIDER_ERROR, f"the poll broke off: {error!r}"))

    # --- samples ---------------------------------------------------------------------------------------------------

    async def _read_all(self) -> None:
        self.polls += 1
        self._hurry = False
        started, now = self._clock.monotonic(), self._clock.now().timestamp()
        await self._recall_all(started)
        ready = [w for w in self._watched.values() if w.judge.history() is None]
        current = [w for w in ready if now - w.behind <= PIECE]
        for first in range(0, len(current), TOGETHER):
            await self._read(current[first : first + TOGETHER], now)
        # the youngest has the least to read, so most rollouts are judged again soon
        for watched in sorted((w for w in ready if now - w.behind > PIECE), key=lambda w: -w.behind):
            while self._watched.get(watched.key) is watched and watched.behind < now:
                if self._clock.monotonic() - started > CATCH_UP_BUDGET:
                    self._hurry = True
                    return
                before, end = watched.behind, min(watched.behind + PIECE, now)
                await self._read([watched], end, past=end < now)
                if watched.behind <= before:
                    break  # a question failed: the next poll tries again

    async def _recall_all(self, started: float) -> None:
        """Stable's past comes first: before it is known no samples are read, as they could not be compared."""
        for watched in [w for w in self._watched.values() if w.judge.history() is not None]:
            if self._clock.monotonic() - started > CATCH_UP_BUDGET:
                self._hurry = True
                return
            while (question := watched.judge.history()) is not None and await self._recall(watched, question):
                pass

    async def _recall(self, watched: Watched, question: Measurement) -> bool:
        """What the store refuses to tell stays unknown; an outage is asked about again, and is blindness meanwhile.

        True if the question is answered, one way or the other.
        """
        answer: tuple[Series, ...] | None
        try:
            async with self._reading:
                answer = await self._source.query(question.promql, datetime.fromtimestamp(question.at, UTC))
        except Exception as error:
            failure = self._failure(error, question.promql)
            if failure.verdict is not Verdict.QUERY_ERROR:
                self._blind(watched, HISTORY, failure)
                return False
            log.warning("stable's past is not told", rollout=watched.key, problem=failure.message)
            answer = None
        watched.judge.remember(question, answer)
        return True

    async def _read(self, group: Sequence[Watched], until: float, *, past: bool = False) -> None:
        """Reads all metrics of these rollouts up to `until` (seconds since the epoch).

        `up` comes first: it says whether a series that is new in the other answers began at 0. Without it the others
        are not asked, so a store that hangs costs one timeout.
        """
        metrics: dict[str, list[Asking]] = defaultdict(list)
        for watched in group:
            for question in watched.judge.questions():
                metrics[question.metric].append((watched, question))
        failure = await self._ask(UP, metrics.pop(UP), until, past)
        if failure is None:
            await asyncio.gather(*(self._ask(metric, asking, until, past) for metric, asking in metrics.items()))
            return
        for metric, asking in metrics.items():
            self._tell_failure(asking, metric, failure)

    async def _ask(self, metric: str, asking: Sequence[Asking], until: float, past: bool) -> Failure | None:
        seconds = window(min(question.since for _, question in asking), until)
        bounds = {bound for _, question in asking for bound in question.bounds}
        gateway = asking[0][1].gateway
        promql = samples_query(asking[0][1], (watched.judge.subject for watched, _ in asking), bounds, seconds)
        try:
            async with self._reading:
                answer = await self._source.query(promql, datetime.fromtimestamp(until, UTC) if past else None)
        except Exception as error:
            failure = self._failure(error, promql)
            if self._problems.get(metric) != failure:
                log.warning("no answer", metric=metric, rollouts=len(asking), problem=failure.message)
            self._problems[metric] = failure
            self._tell_failure(asking, metric, failure)
            return failure
        if self._problems.pop(metric, None) is not None:
            log.info("answers again", metric=metric, rollouts=len(asking))
        found = by_routes(answer, gateway, asking) if gateway else by_pods(answer)
        news: dict[Hashable, bool] = {}
        before = {watched.key: _stand(watched.judge) for watched, _ in asking}
        for watched, _ in asking:
            subject = watched.judge.subject
            owners = (subject.name,) if gateway else subject.deployments
            own = [s for owner in owners for s in found.get((subject.namespace, owner), ())]
            with self._understood(watched, metric):
                news[watched.key] = watched.judge.read(metric, own, until)
        digested = [watched for watched, _ in asking if watched.key in news]
        self._settle(digested, metric)
        for watched in digested:
            if watched.judge.backwards and not watched.warned:
                watched.warned = True
                log.warning(
                    "counters go back and forth: two Prometheus with different clocks answer; the one ahead counts",
                    rollout=watched.key,
                    metric=metric,
                )
            if news[watched.key] or _stand(watched.judge) != before[watched.key]:
                self._wake(watched.key, watched.judge.failing)
        return None

    def _settle(self, read: Sequence[Watched], metric: str) -> None:
        """All at once; one by one if that fails, so that it fails for those only whose samples it cannot digest."""
        try:
            settle([watched.judge for watched in read])
        except Exception as error:
            self._log_once(error, "rollouts were not settled together", metric=metric)
            for watched in read:
                with self._understood(watched, metric):
                    settle([watched.judge])

    @contextmanager
    def _understood(self, watched: Watched, metric: str) -> Iterator[None]:
        """Samples that one judge cannot digest must not blind the others."""
        try:
            yield
        except Exception as error:
            self._log_once(error, "samples were not understood", rollout=watched.key, metric=metric)
            watched.sound = False
            self._blind(watched, metric, Failure(Verdict.PROVIDER_ERROR, f"{metric} was not understood: {error!r}"))

    def _tell_failure(self, asking: Sequence[Asking], metric: str, failure: Failure) -> None:
        for watched, _ in asking:
            self._blind(watched, metric, failure)

    def _blind(self, watched: Watched, metric: str, failure: Failure) -> None:
        if watched.judge.unanswered(metric, failure):
            self._wake(watched.key, False)

    def _failure(self, error: Exception, promql: str) -> Failure:
        """What an exception of the store means. Whatever is not a refusal is an outage."""
        if isinstance(error, QueryError | ProviderError):
            self.failures += 1
            verdict = Verdict.QUERY_ERROR if isinstance(error, QueryError) else Verdict.PROVIDER_ERROR
            return Failure(verdict, str(error))
        self._log_once(error, "unexpected fault of the metrics source", query=promql)
        return Failure(Verdict.PROVIDER_ERROR, f"unexpected fault: {error!r}")

    def _log_once(self, error: Exception, event: str, **context: object) -> None:
        """Logs a fault of our own with its stack when it first appears: it comes back every second."""
        self.failures += 1
        if (event, repr(error)) != self._fault:
            log.error(event, exc_info=error, **context)
        self._fault = (event, repr(error))

    # --- plain queries ---------------------------------------------------------------------------------------------

    async def _measure_all(self) -> None:
        await asyncio.gather(*(self._measure_in_order(w) for w in tuple(self._watched.values())))

    async def _measure_in_order(self, watched: Watched) -> None:
        """All moments that are due; after an outage the rest waits for the next poll."""
        refused: set[str] = set()
        for question in watched.judge.measurements(self._clock.now()):
            if question.check not in refused and not await self._measure(watched, question):
                refused.add(question.check)
            if self._watched.get(watched.key) is not watched:
                return

    async def _measure(self, watched: Watched, question: Measurement) -> bool:
        try:
            async with self._measuring:
                answer = await self._source.query(question.promql, datetime.fromtimestamp(question.at, UTC))
        except Exception as error:
            failure = self._failure(error, question.promql)
            if watched.judge.unmeasured(question, failure):
                log.warning("no measurement", rollout=watched.key, check=question.check, problem=failure.message)
                self._wake(watched.key, False)
            return failure.verdict is Verdict.QUERY_ERROR
        watched.judge.measured(question, answer)
        self._wake(watched.key, False)
        return True


def _stand(judge: Judge) -> tuple[bool, bool]:
    """What a reconciler wants to know at once."""
    return judge.caught_up, judge.failing


def by_routes(
    answer: Sequence[Series], gateway: GatewayCounts, asking: Iterable[Asking]
) -> dict[tuple[str, str], list[Series]]:
    """A gateway's series by (namespace, ModelDeployment) of those that ask."""
    subjects = [watched.judge.subject for watched, _ in asking]
    routes = {gateway.prefix(s.namespace, s.name): (s.namespace, s.name) for s in subjects}
    lengths = sorted({len(prefix) for prefix in routes})
    found: dict[tuple[str, str], list[Series]] = defaultdict(list)
    for series in answer:
        label = series.labels.get(gateway.route_label, "")
        route = next((routes[prefix] for length in lengths if (prefix := label[:length]) in routes), None)
        if route is not None:
            found[route].append(series)
    return found
