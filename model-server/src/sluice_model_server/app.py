"""The ASGI application: which path asks for what, and how is it answered and counted?"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import orjson
import structlog

from sluice_model_server import answers, docs_page, openapi, v2_response
from sluice_model_server.answers import CLOSE, Answer
from sluice_model_server.body import read_body
from sluice_model_server.errors import RequestError
from sluice_model_server.faults import Faults
from sluice_model_server.guard import Guard
from sluice_model_server.inference import Headers, Inference
from sluice_model_server.lifecycle import Lifecycle
from sluice_model_server.load import ServedModel
from sluice_model_server.metrics import CONTENT_TYPE, Metrics
from sluice_model_server.settings import Settings

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_METRICS = ((b"content-type", CONTENT_TYPE),)
_HTML = ((b"content-type", b"text/html; charset=utf-8"),)
_log = structlog.get_logger()


class ModelApp:
    """Answers the Open Inference Protocol V2 (REST) for one model, and /metrics.

    guard: None lets everybody ask; health and metrics are open to everybody in any case, as the kubelet and Prometheus
    ask without a token.
    """

    def __init__(
        self,
        model: ServedModel,
        settings: Settings,
        metrics: Metrics,
        lifecycle: Lifecycle,
        faults: Faults,
        guard: Guard | None = None,
    ) -> None:
        bases = openapi.model_paths(model.manifest.name, model.manifest.version)
        self.inference = Inference(model, frozenset(f"{base}/infer" for base in bases), settings, metrics, guard)
        self._lifecycle = lifecycle
        self._faults = faults
        metadata = Answer(200, v2_response.model_metadata(model))
        document = openapi.document(model, guarded=guard is not None)
        described = Answer(200, orjson.dumps(document))
        page = Answer(200, docs_page.page(document), _HTML)
        self._open_pages: dict[str, Callable[[], Answer]] = {
            "/v2/health/live": lambda: Answer(200, b'{"live":true}'),
            "/v2/health/ready": self._ready,
            "/metrics": lambda: Answer(200, metrics.render(), _METRICS),
        }
        self._pages: dict[str, Callable[[], Answer]] = {
            "/v2": lambda: Answer(200, v2_response.server_metadata()),
            "/openapi.json": lambda: described,
            "/docs": lambda: page,
        }
        for base in bases:
            self._pages[base] = lambda: metadata
            self._open_pages[f"{base}/ready"] = self._ready

    @property
    def whole_paths(self) -> frozenset[str]:
        """Where a request may be answered without a task: nowhere under a fault plan, which delays some."""
        return frozenset() if self._faults.active else self.inference.paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One HTTP request (ASGI 3)."""
        if scope["type"] != "http":
            raise RuntimeError(f"only HTTP is served, not {scope['type']}")
        path, method = scope["path"], scope["method"]
        headers = dict(scope["headers"])
        if path.endswith("/infer") and method == "POST":
            await self._infer(path, headers, receive, send)
            return
        try:
            answer = self._page(path, method, headers)
        except RequestError as error:
            answer = answers.refused(error)
        await self._send(send, answer)

    def _page(self, path: str, method: str, headers: Headers) -> Answer:
        page = self._open_pages.get(path)
        if page is None:
            self.inference.check(headers)
            page = self._pages.get(path)
        if page is None:
            if path.endswith("/infer"):
                return answers.only("POST", path)
            return answers.failure(404, self.inference.unknown(path))
        return page() if method in {"GET", "HEAD"} else answers.only("GET, HEAD", path)

    def _ready(self) -> Answer:
        if self._lifecycle.ready:
            return Answer(200, b'{"ready":true}')
        return Answer(503, b'{"ready":false}')

    async def _infer(self, path: str, headers: Headers, receive: Receive, send: Send) -> None:
        inference, admission = self.inference, self.inference.admission
        started = inference.started()
        body: bytes | None = None
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("an ASGI application runs in a task of its event loop")
        try:
            try:
                inference.check(headers)
                admission.enter(task)
                try:
                    body = await read_body(headers, receive, inference.max_body_bytes)
                    started = time.perf_counter()  # a slow upload is the client's time, not the model's
                    answer = await self._answer(path, body, headers)
                except asyncio.CancelledError:
                    if not admission.broken_off(task):
                        raise
                    answer = answers.refused(admission.too_late(whole=body is not None))
                finally:
                    admission.leave(task)
            except RequestError as error:
                answer = answers.refused(error)
            except ConnectionResetError:
                raise
            except Exception as error:  # a mistake of ours ends this request, and is counted
                answer = inference.mistake(error)
        except (ConnectionResetError, asyncio.CancelledError) as error:
            inference.abandoned()
            if isinstance(error, asyncio.CancelledError):
                raise
            return
        mirrored = inference.finished(answer, headers, started, len(body or b""))
        await self._send(send, answer)
        if self._faults.active and self._faults.must_exit(mirrored=mirrored):
            _log.error("exiting as the fault plan demands", exit_status=1)
            # uvloop writes at the end of the loop's turn: exiting now would lose this answer. The next turn begins with
            # what is scheduled here, before any request that arrives meanwhile.
            asyncio.get_running_loop().call_soon(os._exit, 1)

    async def _answer(self, path: str, body: bytes, headers: Headers) -> Answer:
        inference = self.inference
        request = inference.parse(path, body, headers)
        if self._faults.active:
            if delay := self._faults.delay():
                await asyncio.sleep(delay)
            if self._faults.fails():
                return inference.failed_on_purpose(request)
        try:
            prediction = await inference.batcher.ask(request.rows)
        except Exception as error:  # the model's failure, whatever it is, is a 500 and not our end
            return inference.failed(request, error)
        return inference.answered(request, prediction, headers)

    def headers_of(self, answer: Answer) -> list[tuple[bytes, bytes]]:
        """All headers to send with it: with its length, and with an end of the connection while the server drains."""
        headers = [*answer.headers, (b"content-length", b"%d" % len(answer.content))]
        if self._lifecycle.draining and CLOSE not in headers:
            headers.append(CLOSE)
        return headers

    async def _send(self, send: Send, answer: Answer) -> None:
        await send({"type": "http.response.start", "status": answer.status, "headers": self.headers_of(answer)})
        await send({"type": "http.response.body", "body": answer.content})
