"""Small fitted models, packed once, and a way to ask the application in this process."""

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sluice_model_server.app import ModelApp
from sluice_model_server.faults import FaultPlan, Faults
from sluice_model_server.lifecycle import Lifecycle
from sluice_model_server.load import ServedModel, load_model
from sluice_model_server.manifest import Column
from sluice_model_server.metrics import Metrics
from sluice_model_server.pack import pack
from sluice_model_server.settings import Settings

MAX_BYTES = 1 << 30
RANDOM = np.random.default_rng(7)
ROWS = RANDOM.random((200, 3))
LATE = (ROWS[:, 0] + ROWS[:, 1] > 1).astype(int)
MIXED = np.array(
    [[row[0], carrier, row[1]] for row, carrier in zip(ROWS, ["AA", "UA"] * 100, strict=True)], dtype=object
)


def linear() -> Any:
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(ROWS, LATE)


def forest() -> Any:
    return RandomForestClassifier(4, max_depth=4, random_state=1).fit(ROWS, np.where(LATE, "late", "on time"))


def mixed() -> Any:
    encode = ColumnTransformer([("number", StandardScaler(), [0, 2]), ("text", OneHotEncoder(), [1])])
    return make_pipeline(encode, LogisticRegression()).fit(MIXED, LATE)


MIXED_COLUMNS = (Column(name="hour"), Column(name="carrier", datatype="BYTES"), Column(name="humid", datatype="FP32"))


@pytest.fixture(scope="session")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directory of the packed models linear/, forest/, mixed/ and number/ (a regression)."""
    root = tmp_path_factory.mktemp("models")
    pack(linear(), root / "linear", name="delay", version="1")
    pack(forest(), root / "forest", name="delay", version="2")
    pack(mixed(), root / "mixed", name="delay", version="3", columns=MIXED_COLUMNS, probe=[[1.0, "AA", 0.5]])
    pack(LinearRegression().fit(ROWS, ROWS[:, 0]), root / "number", name="minutes", version="1")
    return root


@pytest.fixture(scope="session")
def served(packed: Path) -> Callable[[str], ServedModel]:
    """The packed model of that name, loaded."""
    models = {path.name: load_model(path, max_bytes=MAX_BYTES) for path in packed.iterdir()}
    return models.__getitem__


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
    """Makes a client of a fresh application, given a model's name (None: not loaded), faults and settings."""

    def make(model: str | None = "linear", *, faults: FaultPlan | None = None, **settings: Any) -> Client:
        configured = Settings(**settings)
        metrics, lifecycle = Metrics(), Lifecycle()
        loaded = served(model) if model else None
        if loaded:
            manifest = loaded.manifest
            metrics.model(name=manifest.name, version=manifest.version, digest=loaded.digest, format=manifest.format)
            lifecycle.probed()
        plan = Faults(faults or FaultPlan(), background_error_share=configured.background_error_share, host="pod")
        return Client(ModelApp(loaded, configured, metrics, lifecycle, plan), lifecycle)

    return make


@dataclass(frozen=True)
class Data:
    """rows: 200 x 3 numbers. late: 0 or 1 for each. The linear model's predictions of them are `probability`."""

    rows: Any
    late: Any
    probability: Any


@pytest.fixture(scope="session")
def data() -> Data:
    return Data(ROWS, LATE, linear().predict_proba(ROWS))


@pytest.fixture(scope="session")
def matrix() -> Callable[..., dict[str, Any]]:
    """Makes a request of one [rows, columns] tensor."""

    def make(rows: Any, **more: Any) -> dict[str, Any]:
        values = np.asarray(rows, dtype=float)
        tensor = {"name": "rows", "shape": list(values.shape), "datatype": "FP64", "data": values.tolist()}
        return {"inputs": [tensor], **more}

    return make


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """This process's environment, but with compiled modules kept from one start to the next, as the image has them."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**inherited, "SLUICE_MODEL_HOST": "127.0.0.1"}
