"""How the parts of one process live and end together."""

import asyncio
import signal
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Final

SIGNAL: Final = "signal"
"""Name of the task that may end: the one that waits for SIGTERM."""


def on_signals(stop: Callable[[], object]) -> None:
    """Call `stop` on SIGTERM and SIGINT, in the running loop; replaces whatever was called before."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)


async def first_of(*works: Coroutine[Any, Any, Any]) -> Any:
    """The result of whichever ends first; the others are cancelled."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return ended.pop().result()
    finally:
        await cancel(tasks)


async def cancel(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel these and wait until they have ended, however they do."""
    tasks = list(tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def raise_what_ended(ended: Iterable[asyncio.Task[Any]]) -> None:
    """Parts of a process run for ever: raises the error of one that ended, or RuntimeError when it just ended."""
    for task in ended:
        if task.get_name() != SIGNAL:
            task.result()
            raise RuntimeError(
                f"the part {task.get_name()!r} of the operator ended by itself; please report this defect"
            )
