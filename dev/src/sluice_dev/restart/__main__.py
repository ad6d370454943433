"""`make bench-restart`: a rollout of a day, and an operator that restarts in it, without a cluster, on one core."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import structlog
import typer
from rich.console import Console
from rich.progress import track

from sluice.runtime.checkpoints import CHECKPOINT_EVERY
from sluice_dev.bench.figures import Result, Target, spread
from sluice_dev.cluster.layout import Layout
from sluice_dev.restart.replay import KEY, NO_EVIDENCE, Comparison, Operator, compare
from sluice_dev.restart.same import differences
from sluice_dev.restart.worlds import World, long_world

DAY: Final = 24 * 3600.0
INTERVAL: Final = 5.0
"""Seconds between two scrapes of a pod."""
WORLDS: Final = 500
SECONDS: Final = 5.0
CHARACTERS: Final = 16_384


@dataclass(frozen=True, slots=True)
class Restart:
    """What it took. seconds: until everything was read. questions: to the metrics store."""

    operator: Operator
    seconds: float
    questions: int


async def restart(world: World, checkpoint: str | None) -> Restart:
    """An operator begins, with or without a checkpoint."""
    asked, began = world.store.asked, time.perf_counter()
    operator = Operator(world, checkpoint)
    await operator.catch_up()
    return Restart(operator, time.perf_counter() - began, world.store.asked - asked)


async def a_day() -> tuple[list[Target], dict[str, Any]]:
    """A restart at the end of it: with a checkpoint as old as one can be, and without."""
    world = long_world(DAY, INTERVAL)
    age = CHECKPOINT_EVERY + timedelta(minutes=1)  # it is taken along with words, and those are written once a minute
    world.clock.advance(DAY - age.total_seconds())
    before = (await restart(world, None)).operator
    began = time.perf_counter()
    checkpoint = before.poller.checkpoint(KEY) or ""
    taking = time.perf_counter() - began
    world.clock.advance(age.total_seconds())
    await before.poll()
    short, full = await restart(world, checkpoint), await restart(world, None)
    others = {"the one that went on": before, "the one without a checkpoint": full.operator}
    found = {
        name: len(list(differences(short.operator.judge, other.judge, NO_EVIDENCE))) for name, other in others.items()
    }
    targets = [
        Target("restart with a checkpoint, s", round(short.seconds, 2), SECONDS),
        Target("its questions", short.questions, 0.1 * full.questions),
        Target("characters of the checkpoint", len(checkpoint), CHARACTERS),
        Target("differences to the operator that went on", found["the one that went on"], 0),
    ]
    details = {
        "rollout, h": DAY / 3600,
        "scrape interval, s": INTERVAL,
        "age of the checkpoint, s": age.total_seconds(),
        "milliseconds to take it": round(1000 * taking, 1),
        "with a checkpoint": {"seconds": round(short.seconds, 2), "questions": short.questions},
        "without": {"seconds": round(full.seconds, 2), "questions": full.questions},
        "differences to": found,
    }
    return targets, details


def worlds(console: Console, count: int) -> tuple[Target, dict[str, Any]]:
    """Restarts in random worlds."""
    found: list[Comparison] = [
        asyncio.run(compare(seed)) for seed in track(range(count), "random worlds", console=console, transient=True)
    ]
    differ = [one for one in found if one.differences]
    for one in differ:
        console.print(f"world {one.seed}: {one.differences[:3]}", highlight=False)
    details = {"worlds": count, "characters of a checkpoint": spread([one.characters for one in found])}
    return Target(f"of {count} random worlds those that differ", len(differ), 0), details


def main(count: int = WORLDS) -> None:
    """Measure, print, write build/bench/restart.json. Exit status 1 when a target is missed."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    console = Console()
    targets, details = asyncio.run(a_day())
    random, more = worlds(console, count)
    result = Result("A restart of the operator in a rollout of 24 h", [*targets, random], details | more)
    result.write(Path(Layout.here().checkout) / "build" / "bench" / "restart.json")
    console.print(result.details, highlight=False)
    result.show(console)
    raise typer.Exit(0 if result.met else 1)


if __name__ == "__main__":
    typer.run(main)
