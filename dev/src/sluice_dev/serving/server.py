"""A model server as a process on loopback, serving a small packed model."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import orjson
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sluice_model_server.packing import pack

START_SECONDS = 60.0
FEATURES = 30
HOST = "127.0.0.1"
NAME = "bench"
PATH = f"/v2/models/{NAME}/infer"


class ServerFailed(Exception):
    """It did not start, or did not end as it should."""


class Server:
    """`sluice-model serve` on a free port. settings: SLUICE_MODEL_* variables."""

    def __init__(self, model: Path, **settings: str) -> None:
        self._process = subprocess.Popen(
            [Path(sys.executable).with_name("sluice-model"), "serve", "--dir", model, "--port", "0"],
            env={**os.environ, "SLUICE_MODEL_HOST": HOST, **settings},
            stdout=subprocess.PIPE,
            text=True,
        )
        self.port = self._listening()

    def _listening(self) -> int:
        deadline = time.monotonic() + START_SECONDS
        for line in self._process.stdout or ():
            event = json.loads(line)["event"]
            if event.startswith("Uvicorn running on "):
                return int(event.split()[3].rsplit(":", 1)[1])
            if time.monotonic() > deadline:
                break
        self.kill()
        raise ServerFailed(f"no server within {START_SECONDS:g} s, status {self._process.poll()}")

    def terminate(self) -> None:
        """As the kubelet does it."""
        self._process.send_signal(signal.SIGTERM)

    def ended(self, seconds: float) -> int:
        """Its exit status. Raises ServerFailed if it is still there after `seconds`."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired as late:
            self.kill()
            raise ServerFailed(f"the server had not ended {seconds:g} s after SIGTERM") from late

    def kill(self) -> None:
        """At once, whatever it does."""
        self._process.kill()
        self._process.wait()

    @property
    def resident_bytes(self) -> int:
        """RSS. Raises ServerFailed when the process is gone."""
        try:
            fields = Path(f"/proc/{self._process.pid}/statm").read_text().split()
        except FileNotFoundError as gone:
            raise ServerFailed(f"the server ended with status {self._process.poll()}") from gone
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")


def packed_model(folder: Path) -> Path:
    """A scaler and a logistic regression of 30 numbers, packed into `folder`."""
    random = np.random.default_rng(7)
    rows = random.random((500, FEATURES))
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, rows[:, 0] + rows[:, 1] > 1)
    pack(model, folder, name=NAME, version="1")
    return folder


def request(*, keep: bool) -> bytes:
    """One row as it goes over the wire."""
    row = np.random.default_rng(8).random(FEATURES).round(4).tolist()
    body = orjson.dumps({"inputs": [{"name": "rows", "shape": [1, FEATURES], "datatype": "FP64", "data": row}]})
    close = "" if keep else "connection: close\r\n"
    head = f"POST {PATH} HTTP/1.1\r\nhost: {HOST}\r\ncontent-length: {len(body)}\r\n{close}\r\n"
    return head.encode() + body
