"""Inference requests that arrive whole are answered without a task of the event loop.

Nearly all do: a row is a few hundred bytes, read together with its head. A task, its context, a future and the wake-ups
between them take a third of the time of such a request, and it has nothing to wait for but its batch. All others, and
all other paths, are the ASGI application's.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from sluice_model_server import answers
from sluice_model_server.answers import CLOSE, Answer
from sluice_model_server.app import ModelApp
from sluice_model_server.body import check_head, check_size
from sluice_model_server.errors import RequestError
from sluice_model_server.inference import Headers, Inference
from sluice_model_server.predictor import Prediction


class WholeRequest:
    """One of them. It stands in a batch as a future would.

    reply: sends its answer.
    """

    __slots__ = ("_headers", "_inference", "_over", "_reply", "_request", "_size", "_started")

    def __init__(
        self, inference: Inference, path: str, headers: Headers, body: bytes, reply: Callable[[Answer], None]
    ) -> None:
        """Asks the model, or replies with why not."""
        self._inference = inference
        self._headers = headers
        self._reply = reply
        self._size = len(body)
        self._over = False
        self._started = inference.started()
        try:
            inference.check(headers)
            inference.admission.enter(self)
            check_head(headers, inference.max_body_bytes)
            check_size(self._size, inference.max_body_bytes)
            self._request = inference.parse(path, body, headers)
        except RequestError as error:
            self._finish(answers.refused(error))
            return
        except Exception as error:  # a mistake of ours ends this request, not its connection
            self._finish(inference.mistake(error))
            return
        inference.batcher.add(self._request.rows, self)

    def done(self) -> bool:
        """Whether it has its answer."""
        return self._over

    def set_result(self, prediction: Prediction) -> None:
        """Replies with the model's answer."""
        try:
            answer = self._inference.answered(self._request, prediction, self._headers)
        except Exception as error:  # an answer that cannot be written ends this request, not its batch
            answer = self._inference.mistake(error)
        self._finish(answer)

    def set_exception(self, error: Exception) -> None:
        """Replies that the model failed."""
        self._finish(self._inference.failed(self._request, error))

    def cancel(self) -> None:
        """Replies that it took too long."""
        self._finish(answers.refused(self._inference.admission.too_late(whole=True)))

    def _finish(self, answer: Answer) -> None:
        self._over = True
        self._inference.admission.leave(self)
        self._inference.finished(answer, self._headers, self._started, self._size)
        self._reply(answer)


class WholeProtocol(HttpToolsProtocol):
    """uvicorn's protocol for a ModelApp."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        if not isinstance(config.app, ModelApp):
            raise TypeError(f"{type(config.app).__name__} is no ModelApp")
        self._model_app = config.app
        self._paths = self._model_app.whole_paths
        self._reading = False
        self._held: RequestResponseCycle | None = None

    def data_received(self, data: bytes) -> None:
        """What one read brought. A request that it completes is answered without a task."""
        self._reading = True
        try:
            super().data_received(data)
        finally:
            self._reading = False
            cycle, self._held = self._held, None
        if cycle is None:
            return
        if cycle.more_body or self.flow.write_paused or self.transport.is_closing():
            super()._start_asgi_task(cycle, self.app)
            return
        path, headers = cycle.scope["path"], dict(cycle.scope["headers"])
        body, cycle.body = bytes(cycle.body), bytearray()  # the cycle is kept as long as its connection idles
        WholeRequest(self._model_app.inference, path, headers, body, partial(self._reply, cycle))

    def on_headers_complete(self) -> None:
        """What the head says is all that counts."""
        # Trailers of a chunked body are told by the same call as headers: they go where nobody looks.
        self.scope["headers"] = self.headers.copy()
        super().on_headers_complete()
        # The parser takes what follows such a head for another protocol, and the body for the next request.
        if self.parser.should_upgrade():
            self.cycle.keep_alive = False

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        # uvicorn asks at the end of the head; a little later, when all that was read is parsed, more is known.
        held = (
            self._reading
            and app is self.app
            and cycle.scope["path"] in self._paths
            and cycle.scope["method"] == "POST"
            and not cycle.waiting_for_100_continue
        )
        if held:
            self._held = cycle
        else:
            super()._start_asgi_task(cycle, app)

    def _reply(self, cycle: RequestResponseCycle, answer: Answer) -> None:
        """Head and body in one write. No header holds what a client sent, so none is looked through."""
        if cycle.disconnected or self.transport.is_closing():
            return
        headers = self._model_app.headers_of(answer)
        parts = [STATUS_LINE[answer.status]]
        for name, value in (*self.server_state.default_headers, *headers):
            parts += (name, b": ", value, b"\r\n")
        if CLOSE in headers:
            cycle.keep_alive = False
        elif not cycle.keep_alive:
            parts.append(b"connection: close\r\n")
        parts += (b"\r\n", answer.content)
        self.transport.write(b"".join(parts))
        cycle.response_started = cycle.response_complete = True
        cycle.on_response = _nothing  # as uvicorn does when a task ends: no circle of references is left
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()


def _nothing() -> None:
    """Called by nobody."""
