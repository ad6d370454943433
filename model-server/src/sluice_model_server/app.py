"""The ASGI application: which path asks for what, and how is it answered and counted?"""

import asyncio
import os
import time
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import structlog

from sluice_model_server import v2_response
from sluice_model_server.body import read_body
from sluice_model_server.errors import RequestError
from sluice_model_server.faults import Faults
from sluice_model_server.lifecycle import Lifecycle
from sluice_model_server.load import ServedModel
from sluice_model_server.logs import where
from sluice_model_server.metrics import CONTENT_TYPE, Metrics
from sluice_model_server.names import REQUEST_ID_HEADER, REVISION_HEADER
from sluice_model_server.settings import Settings
from sluice_model_server.v2_request import parse_request

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_JSON = b"application/json"
_log = structlog.get_logger()


class ModelApp:
    """Answers the Open Inference Protocol V2 (REST) for one model, and /metrics.

    model: None while there is none: live, not ready, inference answered 503.
    """

    def __init__(
        self, model: ServedModel | None, settings: Settings, metrics: Metrics, lifecycle: Lifecycle, faults: Faults
    ) -> None:
        self._model = model
        self._settings = settings
        self._metrics = metrics
        self._lifecycle = lifecycle
        self._faults = faults
        self._own_revision = settings.revision.encode()
        self._infer_paths: frozenset[str] = frozenset()
        self._pages: dict[str, Callable[[], tuple[int, bytes, bytes]]] = {
            "/v2": lambda: (200, v2_response.server_metadata(), _JSON),
            "/v2/health/live": lambda: (200, b'{"live":true}', _JSON),
            "/v2/health/ready": self._ready,
            "/metrics": lambda: (200, metrics.render(), CONTENT_TYPE),
        }
        if model is not None:
            self._observer = metrics.watch(model.profile, model.predictor.classes)
            description = v2_response.model_metadata(model)
            name, version = model.manifest.name, model.manifest.version
            bases = (f"/v2/models/{name}", f"/v2/models/{name}/versions/{version}")
            self._infer_paths = frozenset(f"{base}/infer" for base in bases)
            for base in bases:
                self._pages[base] = lambda: (200, description, _JSON)
                self._pages[f"{base}/ready"] = self._ready

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One HTTP request (ASGI 3)."""
        if scope["type"] != "http":
            raise RuntimeError(f"only HTTP is served, not {scope['type']}")
        path, method = scope["path"], scope["method"]
        if path.endswith("/infer") and method == "POST":
            await self._infer(scope, path, receive, send)
            return
        page = self._pages.get(path)
        if page is None:
            status = 405 if path.endswith("/infer") else 404
            message = "inference is POST" if status == 405 else self._unknown(path)
            await self._send(send, status, v2_response.error(message))
        elif method not in {"GET", "HEAD"}:
            await self._send(send, 405, v2_response.error(f"{path} is GET only"))
        else:
            status, content, content_type = page()
            await self._send(send, status, content, content_type)

    def _ready(self) -> tuple[int, bytes, bytes]:
        if self._lifecycle.ready:
            return 200, b'{"ready":true}', _JSON
        return 503, b'{"ready":false}', _JSON

    def _unknown(self, path: str) -> str:
        served = f"the model served here is {self._model.manifest.name}" if self._model else "no model is loaded yet"
        return f"{path[:200]} is not known; {served}"

    async def _infer(self, scope: Scope, path: str, receive: Receive, send: Send) -> None:
        self._metrics.started()
        identity = b""
        revision = b""
        for name, value in scope["headers"]:
            if name == REVISION_HEADER:
                revision = value
            elif name == REQUEST_ID_HEADER:
                identity = value
        started = time.perf_counter()
        try:
            try:
                body = await read_body(scope["headers"], receive, self._settings.max_body_bytes)
                started = time.perf_counter()  # a slow upload is the client's time, not the model's
                status, content = await self._answer(path, body, identity)
            except RequestError as error:
                status, content = error.status, v2_response.error(str(error))
        except (ConnectionResetError, asyncio.CancelledError) as error:
            self._metrics.abandoned()
            if isinstance(error, asyncio.CancelledError):
                raise
            return
        # Counted before it is sent: whoever has the answer finds it in the next scrape.
        mirrored = bool(revision and self._own_revision) and revision != self._own_revision
        self._metrics.answered(status, time.perf_counter() - started, mirrored=mirrored)
        await self._send(send, status, content, unread=status == 413)
        if self._faults.must_exit(mirrored=mirrored):
            _log.error("exiting as the fault plan demands", exit_status=1)
            # uvloop writes at the end of the loop's turn: exiting now would lose this answer. The next turn begins with
            # what is scheduled here, before any request that arrives meanwhile.
            asyncio.get_running_loop().call_soon(os._exit, 1)

    async def _answer(self, path: str, body: bytes, identity: bytes) -> tuple[int, bytes]:
        model = self._model
        if model is None:
            raise RequestError(503, "no model is loaded yet")
        if path not in self._infer_paths:
            raise RequestError(404, self._unknown(path))
        request = parse_request(body, model.predictor)
        if self._faults.active:
            if delay := self._faults.delay():
                await asyncio.sleep(delay)
            if self._faults.fails():
                self._observer.observe(request.rows, None)
                return 500, v2_response.error("failed on purpose: SLUICE_MODEL_FAULTS is set")
        try:
            self._metrics.predicted(len(request.rows))
            prediction = model.predictor.predict(request.rows)
        except Exception as error:  # the model's failure, whatever it is, is a 500 and not our end
            self._observer.observe(request.rows, None)
            _log.error("the model failed on a request", error_type=type(error).__name__, where=where(error))
            return 500, v2_response.error(f"the model failed on this request ({type(error).__name__})")
        self._observer.observe(request.rows, prediction)
        request_id = request.id or identity.decode("latin-1") or uuid.uuid4().hex
        return 200, v2_response.inference(model, request_id, prediction, request.outputs)

    async def _send(
        self, send: Send, status: int, content: bytes, content_type: bytes = _JSON, *, unread: bool = False
    ) -> None:
        headers = [(b"content-type", content_type), (b"content-length", str(len(content)).encode())]
        if unread or self._lifecycle.draining:
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})
