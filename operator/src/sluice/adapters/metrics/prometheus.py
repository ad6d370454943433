"""How is Prometheus asked? Its HTTP API through prometheus-api-client, in a few threads, each question bounded.

A stored answer is only used if Prometheus stands by all of it: a warning about a remote store that did not answer is an
outage here, not data. There are no hidden retries: the poller asks again a second later.
"""

import asyncio
import json
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import requests
import urllib3
from prometheus_api_client.prometheus_connect import PrometheusConnect  # not the package: that offers pandas too
from urllib3.util.retry import Retry

from sluice.adapters.metrics import access as access_files
from sluice.core.metrics import Series
from sluice.ports import ProviderError, QueryError

DEFAULT_TIMEOUT: Final = 3.0
"""Seconds for one question, from the connection to the last byte."""
IN_FLIGHT: Final = 4
"""Most questions under way at once; one more is refused rather than queued behind a store that hangs."""
_LARGEST: Final = 64 * 1024 * 1024
"""Bytes of one answer; more is an outage of its own."""
_PIECE: Final = 64 * 1024
_REFUSALS: Final = (400, 422)
"""Bad data and an expression that cannot be executed: the same question fails again."""
_WARNED: Final = re.compile(rb'"warnings"\s*:\s*\[\s*"|"isPartial"\s*:\s*true')
"""Only as a key of the answer: inside a string JSON puts a backslash before the quotes."""


class _Session(requests.Session):
    """Reads a whole answer within a deadline and a size, and looks at the parts that the client library leaves out."""

    def __init__(self, timeout: float) -> None:
        super().__init__()
        self._seconds = timeout
        self.trust_env = False  # the store is the cluster's own: no proxy, no netrc
        self.headers["Accept-Encoding"] = "identity"  # inside a cluster compressing costs more than it saves

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        deadline = time.monotonic() + self._seconds
        response = super().request(*args, **{**kwargs, "stream": True})
        pieces, size = [], 0
        with response:
            # read1 returns what has arrived, so that the deadline also ends an answer that trickles
            while piece := response.raw.read1(_PIECE, decode_content=True):
                pieces.append(piece)
                size += len(piece)
                if time.monotonic() > deadline:
                    raise ProviderError(f"Prometheus' answer took longer than {self._seconds:g}s")
                if size > _LARGEST:
                    raise ProviderError(f"Prometheus' answer is larger than {_LARGEST} bytes")
        response._content = b"".join(pieces)  # where requests itself puts what it has read
        _accept(response)
        return response


def _accept(response: requests.Response) -> None:
    """Raises QueryError or ProviderError for an answer that cannot be used as a whole."""
    if response.status_code in _REFUSALS:
        raise QueryError(f"Prometheus refuses the query: {_words(response)}")
    if response.status_code != requests.codes.ok:
        raise ProviderError(f"Prometheus answered {response.status_code}: {_words(response)}")
    if not _WARNED.search(response.content):
        return
    warnings = [str(w) for w in response.json().get("warnings", ())]
    about_query = [w for w in warnings if w.startswith("PromQL warning")]
    if about_query and len(about_query) == len(warnings):
        raise QueryError(f"Prometheus warns: {'; '.join(about_query)[:500]}")
    raise ProviderError(f"Prometheus' answer is not complete: {'; '.join(warnings)[:500] or 'isPartial'}")


def _words(response: requests.Response) -> str:
    """Prometheus' own explanation, or the beginning of whatever a proxy said instead."""
    try:
        return str(response.json()["error"])[:500]
    except (ValueError, KeyError, TypeError):
        return response.text[:200] or "no explanation"


class PrometheusSource:
    """A MetricSource over the HTTP API of Prometheus or of a store that speaks it.

    url: base address, e.g. http://prometheus.monitoring:9090. timeout: seconds for one question. access: folder with
    what it is shown (see access.py), looked at before each question; None: nothing.
    """

    def __init__(
        self,
        url: str,
        timeout: float = DEFAULT_TIMEOUT,
        access: Path | None = None,
    ) -> None:
        self._url = url.rstrip("/")
        self._timeout = timeout
        self._folder = access
        self._stamp: access_files.Stamp = ()
        self._threads = ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="prometheus")
        self._busy = threading.BoundedSemaphore(IN_FLIGHT)
        self._connecting = threading.Lock()
        self._client: PrometheusConnect | None = None

    async def query(self, promql: str, at: datetime | None = None) -> tuple[Series, ...]:
        """See ports.MetricSource. Takes at most `timeout` seconds; raises ProviderError, QueryError."""
        if not self._busy.acquire(blocking=False):
            raise ProviderError(f"{IN_FLIGHT} earlier questions to {self._url} are still not answered")
        # partial_response is Thanos': an answer of some of its stores is no answer; others ignore it
        params = {"timeout": f"{self._timeout:g}s", "partial_response": "false"}
        if at is not None:
            params["time"] = f"{at.timestamp():.3f}"
        future = asyncio.get_running_loop().run_in_executor(self._threads, self._ask, promql, params)
        future.add_done_callback(lambda done: done.cancelled() or done.exception())  # also if nobody waits any more
        try:
            # A little later than the thread's own limits, whose words are better. Not wait_for: in Python 3.11 that
            # swallows a cancellation that comes together with the answer, and the poller would never end.
            async with asyncio.timeout(1.2 * self._timeout):
                return await asyncio.shield(future)
        except TimeoutError as error:
            raise ProviderError(f"{self._url} did not answer within {self._timeout:g}s") from error

    def close(self) -> None:
        """Ends the connections; questions under way end by their own timeout."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._client is not None:
            self._client.close()

    def _ask(self, promql: str, params: dict[str, str]) -> tuple[Series, ...]:
        try:
            return parse(self._connect().custom_query(promql, params=params))
        except (requests.exceptions.InvalidHeader, UnicodeError) as error:  # whose words would quote the header
            raise ProviderError(f"{self._url} was not asked: {type(error).__name__} in what it is shown") from None
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise ProviderError(f"{self._url} did not answer: {_cause(error)}") from error
        except (KeyError, TypeError, ValueError, json.JSONDecodeError) as error:
            raise ProviderError(f"{self._url} gave an answer that is none of Prometheus': {error!r}"[:500]) from error
        finally:
            self._busy.release()

    def _connect(self) -> PrometheusConnect:
        with self._connecting:
            stamp = access_files.stamp(self._folder)
            if self._client is None or stamp != self._stamp:
                shown = access_files.read(self._folder)
                session = _Session(self._timeout)
                session.verify, session.cert = shown.verify, shown.cert
                # the client before is dropped, not closed: questions of other threads may be under way on it
                self._client = PrometheusConnect(
                    self._url,
                    headers=dict(shown.headers),
                    auth=shown.auth,
                    retry=Retry(total=0),
                    session=session,
                    timeout=(self._timeout, self._timeout),
                )
                self._stamp = stamp
            return self._client


def _cause(error: BaseException) -> str:
    """The innermost reason of urllib3's nested messages."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return str(error)[:300] or type(error).__name__


def parse(result: Any) -> tuple[Series, ...]:
    """The `data.result` of an instant query: a matrix, a vector or a scalar.

    Raises QueryError for values that are no numbers, KeyError, TypeError or ValueError for anything malformed.
    """
    if result and not isinstance(result[0], dict):
        return (Series({}, (_point(result),)),)
    return tuple(_series(entry) for entry in result)


def _series(entry: dict[str, Any]) -> Series:
    if "values" in entry:
        return Series(entry["metric"], tuple(_point(p) for p in entry["values"]))
    if "value" in entry:
        return Series(entry["metric"], (_point(entry["value"]),))
    if "histogram" in entry or "histograms" in entry:
        name = entry["metric"].get("__name__", "the query")
        raise QueryError(f"{name} is a native histogram, not a number: take a part of it, e.g. histogram_count(...)")
    raise ValueError(f"neither value nor values in {sorted(entry)}")


def _point(pair: Any) -> tuple[float, float]:
    when, value = pair
    return float(when), float(value)
