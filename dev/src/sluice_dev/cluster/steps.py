"""How a start is carried out: steps that need each other, run side by side."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Protocol

Report = Callable[[str], None]
"""Tells the display what a step is doing right now, in a few words."""


@dataclass(frozen=True, slots=True)
class Step:
    """name: how other steps refer to it in `needs`. title: what people read. run: does it, raises when it cannot."""

    name: str
    title: str
    run: Callable[[Report], None]
    needs: frozenset[str] = frozenset()


class Display(Protocol):
    """What is told about the steps as they go; called from several threads."""

    def started(self, step: Step) -> None: ...
    def detail(self, step: Step, text: str) -> None: ...
    def ended(self, step: Step, seconds: float, error: BaseException | None) -> None: ...


def run_steps(steps: Sequence[Step], display: Display, workers: int = 12) -> dict[str, float]:
    """Runs every step as soon as what it needs is done; returns step name -> seconds.

    Among steps that are ready, those earlier in `steps` start first. When a step fails nothing new starts, the running
    ones are waited for, and its exception is raised. Raises ValueError for a need that no step meets.
    """
    _check_needs(steps)
    waiting = list(steps)
    done: dict[str, float] = {}
    running: dict[Future[float], Step] = {}
    failure: BaseException | None = None
    with ThreadPoolExecutor(workers) as pool:
        while waiting or running:
            if failure is None:
                ready = [step for step in waiting if step.needs <= done.keys()]
                for step in ready:
                    waiting.remove(step)
                    running[pool.submit(_timed, step, display)] = step
            if not running:
                break
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                step = running.pop(future)
                if error := future.exception():
                    failure = failure or error
                else:
                    done[step.name] = future.result()
    if failure is not None:
        raise failure
    return done


def _check_needs(steps: Sequence[Step]) -> None:
    """Every need stands before the step that has it: then there is no circle and the order reads as it runs."""
    known: set[str] = set()
    for step in steps:
        if unmet := step.needs - known:
            raise ValueError(f"step {step.name} needs {', '.join(sorted(unmet))}, which no earlier step is called")
        known.add(step.name)


def _timed(step: Step, display: Display) -> float:
    begin = time.monotonic()
    display.started(step)
    try:
        step.run(lambda text: display.detail(step, text))
    except BaseException as error:
        display.ended(step, time.monotonic() - begin, error)
        raise
    seconds = time.monotonic() - begin
    display.ended(step, seconds, None)
    return seconds
