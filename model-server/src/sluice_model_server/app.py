"""The ASGI application: which path asks for what, and how is it answered and counted?"""

import asyncio
import itertools
import os
import time
import uuid
from collections.abc import Awaitable, Callable, Collection, Mapping, MutableMapping
from typing import Any

import orjson
import structlog

from sluice_model_server import answers, docs_page, openapi, v2_response
from sluice_model_server.admission import Admission
from sluice_model_server.answers import Answer
from sluice_model_server.batching import Batcher
from sluice_model_server.binary import LENGTH_HEADER
from sluice_model_server.body import read_body
from sluice_model_server.errors import RequestError
from sluice_model_server.faults import Faults
from sluice_model_server.guard import Guard
from sluice_model_server.lifecycle import Lifecycle
from sluice_model_server.load import ServedModel
from sluice_model_server.logs import where
from sluice_model_server.metrics import CONTENT_TYPE, Metrics
from sluice_model_server.names import REQUEST_ID_HEADER, REVISION_HEADER
from sluice_model_server.predictor import Matrix, Prediction
from sluice_model_server.settings import Settings
from sluice_model_server.v2_request import parse_request

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

Headers = Mapping[bytes, bytes]

_METRICS = ((b"content-type", CONTENT_TYPE),)
_HTML = ((b"content-type", b"text/html; charset=utf-8"),)
_log = structlog.get_logger()


class ModelApp:
    """Answers the Open Inference Protocol V2 (REST) for one model, and /metrics.

    model: None while there is none: live, not ready, inference answered 503. guard: None lets everybody ask; health and
    metrics are open to everybody in any case, as the kubelet and Prometheus ask without a token. known: see Batcher.
    """

    def __init__(
        self,
        model: ServedModel | None,
        settings: Settings,
        metrics: Metrics,
        lifecycle: Lifecycle,
        faults: Faults,
        guard: Guard | None = None,
        known: Collection[object] = (),
    ) -> None:
        self._model = model
        self._settings = settings
        self._metrics = metrics
        self._lifecycle = lifecycle
        self._faults = faults
        self._guard = guard
        self._admission = Admission(settings.max_in_flight, settings.request_seconds)
        # One random part per process: a random number per request would be a system call each.
        self._id_of_process, self._numbers = uuid.uuid4().hex, itertools.count()
        self._own_revision = settings.revision.encode()
        self._infer_paths: frozenset[str] = frozenset()
        self._open_pages: dict[str, Callable[[], Answer]] = {
            "/v2/health/live": lambda: Answer(200, b'{"live":true}'),
            "/v2/health/ready": self._ready,
            "/metrics": lambda: Answer(200, metrics.render(), _METRICS),
        }
        self._pages: dict[str, Callable[[], Answer]] = {"/v2": lambda: Answer(200, v2_response.server_metadata())}
        if model is not None:
            observer = metrics.watch(model.profile, model.predictor.classes)

            def predict(rows: Matrix) -> Prediction:
                metrics.predicted(len(rows))
                prediction = model.predictor.predict(rows)
                observer.observe(rows, prediction)
                return prediction

            self._batcher = Batcher(predict, wait_seconds=settings.batch_wait_seconds, known=known)
            self._observer = observer
            self._add_pages_of(model)

    def _add_pages_of(self, model: ServedModel) -> None:
        bases = openapi.model_paths(model.manifest.name, model.manifest.version)
        self._infer_paths = frozenset(f"{base}/infer" for base in bases)
        metadata = Answer(200, v2_response.model_metadata(model))
        document = openapi.document(model, guarded=self._guard is not None)
        described = Answer(200, orjson.dumps(document))
        page = Answer(200, docs_page.page(document), _HTML)
        self._pages |= {"/openapi.json": lambda: described, "/docs": lambda: page}
        for base in bases:
            self._pages[base] = lambda: metadata
            self._open_pages[f"{base}/ready"] = self._ready

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
            self._check(headers)
            page = self._pages.get(path)
        if page is None:
            return answers.only("POST", path) if path.endswith("/infer") else answers.failure(404, self._unknown(path))
        return page() if method in {"GET", "HEAD"} else answers.only("GET, HEAD", path)

    def _check(self, headers: Headers) -> None:
        if self._guard is not None:
            self._guard.check(headers.get(b"authorization", b""))

    def _ready(self) -> Answer:
        if self._lifecycle.ready:
            return Answer(200, b'{"ready":true}')
        return Answer(503, b'{"ready":false}')

    def _unknown(self, path: str) -> str:
        served = f"the model served here is {self._model.manifest.name}" if self._model else "no model is loaded yet"
        return f"{path[:200]} is not known; {served}"

    async def _infer(self, path: str, headers: Headers, receive: Receive, send: Send) -> None:
        self._metrics.started()
        started = time.perf_counter()
        body: bytes | None = None
        try:
            try:
                if self._guard is not None:
                    self._check(headers)
                task = self._admission.enter()
                try:
                    body = await read_body(headers, receive, self._settings.max_body_bytes)
                    started = time.perf_counter()  # a slow upload is the client's time, not the model's
                    answer = await self._answer(path, body, headers)
                except asyncio.CancelledError:
                    if not self._admission.broken_off(task):
                        raise
                    answer = answers.refused(self._admission.too_late(whole=body is not None))
                finally:
                    self._admission.leave(task)
            except RequestError as error:
                answer = answers.refused(error)
        except (ConnectionResetError, asyncio.CancelledError) as error:
            self._metrics.abandoned()
            if isinstance(error, asyncio.CancelledError):
                raise
            return
        # Counted before it is sent: whoever has the answer finds it in the next scrape.
        seconds = time.perf_counter() - started
        revision = headers.get(REVISION_HEADER)
        mirrored = bool(revision and self._own_revision) and revision != self._own_revision
        self._metrics.answered(answer.status, seconds, mirrored=mirrored)
        if self._settings.log_requests:
            identity = headers.get(REQUEST_ID_HEADER, b"").decode("latin-1")
            _log.info("answered", status=answer.status, seconds=round(seconds, 6), bytes=len(body or b""), id=identity)
        await self._send(send, answer)
        if self._faults.active and self._faults.must_exit(mirrored=mirrored):
            _log.error("exiting as the fault plan demands", exit_status=1)
            # uvloop writes at the end of the loop's turn: exiting now would lose this answer. The next turn begins with
            # what is scheduled here, before any request that arrives meanwhile.
            asyncio.get_running_loop().call_soon(os._exit, 1)

    async def _answer(self, path: str, body: bytes, headers: Headers) -> Answer:
        model = self._model
        if model is None:
            raise RequestError(503, "no model is loaded yet")
        if path not in self._infer_paths:
            raise RequestError(404, self._unknown(path))
        request = parse_request(
            body, model.predictor, json_length=headers.get(LENGTH_HEADER), max_rows=self._settings.max_rows
        )
        if self._faults.active:
            if delay := self._faults.delay():
                await asyncio.sleep(delay)
            if self._faults.fails():
                self._observer.observe(request.rows, None)
                return answers.failure(500, "failed on purpose: SLUICE_MODEL_FAULTS is set")
        try:
            prediction = await self._batcher.answer(request.rows)
        except Exception as error:  # the model's failure, whatever it is, is a 500 and not our end
            self._observer.observe(request.rows, None)
            _log.error("the model failed on a request", error_type=type(error).__name__, where=where(error))
            return answers.failure(500, f"the model failed on this request ({type(error).__name__})")
        request_id = (
            request.id
            or headers.get(REQUEST_ID_HEADER, b"").decode("latin-1")
            or f"{self._id_of_process}-{next(self._numbers):x}"
        )
        return answers.inference(*v2_response.inference(model, request_id, prediction, request.outputs))

    async def _send(self, send: Send, answer: Answer) -> None:
        sent = [*answer.headers, (b"content-length", b"%d" % len(answer.content))]
        if self._lifecycle.draining and (b"connection", b"close") not in sent:
            sent.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": answer.status, "headers": sent})
        await send({"type": "http.response.body", "body": answer.content})
