"""A way to ask the application in this process."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import orjson
import pytest

from sluice_model_server.app import ModelApp
from sluice_model_server.faults import FaultPlan, Faults
from sluice_model_server.guard import Guard
from sluice_model_server.lifecycle import Lifecycle
from sluice_model_server.load import ServedModel
from sluice_model_server.metrics import Metrics
from sluice_model_server.settings import Settings
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


class Client:
    """Asks an ASGI application directly: real application, no socket."""

    def __init__(self, app: Callable[..., Awaitable[None]], lifecycle: Lifecycle) -> None:
        self.app = app
        self.lifecycle = lifecycle

    async def ask(
        self, method: str, path: str, body: Any = b"", headers: tuple[tuple[bytes, bytes], ...] = ()
    ) -> Answer:
        content = body if isinstance(body, bytes) else orjson.dumps(body)
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


@pytest.fixture
def client(served: Callable[[str], ServedModel]) -> Callable[..., Client]:
    """Makes a client of a fresh application, given a model or its name (None: not loaded), faults and settings."""

    def make(model: str | ServedModel | None = "linear", *, faults: FaultPlan | None = None, **settings: Any) -> Client:
        configured = Settings(**settings)
        metrics, lifecycle = Metrics(), Lifecycle()
        loaded = served(model) if isinstance(model, str) else model
        if loaded:
            manifest = loaded.manifest
            metrics.model(name=manifest.name, version=manifest.version, digest=loaded.digest, format=manifest.format)
            lifecycle.probed()
        plan = Faults(faults or FaultPlan(), background_error_share=configured.background_error_share, host="pod")
        guard = Guard(configured.token_file) if configured.token_file else None
        return Client(ModelApp(loaded, configured, metrics, lifecycle, plan, guard), lifecycle)

    return make
