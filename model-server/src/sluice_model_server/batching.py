"""Which requests share one call of the model?

Requests that became readable in one turn of the event loop are answered by one predict: the turn's first request
schedules the flush behind everything that is ready to run already, so nobody waits for anybody. A lone request is
predicted in the next turn; under load the batches grow by themselves, up to MAX_ROWS.
"""

import asyncio
from collections.abc import Callable, Collection
from itertools import accumulate, takewhile
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from sluice_model_server.predictor import Prediction

MAX_ROWS: Final = 64
"""Rows in one call, unless a single request has more. More would make the first request of a batch wait for rows
that gain nothing: a call's overhead is spread thin enough at 64."""


class _Waiting(NamedTuple):
    rows: npt.NDArray[Any]
    answer: asyncio.Future[Prediction]


class Batcher:
    """Collects the rows of concurrent requests of one model.

    predict: answers a matrix of rows; called in the event loop's thread.
    wait_seconds: how long the first request of a batch waits for others, unless MAX_ROWS are there before; 0 (only
        what came in the same turn) fits models that answer within a millisecond.
    known: all requests that have arrived, also those of this turn that nothing was done for yet.
    """

    def __init__(
        self,
        predict: Callable[[npt.NDArray[Any]], Prediction],
        *,
        wait_seconds: float = 0.0,
        known: Collection[object] = (),
    ) -> None:
        self._predict = predict
        self._wait_seconds = wait_seconds
        self._known = known
        self._waiting: list[_Waiting] = []
        self._rows = 0
        self._timer: asyncio.Handle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def answer(self, rows: npt.NDArray[Any]) -> Prediction:
        """As `ask`, and at once where there is nobody to share a call with."""
        if len(self._known) == 1 and not self._wait_seconds:
            return self._predict(rows)
        return await self.ask(rows)

    def ask(self, rows: npt.NDArray[Any]) -> asyncio.Future[Prediction]:
        """The prediction of these rows. It fails with what the model raises on these rows, never on another request's.

        rows: rows x columns, all requests with the same columns.
        """
        loop = self._loop
        if loop is None:
            loop = self._loop = asyncio.get_running_loop()
        waiting = _Waiting(rows, loop.create_future())
        self._waiting.append(waiting)
        self._rows += len(rows)
        if self._timer is None:
            self._timer = self._schedule(loop)
        elif self._wait_seconds and self._rows >= MAX_ROWS:
            self._timer.cancel()
            self._timer = loop.call_soon(self._flush)
        return waiting.answer

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> asyncio.Handle:
        if self._wait_seconds and self._rows < MAX_ROWS:
            return loop.call_later(self._wait_seconds, self._flush)
        return loop.call_soon(self._flush)

    def _flush(self) -> None:
        batch = self._take()
        # What is left waits for its own turn, so that sockets are read between two calls of the model.
        self._timer = self._schedule(asyncio.get_running_loop()) if self._waiting else None
        if batch:
            self._answer(batch)

    def _take(self) -> list[_Waiting]:
        """Those that are answered together, without those whose client left."""
        if self._rows <= MAX_ROWS:
            batch, self._waiting, self._rows = self._waiting, [], 0
        else:
            sums = accumulate(len(waiting.rows) for waiting in self._waiting)
            count = max(1, sum(1 for _ in takewhile(lambda rows: rows <= MAX_ROWS, sums)))
            batch, self._waiting = self._waiting[:count], self._waiting[count:]
            self._rows -= sum(len(waiting.rows) for waiting in batch)
        return [waiting for waiting in batch if not waiting.answer.done()]

    def _answer(self, batch: list[_Waiting]) -> None:
        if len(batch) == 1:
            self._answer_one(batch[0])
            return
        try:
            label, probability = self._predict(np.concatenate([waiting.rows for waiting in batch]))
        except Exception:  # one of them is at fault: each alone, so that it alone fails
            for waiting in batch:
                self._answer_one(waiting)
            return
        end = 0
        for waiting in batch:
            start, end = end, end + len(waiting.rows)
            own = None if probability is None else probability[start:end]
            waiting.answer.set_result(Prediction(label[start:end], own))

    def _answer_one(self, waiting: _Waiting) -> None:
        try:
            waiting.answer.set_result(self._predict(waiting.rows))
        except Exception as error:  # whatever the model raises is this request's answer
            waiting.answer.set_exception(error)
