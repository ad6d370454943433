"""Which servers are compared, how are they started, and what is each asked?"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson
import urllib3

from sluice_dev.cluster.layout import Layout

START_SECONDS: Final = 120
OWN: Final = "sluice"
"""The model server's own environment as its image has it: without pandas, which scikit-learn imports if it is there."""
COMPARATORS: Final = ("mlserver",)
SERVER_CORE: Final = "0"
LOAD_CORE: Final = "1"


@dataclass(frozen=True, slots=True)
class Plan:
    """command: with {port}. path, body: of one request. ready: the path that answers 200 when it can be asked."""

    name: str
    command: tuple[str, ...]
    path: str
    body: bytes
    ready: str
    environment: tuple[tuple[str, str], ...] = ()


class Running:
    """A server pinned to one core. It and what it starts end with `end`."""

    def __init__(self, plan: Plan, log: Path) -> None:
        self.plan = plan
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        command = ["taskset", "-c", SERVER_CORE, *(part.replace("{port}", str(self.port)) for part in plan.command)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        environment |= {name: value.replace("{port}", str(self.port)) for name, value in plan.environment}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        started = time.monotonic()
        with log.open("wb") as out:
            self._process = subprocess.Popen(
                command, env=environment, stdout=out, stderr=out, cwd=log.parent, start_new_session=True
            )
        self._wait(log)
        self.seconds = time.monotonic() - started

    def _wait(self, log: Path) -> None:
        http = urllib3.PoolManager(retries=False, timeout=5)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            with suppress(urllib3.exceptions.HTTPError):
                if http.request("GET", f"http://127.0.0.1:{self.port}{self.plan.ready}").status == 200:
                    return
            time.sleep(0.01)  # the time until then is a figure
        self.end()
        raise RuntimeError(f"{self.plan.name} did not start:\n{log.read_text()[-2000:]}")

    def pss_bytes(self) -> int:
        """Memory of its process, shared pages by share."""
        for line in Path(f"/proc/{self._process.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
        raise RuntimeError("the kernel does not tell Pss")

    def end(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def request_body(row: Sequence[float], outputs: Sequence[str] = ()) -> bytes:
    """One row as one tensor."""
    tensor = {"name": "predict", "shape": [1, len(row)], "datatype": "FP64", "data": list(row)}
    document: dict[str, object] = {"inputs": [tensor]}
    if outputs:
        document["outputs"] = [{"name": name} for name in outputs]
    return orjson.dumps(document)


def plans(models: Path, row: Sequence[float]) -> list[Plan]:
    """models: folder with lr/ and rf/ packed for Sluice and mlserver/ with its own files."""
    checkout = Layout.here().checkout
    environments = checkout / "build" / "comparators"
    python, sluice = (str(environments / OWN / "bin" / name) for name in ("python", "sluice-model"))
    body = request_body(row)
    own = (("SLUICE_MODEL_HOST", "127.0.0.1"), ("PYTHONPATH", str(checkout / "dev" / "src")))

    def served(name: str, model: str, command: tuple[str, ...], **more: str) -> Plan:
        return Plan(name, command, f"/v2/models/{model}/infer", body, "/v2/health/ready", (*own, *more.items()))

    def serve(model: str) -> tuple[str, ...]:
        return (sluice, "serve", "--dir", str(models / model), "--port", "{port}")

    listed = [
        Plan("hello", (python, "-m", "sluice_dev.modelbench.hello", "{port}"), "/", body, "/", own),
        served("LR compiled", "lr", serve("lr")),
        served("LR sklearn", "lr", serve("lr"), SLUICE_MODEL_COMPILED="false"),
        served(
            "LR uncounted",
            "lr",
            (python, "-m", "sluice_dev.modelbench.uncounted", str(models / "lr"), "{port}"),
        ),
        served("RF compiled", "rf", serve("rf")),
    ]
    for model in ("lr", "rf"):
        listed.append(
            Plan(
                f"MLServer {model.upper()}",
                (str(environments / "mlserver" / "bin" / "mlserver"), "start", str(models / "mlserver" / model)),
                f"/v2/models/{model}/infer",
                request_body(row, ["predict_proba"]),
                f"/v2/models/{model}/ready",
                (
                    ("MLSERVER_PARALLEL_WORKERS", "0"),
                    ("MLSERVER_HOST", "127.0.0.1"),
                    ("MLSERVER_HTTP_PORT", "{port}"),
                    ("MLSERVER_GRPC_PORT", _free()),
                    ("MLSERVER_METRICS_PORT", _free()),
                ),
            )
        )
    return listed


def _free() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])
