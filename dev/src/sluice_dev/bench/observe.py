"""`make bench-observe`: what does it cost a request that the model server counts it? Without a cluster.

Two figures. First the observer alone, which a request meets as one append and a share of a flush. Then the whole server
in a process of its own, with and without any metrics, asked over loopback: the CPU time that it takes for a request.
CPU time and not throughput, so that a neighbour on the machine changes little.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np
import orjson
import pandas as pd
import typer
import uvicorn
from rich.console import Console
from sklearn.linear_model import LogisticRegression

from sluice_dev.bench.figures import Result, Target, spread
from sluice_dev.cluster.layout import Layout
from sluice_dev.modelbench.uncounted import NoMetrics
from sluice_model_server import pack
from sluice_model_server.app import ModelApp
from sluice_model_server.faults import FaultPlan, Faults
from sluice_model_server.lifecycle import Lifecycle
from sluice_model_server.load import ServedModel, load_model
from sluice_model_server.metrics import Metrics
from sluice_model_server.observer import Observer
from sluice_model_server.packing import PackingNote
from sluice_model_server.settings import Settings
from sluice_model_server.whole import WholeProtocol

FEATURES: Final = 30
CONNECTIONS: Final = 16
PIECES: Final = 60
"""How often each of the two servers is asked, by turns; so both see the same neighbours."""
PIECE_REQUESTS: Final = 500
WARM_UP_PIECES: Final = 5
RUNS: Final = 7
_PATH: Final = "/v2/models/m/infer"


def main() -> None:
    """Measures what counting costs; under a minute."""
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        model, rows = _model(Path(folder) / "m" / "1")
    result = run(model, rows)
    path = Layout.here().checkout / "build" / "bench" / "observe.json"
    result.write(path)
    result.show(console)
    console.print(f"written to {path.relative_to(Layout.here().checkout)}", highlight=False)
    raise typer.Exit(0 if result.met else 1)


def run(model: ServedModel, rows: np.ndarray) -> Result:
    """rows: those that are asked, rows x FEATURES."""
    one, many = (_observer_us(model, rows, size) for size in (1, 32))
    scrape = _scrape_ms(model, rows)
    with _server(model, Metrics) as counting, _server(model, NoMetrics) as bare:
        pieces = asyncio.run(_ask_by_turns((counting, bare), [_request(row) for row in rows[:PIECE_REQUESTS]]))
    lost = [100 * (1 - without / counted) for counted, without in pieces]
    return Result(
        f"counting requests of {FEATURES} features",
        [
            Target("observer, 1 row, us of CPU for a request", round(one, 2), 3),
            Target("observer, 32 rows, us of CPU for a request", round(many, 2), 30),
            Target(f"all metrics, share of the server's CPU, {CONNECTIONS} connections, %", round(median(lost), 1), 15),
        ],
        {
            "scrape_ms": round(scrape, 3),
            "server_us_with": round(median(counted for counted, _ in pieces), 2),
            "server_us_without": round(median(without for _, without in pieces), 2),
            "lost_percent": spread(lost),
        },
    )


def _model(folder: Path) -> tuple[ServedModel, np.ndarray]:
    random = np.random.default_rng(1)
    rows = random.gamma(2.0, 100.0, (20_000, FEATURES))
    frame = pd.DataFrame(rows, columns=[f"feature_{number}" for number in range(FEATURES)])
    truth = rows[:, 0] + random.normal(0, 100, len(rows)) > 200
    fitted = LogisticRegression(max_iter=1000).fit((rows - 200) / 140, truth)
    frame["late"] = truth
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PackingNote)
        pack(fitted, folder, data=frame, label="late", slices=["feature_0"])
    return load_model(folder, max_bytes=1 << 30), rows[:4096]


def _observer_us(model: ServedModel, rows: np.ndarray, size: int) -> float:
    """CPU microseconds for one request of `size` rows, the flushes included; the best of RUNS."""
    observer = Observer(model.profile, model.predictor.classes)
    parts = [rows[start : start + size].copy() for start in range(0, len(rows) - size + 1, size)]
    predictions = [model.predictor.predict(part) for part in parts]

    def requests() -> None:
        for part, prediction in zip(parts, predictions, strict=True):
            observer.observe(part, prediction)
        observer.flush()

    return 1e6 * _best(requests) / len(parts)


def _scrape_ms(model: ServedModel, rows: np.ndarray) -> float:
    metrics = Metrics()
    observer = metrics.watch(model.profile, model.predictor.classes)
    observer.observe(rows[:512], model.predictor.predict(rows[:512]))
    return 1e3 * _best(lambda: [metrics.render() for _ in range(20)]) / 20


def _best(work: Callable[[], Any]) -> float:
    work()
    gc.disable()
    taken = []
    for _ in range(RUNS):
        started = time.process_time()
        work()
        taken.append(time.process_time() - started)
    gc.enable()
    return min(taken)


@contextmanager
def _server(model: ServedModel, metrics: type[Metrics]) -> Iterator[tuple[int, int]]:
    """A process that serves the model on a free port: that port, and its process id."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        process = os.fork()
        if process == 0:
            try:
                _serve(model, metrics(), listening)
            finally:
                os._exit(0)
    try:
        yield port, process
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)


def _serve(model: ServedModel, metrics: Metrics, listening: socket.socket) -> None:
    settings = Settings()
    app = ModelApp(model, settings, metrics, Lifecycle(), Faults(FaultPlan(), background_error_share=0, host=""))
    config = uvicorn.Config(app, loop="uvloop", http=WholeProtocol, lifespan="off", log_config=None, access_log=False)
    uvicorn.Server(config).run(sockets=[listening])


def _request(row: np.ndarray) -> bytes:
    tensor = {"name": "rows", "shape": [1, len(row)], "datatype": "FP64", "data": row.tolist()}
    body = orjson.dumps({"inputs": [tensor]})
    return b"POST %s HTTP/1.1\r\nhost: m\r\ncontent-length: %d\r\n\r\n%s" % (_PATH.encode(), len(body), body)


async def _ask_by_turns(servers: Sequence[tuple[int, int]], requests: list[bytes]) -> list[tuple[float, ...]]:
    """CPU microseconds that each server took for a request, piece by piece. servers: port and process of each."""
    connections = [
        [await asyncio.open_connection("127.0.0.1", port) for _ in range(CONNECTIONS)] for port, _ in servers
    ]
    pieces = []
    for _ in range(WARM_UP_PIECES + PIECES):
        taken = []
        for (_, process), clients in zip(servers, connections, strict=True):
            left, before = iter(requests), _cpu_seconds(process)
            await asyncio.gather(*(_client(*client, left) for client in clients))
            taken.append(1e6 * (_cpu_seconds(process) - before) / len(requests))
        pieces.append(tuple(taken))
    return pieces[WARM_UP_PIECES:]


async def _client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, left: Iterator[bytes]) -> None:
    for body in left:
        writer.write(body)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"the server answered {head[:40]!r}")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)


def _cpu_seconds(process: int) -> float:
    """Its time on a CPU, to the nanosecond (the first field of schedstat)."""
    return int(Path(f"/proc/{process}/schedstat").read_text().split()[0]) / 1e9


if __name__ == "__main__":
    typer.run(main)
