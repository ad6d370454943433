"""Which requests share one call of the model, and whose error is whose?"""

import asyncio
from collections import Counter

import numpy as np
import pytest

from sluice_model_server.batching import MAX_ROWS, Batcher
from sluice_model_server.predictor import Prediction


class Model:
    """Answers a row's number, twice it as probability; raises for batches that hold a negative one."""

    def __init__(self):
        self.calls = []

    def predict(self, rows):
        self.calls.append(len(rows))
        if (rows < 0).any():
            raise ValueError(f"negative: {sorted(rows[rows < 0].tolist())}")
        return Prediction(rows[:, 0], rows * 2)


def rows(*numbers):
    return np.array(numbers, dtype=float).reshape(-1, 1)


async def test_requests_of_one_turn_share_a_call_and_each_gets_its_own_rows():
    model = Model()
    batcher = Batcher(model.predict)
    answers = await asyncio.gather(*(batcher.ask(rows(*range(n, n + size))) for n, size in ((0, 1), (10, 3), (20, 2))))
    assert model.calls == [6]
    assert [answer.label.tolist() for answer in answers] == [[0], [10, 11, 12], [20, 21]]
    assert [answer.probability.ravel().tolist() for answer in answers] == [[0], [20, 22, 24], [40, 42]]


async def test_tasks_that_are_ready_in_the_same_turn_share_a_call_whatever_their_order():
    model = Model()
    batcher = Batcher(model.predict)

    async def request(number):
        return (await batcher.ask(rows(number))).label.tolist()

    assert await asyncio.gather(*map(request, range(5))) == [[0], [1], [2], [3], [4]]
    assert model.calls == [5]


async def test_a_lone_request_waits_for_nobody():
    model = Model()
    batcher = Batcher(model.predict)
    turns = Counter()

    async def count():
        while True:
            turns["n"] += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    await batcher.ask(rows(1))
    counting.cancel()
    assert turns["n"] <= 2


async def test_an_error_reaches_only_the_request_that_made_it():
    model = Model()
    batcher = Batcher(model.predict)
    asked = [batcher.ask(rows(*numbers)) for numbers in ((1,), (-5,), (2, 3), (4, -6))]
    good, bad, other, worse = await asyncio.gather(*asked, return_exceptions=True)
    assert good.label.tolist() == [1]
    assert other.label.tolist() == [2, 3]
    assert str(bad) == "negative: [-5.0]"
    assert str(worse) == "negative: [-6.0]"
    assert model.calls == [6, 1, 1, 2, 2]


async def test_a_batch_has_at_most_64_rows_and_a_larger_request_its_own_call():
    model = Model()
    batcher = Batcher(model.predict)
    sizes = [40, 24, 1, 100, 63, 1, 1]
    answers = await asyncio.gather(*(batcher.ask(rows(*range(size))) for size in sizes))
    assert [len(answer.label) for answer in answers] == sizes
    assert model.calls == [64, 1, 100, 64, 1]
    assert MAX_ROWS == 64


async def test_between_two_batches_the_loop_turns():
    model = Model()
    batcher = Batcher(model.predict)
    seen = []
    asked = [batcher.ask(rows(*range(64))) for _ in range(3)]
    for _ in range(4):
        await asyncio.sleep(0)
        seen.append(len(model.calls))
    await asyncio.gather(*asked)
    assert seen == [1, 2, 3, 3]


async def test_a_client_that_left_is_not_predicted_for():
    model = Model()
    batcher = Batcher(model.predict)
    left, stayed = batcher.ask(rows(1)), batcher.ask(rows(2))
    left.cancel()
    assert (await stayed).label.tolist() == [2]
    assert model.calls == [1]


async def test_with_a_wait_the_batch_is_called_when_it_is_full_and_not_before_the_time():
    model = Model()
    batcher = Batcher(model.predict, wait_seconds=30)
    waiting = batcher.ask(rows(*range(63)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not waiting.done()
    await batcher.ask(rows(7))
    assert waiting.done()
    assert model.calls == [64]


async def test_with_a_wait_a_lone_request_is_answered_after_it():
    model = Model()
    assert (await Batcher(model.predict, wait_seconds=0.001).ask(rows(7))).label.tolist() == [7]


async def test_without_probabilities_there_are_none():
    batcher = Batcher(lambda rows: Prediction(rows[:, 0], None))
    answers = await asyncio.gather(batcher.ask(rows(1)), batcher.ask(rows(2)))
    assert [answer.probability for answer in answers] == [None, None]


@pytest.mark.parametrize("error", [MemoryError, KeyError, ValueError])
async def test_whatever_a_model_raises_is_the_requests_answer(error):
    def predict(_):
        raise error

    with pytest.raises(error):
        await Batcher(predict).ask(rows(1))
