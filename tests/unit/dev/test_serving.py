"""What the benchmarks of the model server alone conclude from what they see."""

import asyncio

import pytest

from sluice_dev.load.connection import Lost
from sluice_dev.serving.drain import Backend, Front
from sluice_dev.serving.soak import growth


@pytest.mark.parametrize(
    ("resident", "grown"),
    [
        ([50] * 10 + [100] * 90, 0.0),  # what the warm-up takes does not count
        ([100] * 60 + [110] * 40, 0.1),
        ([100 + n for n in range(100)], 195 / 114 - 1),  # the medians of 191..199 and of 110..118
        ([100] * 50 + [500] + [100] * 49, 0.0),  # a single figure is no growth
        ([200] * 50 + [100] * 50, -0.5),
    ],
)
def test_growth_is_the_end_against_the_beginning_after_the_warm_up(resident, grown):
    assert growth(resident) == pytest.approx(grown, abs=0.001)


def test_too_few_figures_are_no_answer():
    with pytest.raises(ValueError, match="run longer"):
        growth([100])


class Scripted(Backend):
    """A backend whose answers are known beforehand."""

    def __init__(self, *outcomes: int | Exception) -> None:
        super().__init__(server=None, ready=True)
        self.outcomes = list(outcomes)

    async def send(self, content: bytes, *, keep: bool) -> int:
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


async def test_whatever_is_no_whole_answer_200_is_lost():
    front = Front()
    front.backends.append(Scripted(200, 503, Lost("closed by the peer"), ConnectionRefusedError(), TimeoutError(), 200))
    for number in range(6):
        await front._send(number)
    front.backends[0].ready = False
    await front._send(6)
    assert sum(front.outcomes.values()) == 7
    assert front.outcomes["200"] == 2
    assert {"503", "ConnectionRefusedError", "timeout", "no server ready"} < front.outcomes.keys()
    assert any(outcome.startswith("lost, ") for outcome in front.outcomes)


async def test_the_load_ends_when_it_is_told_to_and_every_request_has_its_outcome():
    front = Front()

    class Ending(Scripted):
        async def send(self, content: bytes, *, keep: bool) -> int:
            front.stopped = len(self.outcomes) <= 5
            return await super().send(content, keep=keep)

    front.backends.append(Ending(*[200] * 10))
    await asyncio.wait_for(front.load(), 30)
    assert front.outcomes["200"] >= 5
    assert set(front.outcomes) == {"200"}
