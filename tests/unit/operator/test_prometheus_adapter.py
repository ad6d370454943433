"""The Prometheus adapter against a real HTTP server that answers as Prometheus does, and as it should not."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import inf, isnan
from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest

from sluice.adapters.metrics.prometheus import IN_FLIGHT, PrometheusSource
from sluice.ports import ProviderError, QueryError

Answer = Callable[[BaseHTTPRequestHandler], None]


class Prometheus:
    """Listens on loopback; `answer` is what the next request gets. Requests are recorded."""

    def __init__(self) -> None:
        self.answer: Answer = reply(200, {"status": "success", "data": {"resultType": "vector", "result": []}})
        self.asked: list[dict[str, list[str]]] = []
        self.let_go = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer.asked.append(parse_qs(urlparse(self.path).query))
                outer.answer(self)

            def log_message(self, format: str, *args: Any) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def hang(self, handler: BaseHTTPRequestHandler) -> None:
        """Takes the request and says nothing."""
        self.let_go.wait(20)
        handler.close_connection = True

    def stop(self) -> None:
        self.let_go.set()
        self.server.shutdown()
        self.server.server_close()


def reply(status: int, body: Any, kind: str = "application/json") -> Answer:
    """An answer with this status; the body as JSON unless it is text already."""
    data = (body if isinstance(body, str) else json.dumps(body, separators=(",", ":"))).encode()

    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    return send


def success(result: Any, **more: Any) -> Answer:
    return reply(200, {"status": "success", "data": {"resultType": "?", "result": result}, **more})


@pytest.fixture
def prometheus() -> Iterator[Prometheus]:
    server = Prometheus()
    yield server
    server.stop()


@pytest.fixture
def source(prometheus: Prometheus) -> Iterator[PrometheusSource]:
    adapter = PrometheusSource(prometheus.url, timeout=0.5)
    yield adapter
    adapter.close()


async def test_raw_samples_come_back_as_scraped(prometheus: Prometheus, source: PrometheusSource) -> None:
    labels = {"__name__": "up", "pod": "a"}
    prometheus.answer = success([{"metric": labels, "values": [[1767614400.123, "1"], [1767614402.123, "0"]]}])
    (series,) = await source.query("up[12s]")
    assert series.labels == labels
    assert series.points == ((1767614400.123, 1.0), (1767614402.123, 0.0))


async def test_a_vector_a_scalar_and_nothing(prometheus: Prometheus, source: PrometheusSource) -> None:
    prometheus.answer = success([{"metric": {}, "value": [10, "0.5"]}])
    assert [s.points for s in await source.query("a")] == [((10.0, 0.5),)]
    prometheus.answer = success([10, "2"])
    assert [(s.labels, s.points) for s in await source.query("2")] == [({}, ((10.0, 2.0),))]
    prometheus.answer = success([])
    assert await source.query("none") == ()


async def test_values_that_json_has_no_numbers_for(prometheus: Prometheus, source: PrometheusSource) -> None:
    prometheus.answer = success([{"metric": {}, "values": [[1, "NaN"], [2, "+Inf"], [3, "-Inf"], [4, "1e+06"]]}])
    (series,) = await source.query("a[1m]")
    values = [value for _, value in series.points]
    assert isnan(values[0])
    assert values[1:] == [inf, -inf, 1e6]


async def test_the_evaluation_time_is_sent_only_if_it_is_given(
    prometheus: Prometheus, source: PrometheusSource
) -> None:
    await source.query("up")
    await source.query("up", datetime(2026, 1, 5, 12, 0, 0, 250_000, tzinfo=UTC))
    assert [asked.get("time") for asked in prometheus.asked] == [None, ["1767614400.250"]]
    assert prometheus.asked[0]["timeout"] == ["0.5s"]


@pytest.mark.parametrize("status", [400, 422])
async def test_a_refused_query_is_a_query_error_in_prometheus_words(
    prometheus: Prometheus, source: PrometheusSource, status: int
) -> None:
    prometheus.answer = reply(
        status, {"status": "error", "errorType": "bad_data", "error": "parse error: unexpected )"}
    )
    with pytest.raises(QueryError, match=r"parse error: unexpected \)"):
        await source.query("sum(")


@pytest.mark.parametrize("status", [302, 401, 403, 404, 429, 500, 502, 503, 504])
async def test_any_other_status_is_an_outage_and_is_not_retried(
    prometheus: Prometheus, source: PrometheusSource, status: int
) -> None:
    prometheus.answer = reply(status, "<html>upstream is away</html>", "text/html")
    with pytest.raises(ProviderError, match="upstream is away"):
        await source.query("up")
    assert len(prometheus.asked) == 1


async def test_a_partial_answer_is_an_outage_not_data(prometheus: Prometheus, source: PrometheusSource) -> None:
    whole = [{"metric": {}, "value": [10, "0.5"]}]
    prometheus.answer = success(whole, warnings=["remote read: store-2 did not answer"])
    with pytest.raises(ProviderError, match="store-2 did not answer"):
        await source.query("a")
    prometheus.answer = success(whole, isPartial=True)
    with pytest.raises(ProviderError):
        await source.query("a")


async def test_a_warning_about_the_query_itself_is_a_query_error(
    prometheus: Prometheus, source: PrometheusSource
) -> None:
    prometheus.answer = success([], warnings=["PromQL warning: bucket label le is missing (1:20)"])
    with pytest.raises(QueryError, match="bucket label le is missing"):
        await source.query("histogram_quantile(.9, a)")


async def test_a_remark_or_a_label_that_speaks_of_warnings_is_no_warning(
    prometheus: Prometheus, source: PrometheusSource
) -> None:
    prometheus.answer = success(
        [{"metric": {"note": '"warnings":["x"'}, "value": [10, "1"]}], infos=["PromQL info: might not be a counter"]
    )
    (series,) = await source.query("a")
    assert series.labels["note"] == '"warnings":["x"'


async def test_a_native_histogram_is_no_number(prometheus: Prometheus, source: PrometheusSource) -> None:
    prometheus.answer = success([{"metric": {"__name__": "h"}, "histograms": [[1, {"count": "1"}]]}])
    with pytest.raises(QueryError, match="h is a native histogram"):
        await source.query("h[1m]")


@pytest.mark.parametrize(
    "body",
    [
        "",
        "not json",
        '{"status":"success"}',
        '{"data":{"result":[{"metric":{}}]}}',
        '{"data":{"result":[{"metric":{},"value":[1]}]}}',
        '{"data":{"result":[{"metric":{},"value":[1,"many"]}]}}',
        '{"data":{"result":7}}',
        "[]",
    ],
)
async def test_an_answer_that_is_none_of_prometheus_is_an_outage(
    prometheus: Prometheus, source: PrometheusSource, body: str
) -> None:
    prometheus.answer = reply(200, body)
    with pytest.raises(ProviderError):
        await source.query("up")


def broken_chunks(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b'5\r\n{"dat\r\nzz\r\n')
    handler.close_connection = True


def cut_short(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"data":{"result":[')
    handler.close_connection = True


@pytest.mark.parametrize("answer", [broken_chunks, cut_short])
async def test_an_answer_that_breaks_off_is_an_outage(
    prometheus: Prometheus, source: PrometheusSource, answer: Answer
) -> None:
    prometheus.answer = answer
    with pytest.raises(ProviderError):
        await source.query("up")


async def test_nobody_listening_is_an_outage_that_names_the_address() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(ProviderError, match=f"{url} did not answer: .*refused"):
            await PrometheusSource(url, timeout=0.5).query("up")


async def test_a_store_that_hangs_is_given_up_after_the_timeout(
    prometheus: Prometheus, source: PrometheusSource
) -> None:
    prometheus.answer = prometheus.hang
    started = time.monotonic()
    with pytest.raises(ProviderError):
        await source.query("up")
    assert time.monotonic() - started < 1.0


async def test_an_answer_that_trickles_is_given_up_and_does_not_pile_up_threads(
    prometheus: Prometheus, source: PrometheusSource
) -> None:
    """Each byte is in time for a socket timeout, so only a deadline of our own ends it."""

    def trickle(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        while not prometheus.let_go.wait(0.1):
            handler.wfile.write(b" ")
            handler.wfile.flush()

    well, prometheus.answer = prometheus.answer, trickle
    others, started = set(threading.enumerate()), time.monotonic()
    outcomes = await asyncio.gather(*(source.query("up") for _ in range(10)), return_exceptions=True)
    assert all(isinstance(outcome, ProviderError) for outcome in outcomes)
    assert time.monotonic() - started < 1.5
    assert len(prometheus.asked) == IN_FLIGHT
    prometheus.answer = well
    assert await source.query("up") == ()
    assert sum(t.name.startswith("prometheus") for t in set(threading.enumerate()) - others) <= IN_FLIGHT


async def test_it_recovers_by_itself(prometheus: Prometheus, source: PrometheusSource) -> None:
    well = prometheus.answer
    prometheus.answer = prometheus.hang
    for _ in range(3):
        with pytest.raises(ProviderError):
            await source.query("up")
    prometheus.answer = well
    assert await source.query("up") == ()


async def test_the_event_loop_is_free_while_prometheus_thinks(prometheus: Prometheus, source: PrometheusSource) -> None:
    prometheus.answer = prometheus.hang
    question = asyncio.create_task(source.query("up"))
    turns = 0
    while not question.done():
        await asyncio.sleep(0)
        turns += 1
    assert isinstance(question.exception(), ProviderError)
    assert turns > 100


@pytest.mark.parametrize("turns", range(6))
async def test_a_cancellation_that_comes_with_the_answer_is_obeyed(
    prometheus: Prometheus, source: PrometheusSource, turns: int
) -> None:
    """turns: of the event loop from the answer to the cancellation. Else the operator that is to end polls on."""
    asked = threading.Event()

    def answer_when_told(handler: BaseHTTPRequestHandler) -> None:
        asked.set()
        prometheus.let_go.wait(20)
        success([])(handler)

    prometheus.answer = answer_when_told
    question = asyncio.create_task(source.query("up"))
    assert await asyncio.to_thread(asked.wait, 20)
    prometheus.let_go.set()
    source._threads.shutdown(wait=True)  # the loop stands still meanwhile: what it will find next is the answer
    for _ in range(turns):
        await asyncio.sleep(0)
    answered = question.done()
    question.cancel()
    await asyncio.wait([question])
    assert question.cancelled() is not answered
    assert turns or not answered
