"""The operator's own metrics: what it does, how fast, and what it sees. docs/reference/metrics.md lists them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from sluice.api.status import Status
from sluice.core.analysis.verdicts import CheckResult
from sluice.ports import Conflict, MetricError, PortError, Refused, Unavailable
from sluice.runtime.schedule import Key

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

_RESULTS: Final = (
    (Conflict, "conflict"),
    (Refused, "refused"),
    (Unavailable, "unavailable"),
    (MetricError, "metrics"),
    (PortError, "port"),
)
"""First match wins; anything that is no PortError is a defect, `error`."""


class Telemetry:
    """A registry of its own, so that two operators in one process (tests) do not share counters."""

    def __init__(self, version: str) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series per counter that nobody reads
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        Info("sluice_operator", "Version of the operator.", registry=self.registry).info({"version": version})
        self._leader = self._gauge("leader", "1 while this replica holds the lease and acts.")
        self._synced = self._gauge("cache_synced", "1 once the first listing of every watched kind is complete.")
        self._objects = self._gauge("cache_objects", "Objects held in memory.", "kind")
        self._depth = self._gauge("queue_depth", "ModelDeployments that wait for a worker.")
        self._stalled = self._gauge("queue_stalled_seconds", "Age of the oldest waiting or running pass.")
        self._passes = self._histogram("reconcile_seconds", "Duration of a pass over one ModelDeployment.")
        self._results = self._counter("reconcile_total", "Passes by how they ended.", "result")
        self._calls = self._counter("api_calls_total", "Requests to the Kubernetes API.", "verb", "kind", "code")
        self._actions = self._counter("actions_total", "Actions carried out on the cluster.", "action")
        self._runtimes = self._gauge("runtime_rows_broken", "Rows of the runtime table that cannot be read.")
        about = ("namespace", "name")
        self._weight = self._gauge("revision_weight", "Percent of live requests given to it.", *about, "revision")
        self._verdict = self._gauge("check_verdict", "1 for what the check says now.", *about, "check", "verdict")
        text = "Part of the way to a decision: 0 no evidence, 1 it is taken."
        self._evidence = self._gauge("check_evidence", text, *about, "check", "decision")

    def api_called(self, verb: str, kind: str, code: str) -> None:
        """One request to the Kubernetes API was answered, or was not: code is the status, `timeout` or `connection`."""
        self._calls.labels(verb, kind, code).inc()

    def pass_ended(self, seconds: float, error: BaseException | None) -> None:
        """A pass took this long; error: what it raised."""
        self._passes.observe(seconds)
        known = (word for kind, word in _RESULTS if isinstance(error, kind))
        self._results.labels("ok" if error is None else next(known, "error")).inc()

    def acted(self, action: str) -> None:
        """An action was carried out: apply-HTTPRoute, delete-Deployment, announce-Promoted, ..."""
        self._actions.labels(action).inc()

    def leads(self, held: bool) -> None:
        """This replica became the leader, or no longer is. A standby shows no weights or verdicts: it does not know."""
        self._leader.set(held)
        if not held:
            self._weight.clear()
            self._verdict.clear()
            self._evidence.clear()

    def runtime_rows_broken(self, count: int) -> None:
        """So many rows of the runtime table cannot be read."""
        self._runtimes.set(count)

    def watch_queue(self, depth: Callable[[], float], stalled: Callable[[], float]) -> None:
        """Read the queue's figures when they are asked for. stalled: seconds."""
        self._depth.set_function(depth)
        self._stalled.set_function(stalled)

    def watch_cache(self, synced: Callable[[], bool], sizes: Callable[[], Mapping[str, int]]) -> None:
        """Read the cache's figures when they are asked for."""
        self._synced.set_function(synced)
        for kind in sizes():
            self._objects.labels(kind).set_function(partial(_size_of, sizes, kind))

    def watch_polls(self, polls: Callable[[], int], failures: Callable[[], int]) -> None:
        """Read the poller's counts when they are asked for: rounds of questions, and questions that failed."""
        self.registry.register(_Polls(polls, failures))

    def rollout(self, key: Key, status: Status, checks: Sequence[CheckResult] = ()) -> None:
        """Weights, verdicts and evidence of one ModelDeployment after a pass."""
        self.forget(key)
        for share in status.traffic:
            self._weight.labels(*key, share.revision).set(share.weight)
        for check in status.checks:
            self._verdict.labels(*key, check.name, str(check.verdict)).set(1)
        for result in checks:
            self._evidence.labels(*key, result.name, "rollback").set(result.near_failing)
            if result.near_certified is not None:
                self._evidence.labels(*key, result.name, "promotion").set(result.near_certified)

    def forget(self, key: Key) -> None:
        """This ModelDeployment is gone."""
        about = {"namespace": key[0], "name": key[1]}
        self._weight.remove_by_labels(about)
        self._verdict.remove_by_labels(about)
        self._evidence.remove_by_labels(about)

    def render(self) -> bytes:
        """Prometheus text format 0.0.4."""
        return generate_latest(self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"sluice_operator_{name}", text, labels, registry=self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"sluice_operator_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str) -> Histogram:
        return Histogram(f"sluice_operator_{name}", text, buckets=_SECONDS, registry=self.registry)


class _Polls(Collector):
    def __init__(self, polls: Callable[[], int], failures: Callable[[], int]) -> None:
        self._polls = polls
        self._failures = failures

    def collect(self) -> Iterator[CounterMetricFamily]:
        """The two counters as they are now."""
        text = "Rounds of questions to Prometheus."
        yield CounterMetricFamily("sluice_operator_polls", text, value=self._polls())
        text = "Questions that Prometheus did not answer, or refused."
        yield CounterMetricFamily("sluice_operator_poll_failures", text, value=self._failures())


def _size_of(sizes: Callable[[], Mapping[str, int]], kind: str) -> float:
    return sizes().get(kind, 0)
