"""Listings of our own open the gate at the start and repair what watches lose."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from sluice.ports import Object, Unavailable
from sluice.runtime.cache import Cache
from sluice.runtime.intake import Intake, Watched
from sluice.runtime.relist import RETRY, SOON, Relister

SERVICES = Watched("Service", "", "v1", "services", "app=sluice")
CLASSES = Watched("GatewayClass", "gateway.networking.k8s.io", "v1", "gatewayclasses", "", namespaced=False)
EVERY = 300.0

Pages = list[list[Any]]


async def turns_until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until something is so; it can be seen from no event, since the code under test raises none."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0)


class Lists:
    """Answers listings from `content`: (kind, namespace) -> (pages, resourceVersion)."""

    def __init__(self) -> None:
        self.content: dict[tuple[str, str | None], tuple[Pages, int]] = {}
        self.asked: list[tuple[str, str | None, str]] = []
        self.broken = 0
        self.during: Callable[[], None] = lambda: None

    async def list(
        self, kind: str, namespace: str | None, labels: str, page: Callable[[list[Object]], Awaitable[None]]
    ) -> int:
        self.asked.append((kind, namespace, labels))
        if self.broken:
            self.broken -= 1
            raise Unavailable("no answer")
        pages, version = self.content.get((kind, namespace), ([], 1))
        for one in pages:
            await page(one)
        self.during()
        return version


class Setup:
    def __init__(self, clock: Any, namespaces: tuple[str, ...] = (), kinds: tuple[Watched, ...] = (SERVICES,)) -> None:
        self.lists, self.clock = Lists(), clock
        self.cache = Cache([watched.kind for watched in kinds])
        self.woken: list[tuple[str, str]] = []
        self.synced: list[bool] = []
        self.intake = Intake(self.cache, lambda key, _: self.woken.append(key))
        self.relister = Relister(
            self.lists,
            self.cache,
            self.intake,
            clock,
            kinds=kinds,
            namespaces=namespaces,
            every=EVERY,
            on_synced=lambda: self.synced.append(self.cache.synced()),
        )

    async def until(self, condition: Callable[[], bool]) -> None:
        """Let the relister run until something is so."""
        task = asyncio.create_task(self.relister.run())
        try:
            async with asyncio.timeout(5):
                await turns_until(condition)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def setup(clock: Any) -> Setup:
    return Setup(clock)


async def test_the_first_listing_fills_the_cache_and_opens_the_gate(setup: Setup, make: Any) -> None:
    setup.lists.content["Service", None] = ([[make("a", 3, owner="m")], [make("b", 4, owner="n")]], 9)
    assert not setup.cache.synced()
    await setup.relister.attempt(SERVICES)
    assert setup.synced == [True]
    assert setup.woken == [("shop", "m"), ("shop", "n")]
    assert setup.lists.asked == [("Service", None, "app=sluice")]


async def test_the_gate_stays_shut_until_every_kind_was_listed(clock: Any) -> None:
    setup = Setup(clock, kinds=(SERVICES, CLASSES))
    await setup.relister.attempt(SERVICES)
    assert (setup.cache.synced(), setup.synced) == (False, [])
    await setup.relister.attempt(CLASSES)
    assert (setup.cache.synced(), setup.synced) == (True, [True])


async def test_a_listing_that_fails_is_tried_again(setup: Setup) -> None:
    setup.lists.broken = 2
    task = asyncio.create_task(setup.relister.run())
    async with asyncio.timeout(5):
        for tries in (1, 2, 3):
            await turns_until(lambda tries=tries: len(setup.lists.asked) >= tries)  # type: ignore[misc]
            assert setup.cache.synced() is (tries == 3)
            setup.clock.seconds += RETRY
            setup.relister._sooner.set()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_child_that_was_deleted_unseen_is_noticed(setup: Setup, make: Any) -> None:
    setup.lists.content["Service", None] = ([[make("a", 3, owner="m"), make("b", 4, owner="m")]], 9)
    await setup.relister.attempt(SERVICES)
    setup.woken.clear()
    setup.lists.content["Service", None] = ([[make("b", 4, owner="m")]], 20)
    await setup.relister.attempt(SERVICES)
    assert setup.cache.get("Service", "shop", "a") is None
    assert setup.woken == [("shop", "m")]


async def test_a_change_that_was_missed_is_noticed(setup: Setup, make: Any) -> None:
    setup.lists.content["Service", None] = ([[make("a", 3, owner="m", spec={"selector": {"r": "1"}})]], 9)
    await setup.relister.attempt(SERVICES)
    setup.woken.clear()
    setup.lists.content["Service", None] = ([[make("a", 12, owner="m", spec={"selector": {"r": "2"}})]], 20)
    await setup.relister.attempt(SERVICES)
    assert setup.woken == [("shop", "m")]


async def test_an_object_created_while_the_listing_is_under_way_stays(setup: Setup, make: Any) -> None:
    setup.lists.content["Service", None] = ([], 20)
    setup.lists.during = lambda: setup.intake.seen("Service", make("new", 21, owner="m"))
    await setup.relister.attempt(SERVICES)
    assert setup.cache.get("Service", "shop", "new") is not None


async def test_an_object_deleted_while_the_listing_is_under_way_does_not_come_back(setup: Setup, make: Any) -> None:
    """Its page was read before the deletion and arrives after the watch told of it."""
    setup.cache.put("Service", make("a", 3, owner="m"))
    setup.intake.gone("Service", make("a", 22, owner="m"))
    setup.lists.content["Service", None] = ([[make("a", 3, owner="m")]], 20)
    await setup.relister.attempt(SERVICES)
    assert setup.cache.get("Service", "shop", "a") is None


async def test_with_several_namespaces_each_is_listed_and_only_what_is_older_than_all_is_judged(
    clock: Any, make: Any
) -> None:
    setup = Setup(clock, namespaces=("shop", "ops"), kinds=(SERVICES, CLASSES))
    setup.cache.put("Service", make("between", 25, owner="m"))
    setup.lists.content["Service", "shop"] = ([], 30)
    setup.lists.content["Service", "ops"] = ([], 20)
    await setup.relister.attempt(SERVICES)
    await setup.relister.attempt(CLASSES)
    assert setup.lists.asked == [
        ("Service", "shop", "app=sluice"),
        ("Service", "ops", "app=sluice"),
        ("GatewayClass", None, ""),
    ]
    assert setup.cache.get("Service", "shop", "between") is not None


async def test_the_second_listing_comes_soon_and_the_later_ones_seldom(setup: Setup) -> None:
    await setup.until(lambda: len(setup.lists.asked) == 1)
    setup.clock.seconds += SOON
    await setup.until(lambda: len(setup.lists.asked) == 2)
    setup.clock.seconds += EVERY * 0.79
    await asyncio.wait_for(setup_idle(setup), 5)
    assert len(setup.lists.asked) == 2
    setup.clock.seconds += EVERY * 0.42
    await setup.until(lambda: len(setup.lists.asked) == 3)


async def setup_idle(setup: Setup) -> None:
    """Let the relister look around once more."""
    rounds = iter(range(20))
    await setup.until(lambda: next(rounds, None) is None)


async def test_a_hint_that_a_watch_lost_its_place_brings_the_next_listing_forward(setup: Setup) -> None:
    for _ in range(2):
        await setup.relister.attempt(SERVICES)
    setup.clock.seconds += 5
    for _ in range(1000):
        setup.relister.soon(SERVICES)
    await setup_idle(setup)
    assert len(setup.lists.asked) == 2
    setup.clock.seconds += SOON
    await setup.until(lambda: len(setup.lists.asked) == 3)
    await setup_idle(setup)
    assert len(setup.lists.asked) == 3
