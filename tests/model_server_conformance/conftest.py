"""The model server as it is installed, a process of its own, asked by other people's clients."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, settings

HERE = Path(__file__).parent
SERVER = Path(os.environ.get("SLUICE_SERVER_ENVIRONMENT", HERE.parents[1] / ".venv")) / "bin"
"""The environment of uv.lock, which has the server; this process runs in another one, which has the clients."""
START_SECONDS = 60

settings.register_profile("conformance", deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
settings.load_profile("conformance")


@dataclass(frozen=True)
class Server:
    """url: http://host:port. host: without the scheme. answers: what scikit-learn says, row for row."""

    process: subprocess.Popen[str]
    url: str
    model: str
    version: str
    rows: list[list[Any]]
    label: list[Any]
    probability: list[list[float]] | None

    @property
    def host(self) -> str:
        return self.url.removeprefix("http://")

    @property
    def infer(self) -> str:
        return f"{self.url}/v2/models/{self.model}/infer"


@pytest.fixture(scope="session")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    subprocess.run([SERVER / "python", HERE / "pack_models.py", root], check=True, timeout=120)
    return root


@pytest.fixture(scope="session")
def serve(packed: Path) -> Iterator[Callable[..., Server]]:
    """Serves a packed model, once per session; in the end none has crashed and none has answered a 5xx."""
    answers = json.loads((packed / "answers.json").read_text())
    servers: dict[str, Server] = {}

    def start(name: str) -> Server:
        if name not in servers:
            manifest = json.loads((packed / name / "manifest.json").read_bytes())
            process = _process(packed / name)
            rows = answers["mixed_rows" if name == "mixed" else "rows"]
            said = answers[name]
            servers[name] = Server(
                process,
                _address(process),
                manifest["name"],
                manifest["version"],
                rows,
                said["label"],
                said.get("probability"),
            )
        return servers[name]

    yield start
    statuses = {name: _statuses(server) for name, server in servers.items()}
    ends = {name: server.process.poll() for name, server in servers.items()}
    for server in servers.values():
        server.process.terminate()
        server.process.wait(START_SECONDS)
        server.process.stdout.close()
    assert set(ends.values()) <= {None}, ends
    failures = {name: codes for name, codes in statuses.items() if any(code >= 500 for code in codes)}
    assert not failures, failures


def _process(directory: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [SERVER / "sluice-model", "serve", "--dir", directory, "--port", "0"],
        env={**os.environ, "SLUICE_MODEL_HOST": "127.0.0.1"},
        stdout=subprocess.PIPE,
        text=True,
    )


def _address(process: subprocess.Popen[str]) -> str:
    for line in process.stdout:
        event = json.loads(line)["event"]
        if event.startswith("Uvicorn running on "):
            return event.split()[3]
    raise AssertionError(f"the server ended with status {process.wait()}")


def _statuses(server: Server) -> dict[int, float]:
    """How many inference requests were answered with which status."""
    text = httpx.get(f"{server.url}/metrics", timeout=START_SECONDS).text
    prefix = 'sluice_requests_total{code="'
    lines = (line.removeprefix(prefix) for line in text.splitlines() if line.startswith(prefix))
    counts = {int(line[:3]): float(line.split()[1]) for line in lines}
    return {code: count for code, count in counts.items() if count}


@pytest.fixture(scope="session")
def forest(serve: Callable[[str], Server]) -> Server:
    return serve("forest")


@pytest.fixture(scope="session")
def mixed(serve: Callable[[str], Server]) -> Server:
    return serve("mixed")


@pytest.fixture(scope="session")
def number(serve: Callable[[str], Server]) -> Server:
    return serve("number")
