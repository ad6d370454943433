"""Lists every kind at the start and every few minutes, since watches lose events.

A child that is deleted while a watch has lost its place raises no event, and kopf tells nobody when a listing of its
own is complete. So the operator lists for itself: the first listing of all kinds opens the gate for decisions, each
later one repairs whatever the watches missed. A listing shows one moment (its resourceVersion), hence what the cache
knows at or before that moment and the listing does not have is gone.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

import structlog

from sluice.ports import Clock, ClusterError, Object
from sluice.runtime.cache import Cache, Name
from sluice.runtime.intake import Intake, Watched

log = structlog.get_logger(__name__)

SOON: Final = 15.0
"""Seconds after the first listing until the second one, which covers what happened before the watches had begun, and
after a hint that a watch lost its place. No kind is listed more often than this."""

RETRY: Final = 2.0
"""Seconds until a listing that failed is tried again."""


class Lister(Protocol):
    """The one thing that is needed of the cluster here."""

    async def list(
        self, kind: str, namespace: str | None, labels: str, page: Callable[[list[Object]], Awaitable[None]]
    ) -> int:
        """Pages of objects as they were at one resourceVersion, which is returned."""
        ...


class Relister:
    """Keeps the cache true.

    namespaces: those to look at; empty means all. every: seconds between two listings of a kind, spread by a fifth.
    on_synced: called once, when the first listing of all kinds is complete.
    """

    def __init__(  # what it reads, what it fills, what it tells, and when
        self,
        lister: Lister,
        cache: Cache,
        intake: Intake,
        clock: Clock,
        *,
        kinds: Sequence[Watched],
        namespaces: Sequence[str],
        every: float,
        on_synced: Callable[[], None],
    ) -> None:
        self._lister = lister
        self._cache = cache
        self._intake = intake
        self._clock = clock
        self._namespaces = namespaces
        self._every = every
        self._on_synced = on_synced
        self._due = dict.fromkeys(kinds, 0.0)
        self._listed_at: dict[Watched, float] = {}
        self._sooner = asyncio.Event()

    def soon(self, watched: Watched) -> None:
        """A watch of this kind may have missed something."""
        moment = max(self._clock.monotonic(), self._listed_at.get(watched, 0.0)) + SOON
        if moment < self._due[watched]:
            self._due[watched] = moment
            self._sooner.set()

    async def run(self) -> None:
        """List what is due, until cancelled."""
        while True:
            for watched in [w for w, moment in self._due.items() if moment <= self._clock.monotonic()]:
                await self.attempt(watched)
            self._sooner.clear()
            pause = min(self._due.values()) - self._clock.monotonic()
            try:
                async with asyncio.timeout(max(0.0, pause)):
                    await self._sooner.wait()
            except TimeoutError:
                continue

    async def attempt(self, watched: Watched) -> None:
        """List one kind now and say when the next time is; a failure is told and tried again."""
        first = watched not in self._listed_at
        try:
            await self._list(watched)
        except ClusterError as error:
            log.warning("cannot list", kind=watched.kind, error=str(error), retry_in=RETRY)
            self._due[watched] = self._clock.monotonic() + RETRY
            return
        now = self._clock.monotonic()
        self._listed_at[watched] = now
        self._due[watched] = now + (SOON if first else self._every * random.uniform(0.8, 1.2))  # noqa: S311
        if first and self._cache.synced():
            log.info("first listing complete", objects=dict(self._cache.sizes()))
            self._on_synced()

    async def _list(self, watched: Watched) -> None:
        listed: set[Name] = set()

        async def page(objects: list[Object]) -> None:
            for obj in objects:
                listed.add((obj["metadata"].get("namespace", ""), obj["metadata"]["name"]))
                self._intake.seen(watched.kind, obj)
            await asyncio.sleep(0)  # others want the loop between two pages

        everywhere: Sequence[str | None] = self._namespaces if self._namespaces and watched.namespaced else (None,)
        # With several namespaces the listings show different moments: only what is older than all of them is judged.
        moments = [await self._lister.list(watched.kind, one, watched.labels, page) for one in everywhere]
        for gone in self._cache.keep_only(watched.kind, listed, min(moments)):
            self._intake.missing(watched.kind, gone)
