"""A metrics store that answers badly: it stands before a real one and spoils what that says, as it is told.

It runs alone in a pod, `python3 bad_answers.py URL-OF-THE-REAL-ONE`, so it needs the standard library only.
`GET /spoil?how=WORD`, a key of WAYS, tells it what to do from the next question on; `GET /spoil` says what it does.
"""

from __future__ import annotations

import json
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

PORT = 9090
SLOW_SECONDS = 10.0
APART_SECONDS = 7.0
"""By so much the clock of the second replica is ahead."""
TURN = 7
"""Questions that one replica answers before the other does: no multiple of those that are asked together."""
UPSTREAM_SECONDS = 10.0

Answer = dict[str, Any]


def untouched(answer: Answer) -> Answer:
    """As the real one gave it."""
    return answer


def partial(answer: Answer) -> Answer:
    """With a remark that it may not be all: the data looks whole."""
    return {**answer, "warnings": ["remote read: store-2 did not answer"]}


def empty(answer: Answer) -> Answer:
    """The store knows of nothing."""
    return {**answer, "data": {**answer["data"], "result": []}}


def not_a_number(answer: Answer) -> Answer:
    """Pods are scraped well (`up`), but every counter says NaN."""

    def spoilt(series: Answer) -> Answer:
        if series["metric"].get("__name__") in (None, "up"):
            return series
        return {**series, **{key: _nan(series[key]) for key in ("value", "values") if key in series}}

    return {**answer, "data": {**answer["data"], "result": [spoilt(one) for one in answer["data"]["result"]]}}


def _nan(points: list[Any]) -> list[Any]:
    if points and isinstance(points[0], list):
        return [[at, "NaN"] for at, _ in points]
    return [points[0], "NaN"]


def ahead(answer: Answer) -> Answer:
    """As a replica would say it whose clock is APART_SECONDS ahead: the same values, with its own times."""

    def moved(series: Answer) -> Answer:
        found = dict(series)
        if "values" in series:
            found["values"] = [[at + APART_SECONDS, value] for at, value in series["values"]]
        if "value" in series:
            found["value"] = [series["value"][0] + APART_SECONDS, series["value"][1]]
        return found

    return {**answer, "data": {**answer["data"], "result": [moved(one) for one in answer["data"]["result"]]}}


WAYS: dict[str, Callable[[Answer], Answer] | None] = {
    "not": untouched,
    "slow": untouched,
    "unavailable": None,
    "partial": partial,
    "empty": empty,
    "nan": not_a_number,
    "replicas": untouched,  # every other turn is the second replica's: see BadStore.ask
}
"""What is done to a good answer; None: there is none."""


class BadStore(ThreadingHTTPServer):
    """upstream: base URL of the real store. slow: seconds that a slow answer takes."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], upstream: str, slow: float = SLOW_SECONDS) -> None:
        super().__init__(address, _Handler)
        self.how = "not"
        self._upstream = upstream.rstrip("/")
        self._slow = slow
        self._numbers = count()
        self._lock = threading.Lock()

    def ask(self, target: str) -> tuple[int, bytes]:
        """Status and body for a question. target: path and query."""
        how = self.how
        if how == "slow":
            time.sleep(self._slow)
        way = WAYS[how]
        if way is None:
            return 503, b"upstream is away"
        with self._lock:
            second = how == "replicas" and next(self._numbers) // TURN % 2 == 1
        if second:
            way, target = ahead, _earlier(target)
        try:
            with urllib.request.urlopen(self._upstream + target, timeout=UPSTREAM_SECONDS) as real:  # noqa: S310 - Prometheus
                status, body = real.status, real.read()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read()
        except OSError as failed:
            return 502, str(failed).encode()
        return status, json.dumps(way(json.loads(body))).encode()


def _earlier(target: str) -> str:
    """What the clock that is ahead calls a moment was APART_SECONDS earlier."""
    parts = urlsplit(target)
    query = parse_qs(parts.query)
    if "time" in query:
        query["time"] = [f"{float(query['time'][0]) - APART_SECONDS:.3f}"]
    return f"{parts.path}?{urlencode(query, doseq=True)}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: BadStore

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path == "/spoil":
            status, body = self._told(parse_qs(parts.query))
        else:
            status, body = self.server.ask(self.path)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _told(self, query: dict[str, list[str]]) -> tuple[int, bytes]:
        for how in query.get("how", ()):
            if how not in WAYS:
                return 400, f"{how} is none of {', '.join(WAYS)}".encode()
            self.server.how = how
        return 200, self.server.how.encode()

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: it is asked several times a second."""


if __name__ == "__main__":
    BadStore(("0.0.0.0", PORT), sys.argv[1]).serve_forever()  # noqa: S104 - its pod's own address
