"""What does the server count, and how does Prometheus read it?"""

from collections.abc import Callable
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, disable_created_metrics
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from sluice_model_server.names import (
    BATCH_BOUNDS_ROWS,
    BATCH_ROWS,
    CODES_BORN_AT_START,
    LATENCY_BOUNDS_SECONDS,
    MIRRORED_REQUESTS_TOTAL,
    MODEL_INFO,
    REQUEST_DURATION_SECONDS,
    REQUESTS_IN_FLIGHT,
    REQUESTS_TOTAL,
)
from sluice_model_server.observer import Observer
from sluice_model_server.profile import Profile

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4.encode()


class Metrics:
    """The server's own registry: only inference requests are counted, never probes or scrapes."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series per counter that nobody reads
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = Counter(
            REQUESTS_TOTAL, "Inference requests answered, by HTTP status.", ["code"], registry=self._registry
        )
        self._by_code = {int(code): self._requests.labels(code) for code in CODES_BORN_AT_START}
        self._duration = Histogram(
            REQUEST_DURATION_SECONDS,
            "Seconds from a complete inference request to its answer.",
            buckets=LATENCY_BOUNDS_SECONDS,
            registry=self._registry,
        )
        self._mirrored = Counter(
            MIRRORED_REQUESTS_TOTAL,
            "Those of the answered requests that were mirrored copies.",
            ["code"],
            registry=self._registry,
        )
        for code in CODES_BORN_AT_START:
            self._mirrored.labels(code)
        self._batch = Histogram(
            BATCH_ROWS, "Rows in one call of the model.", buckets=BATCH_BOUNDS_ROWS, registry=self._registry
        )
        self._more: list[Callable[[], bytes]] = []
        self._in_flight = Gauge(REQUESTS_IN_FLIGHT, "Inference requests not answered yet.", registry=self._registry)
        self._info = Gauge(
            MODEL_INFO, "The model served; always 1.", ["name", "version", "digest", "format"], registry=self._registry
        )

    def model(self, *, name: str, version: str, digest: str, format: str) -> None:
        """Says which model this process serves."""
        self._info.labels(name, version, digest, format).set(1)

    def watch(self, profile: Profile | None, classes: tuple[Any, ...] | None) -> Observer:
        """An observer of one model, whose counts are part of every scrape from now on."""
        observer = Observer(profile, classes)
        self._more.append(observer.render)
        return observer

    def predicted(self, rows: int) -> None:
        """Counts one call of the model."""
        self._batch.observe(rows)

    def started(self) -> None:
        self._in_flight.inc()

    def answered(self, code: int, seconds: float, *, mirrored: bool = False) -> None:
        """Counts one inference request. code: HTTP status. seconds: how long it took. mirrored: it was a copy."""
        self._in_flight.dec()
        counter = self._by_code.get(code)
        if counter is None:
            counter = self._by_code[code] = self._requests.labels(str(code))
        counter.inc()
        self._duration.observe(seconds)
        if mirrored:
            self._mirrored.labels(str(code)).inc()

    def abandoned(self) -> None:
        """A request whose client left before the answer: it was not answered, so it counts under no code."""
        self._in_flight.dec()

    def render(self) -> bytes:
        """Prometheus text format 0.0.4."""
        return generate_latest(self._registry) + b"".join(render() for render in self._more)
