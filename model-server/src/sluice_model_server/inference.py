"""An inference request: what does it ask of the model, what is it answered, and how is it counted?

Two ways lead here: a task of the event loop (app.py), and none for a request that arrived whole (whole.py).
"""

import itertools
import time
import uuid
from collections.abc import Mapping

import structlog

from sluice_model_server import answers, v2_response
from sluice_model_server.admission import Admission
from sluice_model_server.answers import Answer
from sluice_model_server.batching import Batcher
from sluice_model_server.binary import LENGTH_HEADER
from sluice_model_server.errors import RequestError
from sluice_model_server.guard import Guard
from sluice_model_server.load import ServedModel
from sluice_model_server.logs import where
from sluice_model_server.metrics import Metrics
from sluice_model_server.names import REQUEST_ID_HEADER, REVISION_HEADER
from sluice_model_server.predictor import Matrix, Prediction
from sluice_model_server.settings import Settings
from sluice_model_server.v2_request import InferenceRequest, parse_request

Headers = Mapping[bytes, bytes]
"""By lower-case name."""

_log = structlog.get_logger()


class Inference:
    """Requests to one model.

    paths: where it is asked. guard: None lets everybody ask.
    """

    def __init__(
        self, model: ServedModel, paths: frozenset[str], settings: Settings, metrics: Metrics, guard: Guard | None
    ) -> None:
        self.paths = paths
        self.admission = Admission(settings.max_in_flight, settings.request_seconds)
        self.max_body_bytes = settings.max_body_bytes
        self._model = model
        self._guard = guard
        self._max_rows = settings.max_rows
        self._log_requests = settings.log_requests
        self._metrics = metrics
        # One random part per process: a random number per request would be a system call each.
        self._id_of_process, self._numbers = uuid.uuid4().hex, itertools.count()
        self._own_revision = settings.revision.encode()
        self._observer = observer = metrics.watch(model.profile, model.predictor.classes)

        def predict(rows: Matrix) -> Prediction:
            metrics.predicted(len(rows))
            prediction = model.predictor.predict(rows)
            observer.observe(rows, prediction)
            return prediction

        self.batcher = Batcher(predict, wait_seconds=settings.batch_wait_seconds)

    def check(self, headers: Headers) -> None:
        """Raises RequestError(401) for who may not ask."""
        if self._guard is not None:
            self._guard.check(headers.get(b"authorization", b""))

    def unknown(self, path: str) -> str:
        """What to say of a path that leads nowhere."""
        manifest = self._model.manifest
        return (
            f"{path[:200]} is not known; the model served here is {manifest.name}, version {manifest.version}: "
            f"POST /v2/models/{manifest.name}/infer"
        )

    def parse(self, path: str, body: bytes, headers: Headers) -> InferenceRequest:
        """What the body asks. Raises RequestError."""
        if path not in self.paths:
            raise RequestError(404, self.unknown(path))
        json_length = headers.get(LENGTH_HEADER)
        return parse_request(body, self._model.predictor, json_length=json_length, max_rows=self._max_rows)

    def mistake(self, error: Exception) -> Answer:
        """The answer to a request that we made a mistake on. No data: only the error's type is told."""
        _log.error("the server failed on a request", error_type=type(error).__name__, where=where(error))
        return answers.failure(500, f"the server failed on this request ({type(error).__name__})")

    def answered(self, request: InferenceRequest, prediction: Prediction, headers: Headers) -> Answer:
        """The model's answer."""
        request_id = (
            request.id
            or headers.get(REQUEST_ID_HEADER, b"").decode("latin-1")
            or f"{self._id_of_process}-{next(self._numbers):x}"
        )
        return answers.inference(*v2_response.inference(self._model, request_id, prediction, request.outputs))

    def failed(self, request: InferenceRequest, error: Exception) -> Answer:
        """The answer to a request that the model raised on. No data: only the error's type is told.

        A text that the model must know and does not is the client's mistake.
        """
        if (found := self._model.predictor.unknown_text(request.rows)) is not None:
            row, place = found
            return answers.failure(
                400,
                f"inputs: column {self._model.predictor.columns[place].name} in row {row} is a text that the model was "
                "not trained on, and it takes no others",
            )
        self._observer.observe(request.rows, None)
        _log.error("the model failed on a request", error_type=type(error).__name__, where=where(error))
        return answers.failure(500, f"the model failed on this request ({type(error).__name__})")

    def failed_on_purpose(self, request: InferenceRequest) -> Answer:
        """The answer of a fault plan."""
        self._observer.observe(request.rows, None)
        return answers.failure(500, "failed on purpose: SLUICE_MODEL_FAULTS is set")

    def started(self) -> float:
        """Counts a request that begins. Returns now, as `finished` takes it."""
        self._metrics.started()
        return time.perf_counter()

    def abandoned(self) -> None:
        """Counts one whose client left before it was complete."""
        self._metrics.abandoned()

    def finished(self, answer: Answer, headers: Headers, started: float, size: int) -> bool:
        """Counts an answer, before it is sent: whoever has it finds it in the next scrape.

        started: when the whole body was there. size: of the body, bytes. Returns whether the request was a mirrored
        copy.
        """
        seconds = time.perf_counter() - started
        revision = headers.get(REVISION_HEADER)
        mirrored = bool(revision and self._own_revision) and revision != self._own_revision
        self._metrics.answered(answer.status, seconds, mirrored=mirrored)
        if self._log_requests:
            identity = headers.get(REQUEST_ID_HEADER, b"").decode("latin-1")
            _log.info("answered", status=answer.status, seconds=round(seconds, 6), bytes=size, id=identity)
        return mirrored
