"""What does the server count, and how does Prometheus read it?"""

from collections.abc import Callable
from typing import Any

from prometheus_client import CollectorRegistry, Gauge, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from sluice_model_server.exposition import Family, series
from sluice_model_server.histogram import Histogram
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
    """The server's own metrics: only inference requests are counted, never probes or scrapes.

    What changes with each request is counted here in plain numbers, in the event loop's thread; the process's CPU and
    memory are prometheus_client's.
    """

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._info = Gauge(
            MODEL_INFO, "The model served; always 1.", ["name", "version", "digest", "format"], registry=self._registry
        )
        self._requests = dict.fromkeys(map(int, CODES_BORN_AT_START), 0)
        self._mirrored = dict(self._requests)
        self._in_flight = 0
        self._duration = Histogram(
            REQUEST_DURATION_SECONDS,
            "Seconds from a complete inference request to its answer.",
            LATENCY_BOUNDS_SECONDS,
        )
        self._batch = Histogram(BATCH_ROWS, "Rows in one call of the model.", BATCH_BOUNDS_ROWS)
        self._more: list[Callable[[], bytes]] = []

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
        self._in_flight += 1

    def answered(self, code: int, seconds: float, *, mirrored: bool = False) -> None:
        """Counts one inference request. code: HTTP status. seconds: how long it took. mirrored: it was a copy."""
        self._in_flight -= 1
        self._requests[code] = self._requests.get(code, 0) + 1
        if mirrored:
            self._mirrored[code] = self._mirrored.get(code, 0) + 1
        self._duration.observe(seconds)

    def abandoned(self) -> None:
        """A request whose client left before the answer: it was not answered, so it counts under no code."""
        self._in_flight -= 1

    def render(self) -> bytes:
        """Prometheus text format 0.0.4."""
        own = (
            _by_code(REQUESTS_TOTAL, "Inference requests answered, by HTTP status.", self._requests)
            + _by_code(MIRRORED_REQUESTS_TOTAL, "Those of them that were mirrored copies.", self._mirrored)
            + self._duration.render()
            + self._batch.render()
            + Family(REQUESTS_IN_FLIGHT, "gauge", "Inference requests not answered yet.", [REQUESTS_IN_FLIGHT]).render(
                [float(self._in_flight)]
            )
        )
        return generate_latest(self._registry) + own.encode() + b"".join(render() for render in self._more)


def _by_code(name: str, help: str, counts: dict[int, int]) -> str:
    return Family(name, "counter", help, [series(name, code=str(code)) for code in counts]).render(
        list(counts.values())
    )
