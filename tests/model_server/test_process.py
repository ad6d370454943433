"""How does the server process start and end? Real processes on loopback."""

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

START_SECONDS = 60  # far above the usual 2 to 3: other tests may hold all cores
END_SECONDS = 20
COMMAND = Path(sys.executable).with_name("sluice-model")


@dataclass
class Server:
    process: subprocess.Popen[str]
    url: str

    @property
    def infer(self) -> str:
        return f"{self.url}/v2/models/delay/infer"


Start = Callable[..., Server]


@pytest.fixture
def start(packed: Path, environment: dict[str, str]) -> Iterator[Start]:
    """Starts `sluice-model serve` on a free port and waits until it listens."""
    processes: list[subprocess.Popen[str]] = []

    def run(model: str = "linear", **settings: str) -> Server:
        process = subprocess.Popen(
            [COMMAND, "serve", "--dir", packed / model, "--port", "0"],
            env={**environment, **settings},
            stdout=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            line = process.stdout.readline()
            assert line, f"the server ended with status {process.wait()}"
            event = json.loads(line)["event"]
            if event.startswith("Uvicorn running on "):
                return Server(process, event.split()[3])
        raise AssertionError(f"no server after {START_SECONDS} s")

    yield run
    for process in processes:
        process.kill()
        process.wait()
        process.stdout.close()


@contextlib.asynccontextmanager
async def session(**more):
    timeout = aiohttp.ClientTimeout(total=END_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout, **more) as client:
        yield client


async def ended(server: Server) -> int:
    return await asyncio.to_thread(server.process.wait, END_SECONDS)


@pytest.mark.parametrize("delay", [0, 0.01], ids=["without tasks", "in tasks"])
async def test_a_drain_under_load_loses_no_request(start, data, matrix, delay):
    """Clients keep sending until readiness says no, half over kept connections, half over new ones, without retries."""
    server = start(SLUICE_MODEL_DRAIN_SECONDS="1", SLUICE_MODEL_FAULTS=json.dumps({"delay_seconds": delay}))
    body = matrix(data.rows[:1])
    answered: list[tuple[int, bool]] = []
    enough, stop = asyncio.Event(), asyncio.Event()

    async def load(client: aiohttp.ClientSession) -> None:
        while not stop.is_set():
            async with client.post(server.infer, json=body) as response:
                await response.read()
                answered.append((response.status, response.headers.get("connection") == "close"))
            if len(answered) >= 200:
                enough.set()

    async def watch(client: aiohttp.ClientSession) -> None:
        while not stop.is_set():
            async with client.get(f"{server.url}/v2/health/ready") as response:
                if response.status == 503:
                    stop.set()

    fresh = aiohttp.TCPConnector(force_close=True)
    async with session() as kept, session(connector=fresh) as new, asyncio.TaskGroup() as tasks:
        for client in (kept, kept, kept, new, new, new):
            tasks.create_task(load(client))
        tasks.create_task(watch(new))
        await asyncio.wait_for(enough.wait(), END_SECONDS)
        signalled, asked = len(answered), time.monotonic()
        server.process.send_signal(signal.SIGTERM)
    assert {status for status, _ in answered} == {200}
    assert len(answered) > signalled  # it was under load when it was told to end
    assert answered[-1][1]
    assert await ended(server) == 0
    assert time.monotonic() - asked >= 1  # SLUICE_MODEL_DRAIN_SECONDS: it served on, not only until the next tick


async def test_requests_in_flight_are_finished_without_a_drain(start, data, matrix):
    server = start(SLUICE_MODEL_FAULTS='{"delay_seconds": 1}')
    body = matrix(data.rows[:1])

    async def post(client: aiohttp.ClientSession) -> int:
        async with client.post(server.infer, json=body) as response:
            await response.read()
            return response.status

    async def in_flight(client: aiohttp.ClientSession) -> str:
        async with client.get(f"{server.url}/metrics") as response:
            return await response.text()

    async with session() as client:
        requests = [asyncio.create_task(post(client)) for _ in range(5)]
        async with asyncio.timeout(END_SECONDS):
            while "sluice_requests_in_flight 5.0" not in await in_flight(client):
                pass
        server.process.send_signal(signal.SIGTERM)
        assert await asyncio.gather(*requests) == [200] * 5
    assert await ended(server) == 0


async def test_it_exits_after_its_nth_live_request_and_answers_that_one_too(start, data, matrix):
    server = start(SLUICE_MODEL_FAULTS='{"exit_after": 3}', SLUICE_REVISION="6f9c41d2")
    body = matrix(data.rows[:1])
    mirrored, own, none = {"x-sluice-revision": "8b21de07"}, {"x-sluice-revision": "6f9c41d2"}, {}
    async with session() as client:
        for headers in (mirrored, own, mirrored, none, mirrored, mirrored, own):
            async with client.post(server.infer, json=body, headers=headers) as response:
                assert response.status == 200
                assert await response.json()
        with pytest.raises(aiohttp.ClientError):
            await client.post(server.infer, json=body)
    assert await ended(server) == 1


@pytest.fixture
def refused(environment: dict[str, str]) -> Callable[..., str]:
    """Starts a server that must refuse to, and returns the one line it says."""

    def run(directory: Path, **settings: str) -> str:
        ended = subprocess.run(
            [COMMAND, "serve", "--dir", directory, "--port", "0"],
            env={**environment, **settings},
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
            check=False,
        )
        assert ended.returncode == 1
        (line,) = ended.stderr.splitlines()
        return line

    return run


def test_a_model_that_does_not_answer_never_serves(refused, packed, tmp_path):
    document = json.loads((packed / "linear" / "manifest.json").read_bytes()) | {"probe": [[1.0, None, 1.0]]}
    (tmp_path / "manifest.json").write_text(json.dumps(document))
    (tmp_path / "model.skops").write_bytes((packed / "linear" / "model.skops").read_bytes())
    assert refused(tmp_path).startswith("error: the model does not answer its probe: ValueError")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SLUICE_MODEL_BACKGROUND_ERROR_SHARE", "2", ": Input should be less than or equal to 1"),
        ("SLUICE_MODEL_FAULTS", '{"error_shares": 0.5}', ".error_shares: Extra inputs are not permitted"),
        ("SLUICE_MODEL_DRAIN_SECONDS", "soon", ": Input should be a valid number"),
    ],
)
def test_settings_that_are_wrong_are_named(refused, packed, name, value, said):
    assert refused(packed / "linear", **{name: value}).startswith(f"error: {name}{said}")


def test_a_fault_plan_that_is_no_json_is_named(refused, packed):
    assert '"faults"' in refused(packed / "linear", SLUICE_MODEL_FAULTS="half")
