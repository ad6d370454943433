"""Which requests share one call of the model?

Requests that became readable in one turn of the event loop are answered by one predict: the turn's first request
schedules the flush behind everything that is ready to run already, so nobody waits for anybody. A lone request is
predicted in the next turn; under load the batches grow by themselves, up to MAX_ROWS.
"""

import asyncio
from collections.abc import Callable
from itertools import accumulate, takewhile
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from sluice_model_server.predictor import Prediction

MAX_ROWS: Final = 64
"""Rows in one call, unless a single request has more. More would make the first request of a batch wait for rows
that gain nothing: a call's overhead is spread thin enough at 64."""


class Asker(Protocol):
    """Who waits for a prediction: a future, or what stands for one."""

    def done(self) -> bool:
        """Whether it waits no longer."""

    def set_result(self, prediction: Prediction, /) -> None:
        """Here it is."""

    def set_exception(self, error: Exception, /) -> None:
        """The model raised this instead."""


class _Waiting(NamedTuple):
    rows: npt.NDArray[Any]
    asker: Asker


class Batcher:
    """Collects the rows of concurrent requests of one model.

    predict: answers a matrix of rows; called in the event loop's thread.
    wait_seconds: how long the first request of a batch waits for others, unless MAX_ROWS are there before; 0 (only
        what came in the same turn) fits models that answer within a millisecond.
    """

    def __init__(self, predict: Callable[[npt.NDArray[Any]], Prediction], *, wait_seconds: float = 0.0) -> None:
        self._predict = predict
        self._wait_seconds = wait_seconds
        self._waiting: list[_Waiting] = []
        self._rows = 0
        self._timer: asyncio.Handle | None = None

    def ask(self, rows: npt.NDArray[Any]) -> asyncio.Future[Prediction]:
        """`add` with a future."""
        future = asyncio.get_running_loop().create_future()
        self.add(rows, future)
        return future

    def add(self, rows: npt.NDArray[Any], asker: Asker) -> None:
        """The asker will get the prediction of these rows. It fails with what the model raises on these rows, never on
        another request's.

        rows: rows x columns, all requests with the same columns.
        """
        self._waiting.append(_Waiting(rows, asker))
        self._rows += len(rows)
        if self._timer is None:
            self._timer = self._schedule()
        elif self._wait_seconds and self._rows >= MAX_ROWS:
            self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_soon(self._flush)

    def _schedule(self) -> asyncio.Handle:
        loop = asyncio.get_running_loop()
        if self._wait_seconds and self._rows < MAX_ROWS:
            return loop.call_later(self._wait_seconds, self._flush)
        return loop.call_soon(self._flush)

    def _flush(self) -> None:
        batch = self._take()
        # What is left waits for its own turn, so that sockets are read between two calls of the model.
        self._timer = self._schedule() if self._waiting else None
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
        return [waiting for waiting in batch if not waiting.asker.done()]

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
            waiting.asker.set_result(Prediction(label[start:end], own))

    def _answer_one(self, waiting: _Waiting) -> None:
        try:
            prediction = self._predict(waiting.rows)
        except Exception as error:  # whatever the model raises is this request's answer
            waiting.asker.set_exception(error)
        else:
            waiting.asker.set_result(prediction)
