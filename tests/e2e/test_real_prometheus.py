"""The path from a scrape to a verdict on a real Prometheus: real scrapes of hand-made targets, on loopback only."""

import asyncio
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from sluice.adapters.metrics.prometheus import PrometheusSource
from sluice.api.v1alpha1 import Check, LatencyCheck, PrometheusCheck, RateCheck
from sluice.core.analysis.questions import Subject
from sluice.core.analysis.verdicts import Observation
from sluice.core.metrics import MetricPreset
from sluice.ports import ProviderError
from sluice.runtime.poller import Poller
from sluice_dev.cluster.binaries import ensure_built
from sluice_dev.cluster.layout import Layout
from sluice_dev.cluster.tools import TOOLS

pytestmark = [pytest.mark.e2e, pytest.mark.alone]  # it stops processes and watches the clock

POD = "flights-8b21de07-6d5f9c7b8d-abcde"
PRESET = MetricPreset(requests="http_requests_total", latency="http_request_duration_seconds")


class Pod:
    """A scrape target: counters that the test moves. A series appears with its first request, as usual."""

    def __init__(self) -> None:
        self.started = datetime.now(UTC)
        self.codes: dict[str, int] = {}
        self.slow = 0
        self.served = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.served += 1
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(outer.exposition().encode())

            def log_message(self, format: str, *args: Any) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def exposition(self) -> str:
        total = sum(self.codes.values())
        lines = ["# TYPE http_requests_total counter"]
        lines += [f'http_requests_total{{code="{code}"}} {count}' for code, count in self.codes.items()]
        if total:
            lines.append("# TYPE http_request_duration_seconds histogram")
            for bound, count in (("0.25", total - self.slow), ("1", total), ("+Inf", total)):
                lines.append(f'http_request_duration_seconds_bucket{{le="{bound}"}} {count}')
            lines += [f"http_request_duration_seconds_count {total}", "http_request_duration_seconds_sum 1"]
        return "\n".join(lines) + "\n"

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class Store:
    """A Prometheus process that scrapes one pod each second."""

    def __init__(self, program: Path, folder: Path, pod: Pod) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        config = folder / "prometheus.yml"
        config.write_text(
            "global: {scrape_interval: 1s, scrape_timeout: 1s}\n"
            "scrape_configs:\n- job_name: pods\n  static_configs:\n"
            f"  - targets: ['127.0.0.1:{pod.server.server_port}']\n    labels: {{namespace: prod, pod: {POD}}}\n"
        )
        self.log = folder / "prometheus.log"
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [
                    program,
                    f"--config.file={config}",
                    f"--storage.tsdb.path={folder / 'data'}",
                    f"--web.listen-address=127.0.0.1:{port}",
                ],
                stdout=output,
                stderr=output,
            )

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.process.pid, number)

    def stop(self) -> None:
        if self.process.poll() is not None:
            return
        self.signal(signal.SIGCONT)
        self.process.terminate()
        self.process.wait(20)


@pytest.fixture(scope="module")
def program() -> Path:
    layout = Layout.here()
    tool = TOOLS["prom"]
    return ensure_built(layout, tool, lambda line: None) / "prometheus"


@pytest.fixture
def pod() -> Iterator[Pod]:
    target = Pod()
    yield target
    target.stop()


@pytest.fixture
def prometheus(program: Path, tmp_path: Path, pod: Pod) -> Iterator[Store]:
    store = Store(program, tmp_path, pod)
    deadline = time.monotonic() + 60
    while True:
        with suppress(requests.ConnectionError):
            if requests.get(f"{store.url}/-/ready", timeout=5).ok:
                break
        assert time.monotonic() < deadline, f"Prometheus did not become ready: {store.log.read_text()}"
    yield store
    store.stop()


class RealClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


class Rollout:
    """A poller at work on one rollout, and the means to wait for what it learns."""

    def __init__(self, store: Store, pod: Pod, *checks: Check) -> None:
        self.source = PrometheusSource(store.url, timeout=1.0)
        self.pod = pod
        self.subject = Subject("prod", "flights", "8b21de07", None, pod.started, checks, PRESET)
        self.news = asyncio.Event()
        self.poller = Poller(self.source, RealClock(), lambda key, urgent: self.news.set())

    def observe(self) -> Observation:
        return self.poller.observation("flights", {POD: self.pod.started}, self.pod.started)

    async def until(self, what: Callable[[Observation], bool], seconds: float = 20) -> Observation:
        """Waits for an observation, woken as the operator is; at least once a second, as it looks by itself then."""
        deadline = time.monotonic() + seconds
        while not what(seen := self.observe()):
            assert time.monotonic() < deadline, f"not within {seconds}s; last: {seen}"
            self.news.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self.news.wait(), 1)
        return seen


ERRORS = Check(name="errors", type="Rate", rate=RateCheck(max=Decimal("0.05")))
LATENCY = Check(name="latency", type="Latency", latency=LatencyCheck(slo=timedelta(seconds=1), warm_up=timedelta()))
BAD_QUERY = Check(
    name="clicks",
    type="Prometheus",
    prometheus=PrometheusCheck(query='label_replace(clicks{$(candidate)}, "a", "", "b", "(")', min=Decimal(1)),
)


@pytest.fixture
async def rollout(prometheus: Store, pod: Pod) -> AsyncIterator[Rollout]:
    """Checks on errors and on answers slower than 1 s: Prometheus 3 writes that bucket as le="1.0"."""
    one = Rollout(prometheus, pod, ERRORS, LATENCY)
    task = asyncio.create_task(one.poller.run())
    one.poller.track("flights", one.subject)
    yield one
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    one.source.close()


def verdicts(seen: Observation) -> list[str]:
    return [check.verdict.value for check in seen.checks]


async def test_a_pod_is_seen_and_its_first_failures_count_in_full(rollout: Rollout, pod: Pod) -> None:
    seen = await rollout.until(lambda o: POD in o.seen)
    assert verdicts(seen) == ["Undecided", "Undecided"]
    pod.codes |= {"200": 20, "500": 20}
    shown, scrapes = time.monotonic(), pod.served
    seen = await rollout.until(lambda o: "Fail" in verdicts(o))
    waited = time.monotonic() - shown
    assert seen.checks[0].message == "20 of 40 requests failed (50.00%), at most 5% allowed"
    assert verdicts(seen) == ["Fail", "Undecided"]
    assert seen.requests == 40
    # a scrape each second, a poll each second, little between, and the rest for a busy machine
    assert waited <= 3.5
    assert pod.served - scrapes <= 3


async def test_a_restarted_container_and_a_restarted_operator(rollout: Rollout, prometheus: Store, pod: Pod) -> None:
    await rollout.until(lambda o: POD in o.seen)
    pod.codes["200"] = 500
    await rollout.until(lambda o: o.requests == 500)
    pod.codes["200"] = 7
    seen = await rollout.until(lambda o: o.requests > 500)
    assert seen.requests == 507

    again = Rollout(prometheus, pod, ERRORS, LATENCY)
    again.poller.track("flights", again.subject)
    await again.poller.poll_once()
    assert again.observe().caught_up
    assert again.observe().requests == 507
    assert [c.evidence for c in again.observe().checks] == [c.evidence for c in rollout.observe().checks]
    again.source.close()


async def test_a_stopped_prometheus_blinds_and_a_continued_one_gives_sight_back(
    rollout: Rollout, prometheus: Store, pod: Pod
) -> None:
    await rollout.until(lambda o: POD in o.seen)
    prometheus.signal(signal.SIGSTOP)
    pod.codes["200"] = 100
    seen = await rollout.until(lambda o: verdicts(o) == ["ProviderError", "ProviderError"])
    assert "did not answer" in seen.problem
    assert seen.requests == 0
    prometheus.signal(signal.SIGCONT)
    # the metrics answer one after the other: the first to come back does not end the blindness of the rest
    seen = await rollout.until(lambda o: o.requests == 100 and not o.problem)
    assert verdicts(seen)[0] == "Certified"
    assert not seen.checks[1].verdict.unknown


async def test_a_pod_that_stops_answering_scrapes_is_no_data(rollout: Rollout, pod: Pod) -> None:
    await rollout.until(lambda o: POD in o.seen)
    pod.stop()
    seen = await rollout.until(lambda o: verdicts(o) == ["NoData", "NoData"])
    assert POD not in seen.seen
    assert seen.problem == ""


async def test_prometheus_own_words_reach_the_user(prometheus: Store, pod: Pod) -> None:
    one = Rollout(prometheus, pod, BAD_QUERY)
    one.poller.track("flights", one.subject)
    async with asyncio.timeout(20):
        while verdicts(one.observe()) != ["QueryError"]:
            await one.poller.poll_once()
    assert "invalid regular expression in label_replace" in one.observe().checks[0].message
    one.source.close()


async def test_a_prometheus_that_is_gone_is_a_provider_error(prometheus: Store, pod: Pod) -> None:
    source = PrometheusSource(prometheus.url, timeout=1.0)
    assert isinstance(await source.query("up[10s]"), tuple)
    prometheus.process.terminate()
    prometheus.process.wait(20)
    with pytest.raises(ProviderError):
        await source.query("up[10s]")
    source.close()
