"""The load generator as a process of its own: `python -m sluice_dev.load --help`. SIGTERM and SIGINT end it cleanly."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

import orjson
import uvloop

from sluice_dev.load.effort import EFFORT_SUFFIX, Effort
from sluice_dev.load.generator import Generator, Target


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sluice_dev.load", description=__doc__)
    parser.add_argument("--address", required=True, help="of the gateway, not a name")
    parser.add_argument("--port", required=True, type=int)
    parser.add_argument("--path", required=True, help="where to POST")
    parser.add_argument("--host", required=True, help="Host header")
    parser.add_argument("--bodies", required=True, type=Path, help="a request body per line; sent in turn")
    parser.add_argument("--rate", required=True, type=float, help="requests per second")
    parser.add_argument("--seconds", required=True, type=float, help="longest duration")
    parser.add_argument("--out", required=True, type=Path, help="a line of JSON per request")
    parser.add_argument("--timeout", type=float, default=10.0, help="seconds until a request is lost")
    parser.add_argument("--parent", type=int, help="end when this process is no longer the parent")
    given = parser.parse_args()
    if not 0 < given.rate <= 5000 or not 0 < given.seconds <= 7200:
        parser.error("the rate must be at most 5000 per second and the duration at most 7200 s")
    bodies = [line.strip() for line in given.bodies.read_bytes().splitlines() if line.strip()]
    if not bodies:
        parser.error(f"{given.bodies}: no request bodies in it")
    target = Target(given.address, given.port, given.path, given.host, given.timeout)
    with given.out.open("ab") as out:
        effort = uvloop.run(_run(target, bodies, given.rate, int(given.rate * given.seconds), out, given.parent))
    given.out.with_suffix(given.out.suffix + EFFORT_SUFFIX).write_bytes(orjson.dumps(asdict(effort)))


async def _run(
    target: Target, bodies: list[bytes], rate: float, count: int, out: BinaryIO, parent: int | None
) -> Effort:
    generator = Generator(target, bodies, rate, count, out)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, generator.stop)
    guard = asyncio.create_task(_end_with(parent, generator)) if parent else None
    effort = await generator.run()
    if guard:
        guard.cancel()
    return effort


async def _end_with(parent: int, generator: Generator) -> None:
    """A load whose starter was killed must not run on to its bound."""
    while os.getppid() == parent:  # noqa: ASYNC110 - the kernel tells nobody of it
        await asyncio.sleep(1)
    generator.stop()


main()
