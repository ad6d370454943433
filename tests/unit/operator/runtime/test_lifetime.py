"""A part that ends ends the process, unless it was asked to."""

import asyncio
import os
import signal
from typing import Any

import pytest

from sluice.runtime.lifetime import SIGNAL, cancel, first_of, on_signals, raise_what_ended


async def ended(work: Any, name: str) -> set[asyncio.Task[Any]]:
    done, _ = await asyncio.wait([asyncio.create_task(work, name=name)])
    return done


async def fails() -> None:
    raise ConnectionError("the watch broke")


async def returns(value: Any) -> Any:
    return value


async def test_the_signal_is_a_good_end() -> None:
    raise_what_ended(await ended(returns(True), SIGNAL))


async def test_the_error_of_a_part_is_the_error_of_the_process() -> None:
    with pytest.raises(ConnectionError, match="the watch broke"):
        raise_what_ended(await ended(fails(), "watches"))


async def test_a_part_that_just_ends_is_a_defect() -> None:
    with pytest.raises(RuntimeError, match="the part 'queue' of the operator ended by itself"):
        raise_what_ended(await ended(returns(None), "queue"))


async def test_the_first_result_counts_and_the_rest_is_cancelled() -> None:
    cancelled = asyncio.Event()

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    assert await first_of(waits(), returns(7)) == 7
    assert cancelled.is_set()


async def test_cancelling_waits_for_the_end_also_of_what_fails_at_it() -> None:
    begun = asyncio.Event()

    async def stubborn() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            raise OSError("closing failed")

    task = asyncio.create_task(stubborn())
    await begun.wait()
    await cancel([task])
    assert isinstance(task.exception(), OSError)


async def test_sigterm_is_heard() -> None:
    stop = asyncio.Event()
    on_signals(stop.set)
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(5):
            await stop.wait()
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().remove_signal_handler(number)
