"""What the store that answers badly makes of a real one's answers, over HTTP on loopback."""

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from sluice_dev.scene.bad_answers import APART_SECONDS, TURN, WAYS, BadStore

UP = {"metric": {"__name__": "up", "pod": "a"}, "values": [[10.0, "1"], [12.0, "1"]]}
COUNTER = {"metric": {"__name__": "requests", "pod": "a"}, "values": [[10.0, "7"], [12.0, "9"]]}
SLOW = 0.05


class Real(ThreadingHTTPServer):
    """Knows one `up` and one counter, refuses the query `(`, and remembers the times that it was asked for."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.times: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    server: Real

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        self.server.times += query.get("time", [])
        refused = query["query"] == ["("]
        self.send_response(400 if refused else 200)
        self.end_headers()
        answer = {"error": "parse error"} if refused else {"status": "success", "data": {"result": [UP, COUNTER]}}
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


@pytest.fixture
def real() -> Iterator[Real]:
    server = Real()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def store(real: Real) -> Iterator[BadStore]:
    server = BadStore(("127.0.0.1", 0), f"http://127.0.0.1:{real.server_port}", slow=SLOW)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def get(store: BadStore, target: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{store.server_port}{target}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


def asked(store: BadStore, how: str, more: str = "") -> dict[str, Any]:
    """A good answer's `data` and warnings, spoilt so."""
    assert get(store, f"/spoil?how={how}") == (200, how)
    status, body = get(store, f"/api/v1/query?query=x{more}")
    assert status == 200
    found: dict[str, Any] = json.loads(body)
    return found


def values(answer: dict[str, Any]) -> list[list[list[Any]]]:
    return [series["values"] for series in answer["data"]["result"]]


def test_it_passes_on_what_it_is_not_told_to_spoil(store: BadStore) -> None:
    assert get(store, "/spoil") == (200, "not")
    assert values(asked(store, "not")) == [UP["values"], COUNTER["values"]]


def test_a_refusal_of_the_real_one_is_passed_on(store: BadStore) -> None:
    assert get(store, "/api/v1/query?query=(") == (400, '{"error": "parse error"}')


def test_slow_is_late_and_right(store: BadStore) -> None:
    started = time.monotonic()
    assert values(asked(store, "slow")) == [UP["values"], COUNTER["values"]]
    assert time.monotonic() - started >= SLOW


def test_unavailable_is_a_503(store: BadStore) -> None:
    get(store, "/spoil?how=unavailable")
    assert get(store, "/api/v1/query?query=x")[0] == 503


def test_partial_looks_whole_but_for_a_warning(store: BadStore) -> None:
    answer = asked(store, "partial")
    assert answer["warnings"] == ["remote read: store-2 did not answer"]
    assert values(answer) == [UP["values"], COUNTER["values"]]


def test_empty_knows_nothing(store: BadStore) -> None:
    assert asked(store, "empty")["data"]["result"] == []


def test_nan_is_in_counters_only(store: BadStore) -> None:
    assert values(asked(store, "nan")) == [UP["values"], [[10.0, "NaN"], [12.0, "NaN"]]]


def test_two_replicas_answer_in_turns_with_the_same_values_at_other_times(store: BadStore, real: Real) -> None:
    answers = [values(asked(store, "replicas", "&time=100.5"))[1] for _ in range(2 * TURN)]
    moved = [[at + APART_SECONDS, value] for at, value in COUNTER["values"]]
    assert answers == [COUNTER["values"]] * TURN + [moved] * TURN
    assert real.times == ["100.5"] * TURN + ["93.500"] * TURN


def test_a_way_that_is_none_is_refused_and_changes_nothing(store: BadStore) -> None:
    status, words = get(store, "/spoil?how=sometimes")
    assert status == 400
    assert all(way in words for way in WAYS)
    assert store.how == "not"
