"""One operator is never interrupted, another goes on from the first one's checkpoint: do they know the same?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Final

from sluice.core.analysis.judge import Judge
from sluice.runtime.poller import Poller
from sluice_dev.restart.same import differences
from sluice_dev.restart.worlds import START, World, random_world

KEY: Final = "flights"
ENGINE: Final = "this one"
NO_EVIDENCE: Final = frozenset({"_joined", "resumed_from", "_candidates", "backwards", "_told", "_told_of"})
"""When and where it began, caches, and how often samples of another Prometheus were met: some are read twice."""
OF_THE_MOMENT: Final = frozenset({"peak", "peak_c"})
"""Where samples come out of order, the largest evidence may be that of a moment at which some were still missing. A
checkpoint keeps it; but what comes after the checkpoint is read at once, without such moments."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """seed: of the world. characters: of the checkpoint. differences: where the two differ; empty if nowhere."""

    seed: int
    characters: int
    differences: tuple[str, ...]


class Operator:
    """The part of one that reads samples."""

    def __init__(self, world: World, checkpoint: str | None = None) -> None:
        self.poller = Poller(world.store, world.clock, lambda key, urgent: None, ENGINE)
        self._world = world
        self.poller.track(KEY, world.subject, checkpoint)

    async def poll(self) -> None:
        """A pass of the reconciler, which sees pods before they are scraped, and a poll."""
        now = self._world.clock.now()
        there = {pod: created for pod, created in self._world.pods.items() if created <= now}
        self.poller.observation(KEY, there, START)
        await self.poller.poll_once()

    async def catch_up(self) -> None:
        """Polls until it has read everything."""
        while not self.judge.caught_up:
            await self.poll()

    @property
    def judge(self) -> Judge:
        """What it knows."""
        return self.poller._watched[KEY].judge


async def compare(seed: int) -> Comparison:
    """The world of this seed, with a checkpoint and a restart at random moments."""
    world, random = random_world(seed), Random(seed)  # noqa: S311  # a world that can be played again
    taken = random.uniform(20, world.seconds - 60)
    restart = random.uniform(taken, world.seconds - 20)
    pause = random.choice([1, 3, 7])
    first, second, checkpoint = Operator(world), None, None
    while (passed := (world.clock.now() - START) / timedelta(seconds=1)) < world.seconds:
        if checkpoint is None and passed >= taken:
            checkpoint = first.poller.checkpoint(KEY)
        if second is None and checkpoint and passed >= restart:
            second = Operator(world, checkpoint)
        world.clock.advance(pause)
        for operator in filter(None, (first, second)):
            await operator.poll()
    if second is None or checkpoint is None:
        return Comparison(seed, 0, ("there was no checkpoint",))
    for operator in (first, second):
        operator.judge._answered._entries.sort()  # they are in no order
    may_differ = NO_EVIDENCE | (OF_THE_MOMENT if world.late else frozenset())
    return Comparison(seed, len(checkpoint), tuple(differences(first.judge, second.judge, may_differ)))
