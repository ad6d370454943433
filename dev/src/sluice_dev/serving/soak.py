"""`make bench-soak`: one server as fast as it can for half an hour. Does it fail, does its memory grow?"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Final

from rich.console import Console

from sluice_dev.bench.figures import Result, Target
from sluice_dev.load.connection import Connection, Lost
from sluice_dev.serving.server import HOST, Server, packed_model, request

CONNECTIONS: Final = 16
"""Each asks again as soon as it has its answer; every tenth request comes on a new connection."""
NEW_CONNECTION_EVERY: Final = 10
SCRAPE_SECONDS: Final = 2.0
"""As Prometheus would: rendering metrics is part of what a server does."""
WARM_UP_SHARE: Final = 0.1
"""Of the run, left out: pools and caches fill."""
COMPARED_SHARE: Final = 0.1
"""Of what is left: the median at its end against the median at its beginning."""
GROWTH: Final = 0.05
_SCRAPE: Final = f"GET /metrics HTTP/1.1\r\nhost: {HOST}\r\nconnection: close\r\n\r\n".encode()


@dataclass(slots=True)
class Soak:
    """outcomes: how often each. resident: bytes, one per scrape."""

    server: Server
    ends_at: float
    outcomes: Counter[str] = field(default_factory=Counter)
    resident: list[int] = field(default_factory=list)

    async def ask(self) -> None:
        """One closed loop."""
        content = request(keep=True)
        connection: Connection | None = None
        number = 0
        while time.monotonic() < self.ends_at:
            number += 1
            try:
                if connection is None or not connection.reusable or number % NEW_CONNECTION_EVERY == 0:
                    if connection is not None:
                        connection.close()
                    connection = await Connection.open(HOST, self.server.port)
                outcome = str((await connection.exchange(content)).code)
            except (Lost, OSError) as error:
                outcome, connection = f"{type(error).__name__}: {error}", None
            self.outcomes[outcome] += 1
        if connection is not None:
            connection.close()

    async def watch(self, console: Console) -> None:
        """Scrapes, and notes the memory."""
        while time.monotonic() < self.ends_at:
            await asyncio.sleep(SCRAPE_SECONDS)
            connection = await Connection.open(HOST, self.server.port)
            await connection.exchange(_SCRAPE)
            connection.close()
            self.resident.append(self.server.resident_bytes)
            left = max(0.0, self.ends_at - time.monotonic())
            console.print(
                f"{left:5.0f} s left, {sum(self.outcomes.values())} requests, {self.resident[-1] >> 20} MiB", end="\r"
            )


def growth(resident: list[int]) -> float:
    """By which share the memory has grown after the warm-up. Raises ValueError with too few figures to tell.

    >>> growth([50, *[100] * 5, *[110] * 4])
    0.1
    """
    steady = resident[int(len(resident) * WARM_UP_SHARE) :]
    count = max(1, int(len(steady) * COMPARED_SHARE))
    if len(steady) < 2 * count:
        raise ValueError(f"{len(resident)} figures are too few to compare; run longer")
    return median(steady[-count:]) / median(steady[:count]) - 1


async def _run(server: Server, seconds: float, console: Console) -> Soak:
    soak = Soak(server, time.monotonic() + seconds)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(soak.watch(console))
        for _ in range(CONNECTIONS):
            tasks.create_task(soak.ask())
    return soak


def run(seconds: float, folder: Path, console: Console) -> Result:
    """folder: for the packed model."""
    server = Server(packed_model(folder))
    try:
        soak = asyncio.run(_run(server, seconds, console))
    finally:
        server.kill()
    requests = sum(soak.outcomes.values())
    return Result(
        f"{seconds / 60:g} minutes at full speed",
        [
            Target("requests without an answer 200", requests - soak.outcomes["200"], 0),
            Target("growth of memory after the warm-up, percent", round(100 * growth(soak.resident), 2), 100 * GROWTH),
        ],
        {
            "requests": requests,
            "requests/s": round(requests / seconds),
            "outcomes": dict(soak.outcomes),
            "MiB, a figure every few seconds": [round(value / (1 << 20), 1) for value in soak.resident],
        },
    )
