"""Two ways to ask the application in this process: as an ASGI server does, and by the bytes of HTTP."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import httptools
import orjson
import pytest
import uvicorn
from uvicorn.server import ServerState

from sluice_model_server.app import ModelApp
from sluice_model_server.faults import FaultPlan, Faults
from sluice_model_server.guard import Guard
from sluice_model_server.lifecycle import Lifecycle
from sluice_model_server.load import ServedModel
from sluice_model_server.metrics import Metrics
from sluice_model_server.settings import Settings
from sluice_model_server.whole import WholeProtocol
from specs.flights import flights
from specs.models import data, environment, matrix, packed, served

__all__ = ["data", "environment", "flights", "matrix", "packed", "served"]


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[bytes, bytes]
    content: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.content)


Way = Literal["task", "whole"]


class Wire(asyncio.Transport):
    """A connection without a socket.

    writes: what was sent, as it was handed over. answers: what a client makes of it.
    """

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)})
        self.writes: list[bytes] = []
        self.answers: asyncio.Queue[Answer] = asyncio.Queue()
        self.closed = False
        self.reading = True
        self._parser = httptools.HttpResponseParser(self)

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.writes.append(bytes(data))
        self._parser.feed_data(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def on_message_begin(self) -> None:
        self._headers: dict[bytes, bytes] = {}
        self._content = b""

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name] = value

    def on_body(self, body: bytes) -> None:
        self._content += body

    def on_message_complete(self) -> None:
        self.answers.put_nowait(Answer(self._parser.get_status_code(), self._headers, self._content))


class Connection:
    """A client's connection to the real protocol and application."""

    def __init__(self, app: ModelApp) -> None:
        self.wire, self.state = Wire(), ServerState()
        config = uvicorn.Config(app, http=WholeProtocol, ws="none", lifespan="off", log_config=None, access_log=False)
        self.protocol = WholeProtocol(config, self.state, {}, asyncio.get_running_loop())
        self.protocol.connection_made(self.wire)

    def send(self, data: bytes) -> None:
        self.protocol.data_received(data)

    async def answer(self) -> Answer:
        return await asyncio.wait_for(self.wire.answers.get(), 10)


def http_request(
    method: str, path: str, content: bytes, headers: tuple[tuple[bytes, bytes], ...] = (), version: str = "1.1"
) -> bytes:
    lines = [
        f"{method} {path} HTTP/{version}".encode(),
        *(b": ".join(header) for header in headers),
        b"content-length: %d" % len(content),
    ]
    return b"\r\n".join([*lines, b"", content])


class Client:
    """Asks a real application without a socket.

    way: `task` as an ASGI server does, with a body in two pieces; `whole` through the server's protocol, in one.
    """

    def __init__(self, app: ModelApp, lifecycle: Lifecycle, way: Way) -> None:
        self.app = app
        self.lifecycle = lifecycle
        self.way = way

    async def ask(
        self, method: str, path: str, body: Any = b"", headers: tuple[tuple[bytes, bytes], ...] = ()
    ) -> Answer:
        content = body if isinstance(body, bytes) else orjson.dumps(body)
        if self.way == "whole":
            connection = Connection(self.app)
            connection.send(http_request(method, path, content, headers))
            return await connection.answer()
        # In two pieces, as a body larger than one read arrives.
        pieces = [content[: len(content) // 2], content[len(content) // 2 :]]
        messages = [
            {"type": "http.request", "body": piece, "more_body": number == 0} for number, piece in enumerate(pieces)
        ]
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return messages.pop(0) if messages else {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        lengths = ((b"content-length", str(len(content)).encode()),)
        scope = {"type": "http", "method": method, "path": path, "headers": [*headers, *lengths]}
        await self.app(scope, receive, send)
        return Answer(sent[0]["status"], dict(sent[0]["headers"]), b"".join(part["body"] for part in sent[1:]))

    async def infer(self, body: Any, name: str = "delay", **more: Any) -> Answer:
        return await self.ask("POST", f"/v2/models/{name}/infer", body, **more)

    async def metric(self, line: str) -> float:
        """The value of the series that starts with `line`."""
        text = (await self.ask("GET", "/metrics")).content.decode()
        (value,) = (entry.rsplit(" ", 1)[1] for entry in text.splitlines() if entry.rsplit(" ", 1)[0] == line)
        return float(value)


@pytest.fixture(params=["task", "whole"])
def way(request: pytest.FixtureRequest) -> Way:
    return request.param


by_task = pytest.mark.parametrize("way", ["task"], indirect=True)
by_whole = pytest.mark.parametrize("way", ["whole"], indirect=True)


@pytest.fixture
def client(served: Callable[[str], ServedModel], way: Way) -> Callable[..., Client]:
    """Makes a client of a fresh application, given a model or its name, faults and settings."""

    def make(model: str | ServedModel = "linear", *, faults: FaultPlan | None = None, **settings: Any) -> Client:
        configured = Settings(**settings)
        metrics, lifecycle = Metrics(), Lifecycle()
        loaded = served(model) if isinstance(model, str) else model
        manifest = loaded.manifest
        metrics.model(name=manifest.name, version=manifest.version, digest=loaded.digest, format=manifest.format)
        lifecycle.probed()
        plan = Faults(faults or FaultPlan(), background_error_share=configured.background_error_share, host="pod")
        guard = Guard(configured.token_file) if configured.token_file else None
        return Client(ModelApp(loaded, configured, metrics, lifecycle, plan, guard), lifecycle, way)

    return make
