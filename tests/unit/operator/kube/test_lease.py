"""Two candidates, one Lease, a clock moved by hand: never two leaders, and a leader knows without asking."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sluice.adapters.kube.election import LEASE_DURATION, RENEW_DEADLINE, RETRY_PERIOD
from sluice.adapters.kube.lease import Lease
from sluice.ports import Conflict, NotFound, Object, Unavailable


class HandClock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds


class OneLease:
    """A Cluster that holds nothing but one Lease. broken: no answer; lossy: the write happens, its answer is lost."""

    def __init__(self) -> None:
        self.stored: dict[str, Any] | None = None
        self.broken = False
        self.lossy = False
        self.requests = 0
        self.before_answer: Callable[[], None] = lambda: None

    def _asked(self) -> None:
        self.requests += 1
        if self.broken:
            raise Unavailable("no answer")

    def _keep(self, spec: dict[str, Any], version: int) -> Object:
        metadata = {"namespace": "ops", "name": "sluice", "resourceVersion": str(version)}
        self.stored = {"metadata": metadata, "spec": spec}
        self.before_answer()
        if self.lossy:
            raise Unavailable("the answer got lost")
        return self.stored

    async def get(self, kind: str, namespace: str, name: str) -> Object:
        assert (kind, namespace, name) == ("Lease", "ops", "sluice")
        self._asked()
        if self.stored is None:
            raise NotFound("no lease yet")
        return self.stored

    async def create(self, kind: str, manifest: Object) -> Object:
        self._asked()
        if self.stored is not None:
            raise Conflict("exists")
        return self._keep(dict(manifest["spec"]), 1)

    async def patch(self, kind: str, namespace: str, name: str, patch: Object) -> Object:
        self._asked()
        assert self.stored is not None
        version = self.stored["metadata"]["resourceVersion"]
        if patch["metadata"]["resourceVersion"] != version:
            raise Conflict("changed")
        return self._keep({**self.stored["spec"], **patch["spec"]}, int(version) + 1)

    async def apply(self, kind: str, manifest: Object) -> Object:
        raise NotImplementedError

    async def replace_status(self, kind: str, manifest: Object) -> Object:
        raise NotImplementedError

    async def delete(self, kind: str, namespace: str, name: str, uid: str) -> None:
        raise NotImplementedError


@dataclass
class World:
    """One Lease, one clock, and candidates that remember what they were told."""

    api: OneLease = field(default_factory=OneLease)
    clock: HandClock = field(default_factory=HandClock)
    told: dict[str, list[bool]] = field(default_factory=dict)

    def candidate(self, identity: str) -> Lease:
        self.told[identity] = []
        return Lease(
            self.api,
            self.clock,
            namespace="ops",
            name="sluice",
            identity=identity,
            on_change=self.told[identity].append,
        )

    async def run(self, seconds: float, *leases: Lease) -> None:
        """Let these candidates do what they do every 2 s, for so long; at no moment may two of them hold the lease."""
        for _ in range(int(seconds / RETRY_PERIOD)):
            for lease in leases:
                await lease.step()
            assert sum(lease.held() for lease in leases) <= 1
            self.clock.seconds += RETRY_PERIOD

    @property
    def holder(self) -> str:
        assert self.api.stored is not None
        return str(self.api.stored["spec"]["holderIdentity"])


@pytest.fixture
def world() -> World:
    return World()


async def test_the_first_one_leads_and_keeps_leading(world: World) -> None:
    a, b = world.candidate("a"), world.candidate("b")
    await world.run(60, a, b)
    assert (a.held(), b.held()) == (True, False)
    assert world.told == {"a": [True], "b": []}


async def test_keeping_the_lease_costs_one_request_each_time(world: World) -> None:
    a = world.candidate("a")
    await a.step()
    before = world.api.requests
    await world.run(20, a)
    assert world.api.requests - before == 10


async def test_a_leader_that_was_stopped_knows_that_it_lost_the_lease_without_asking(world: World) -> None:
    a, b = world.candidate("a"), world.candidate("b")
    await world.run(10, a, b)
    requests = world.api.requests
    world.clock.seconds += 30
    assert not a.held()
    assert world.api.requests == requests
    await world.run(LEASE_DURATION + 4, b)
    assert b.held()
    await world.run(10, a, b)
    assert not a.held()
    assert world.told == {"a": [True, False], "b": [True]}


async def test_a_stopped_leader_that_wakes_before_anyone_took_over_leads_again(world: World) -> None:
    a = world.candidate("a")
    await world.run(4, a)
    world.clock.seconds += 30
    await world.run(4, a)
    assert a.held()
    assert world.told["a"] == [True, False, True]


async def test_the_successor_waits_longer_than_the_leader_acts(world: World) -> None:
    a, b = world.candidate("a"), world.candidate("b")
    await a.step()
    await b.step()
    last_renewal = world.clock.seconds
    while not b.held():
        world.clock.seconds += 0.5
        await b.step()
        assert not (a.held() and b.held())
    assert world.clock.seconds - last_renewal >= LEASE_DURATION > RENEW_DEADLINE
    assert world.holder == "b"


async def test_a_leader_that_cannot_reach_the_api_server_stops_in_time(world: World) -> None:
    a = world.candidate("a")
    await world.run(4, a)
    world.api.broken = True
    await world.run(RENEW_DEADLINE - RETRY_PERIOD - 2, a)
    assert a.held()
    await world.run(4, a)
    assert not a.held()
    world.api.broken = False
    await world.run(2, a)
    assert a.held()


async def test_the_time_a_renewal_took_counts_against_the_leader(world: World) -> None:
    a = world.candidate("a")

    def slow() -> None:
        world.clock.seconds += RENEW_DEADLINE

    world.api.before_answer = slow
    await a.step()
    assert not a.held()


async def test_a_renewal_whose_answer_got_lost_is_repeated(world: World) -> None:
    a = world.candidate("a")
    await world.run(2, a)
    world.api.lossy = True
    await world.run(2, a)
    world.api.lossy = False
    await world.run(6, a)
    assert a.held()
    assert world.told["a"] == [True]


async def test_a_released_lease_is_taken_at_once(world: World) -> None:
    a, b = world.candidate("a"), world.candidate("b")
    await world.run(4, a, b)
    await a.release()
    assert not a.held()
    assert world.holder == ""
    await b.step()
    assert b.held()
    assert world.told == {"a": [True, False], "b": [True]}


async def test_a_release_after_a_renewal_that_was_cut_off_still_frees_the_lease(world: World) -> None:
    a = world.candidate("a")
    await world.run(2, a)
    world.api.lossy = True
    await a.step()
    world.api.lossy = False
    await a.release()
    assert world.holder == ""


async def test_a_standby_that_stops_leaves_the_leaders_lease_alone(world: World) -> None:
    a, b = world.candidate("a"), world.candidate("b")
    await world.run(4, a, b)
    await b.release()
    assert world.holder == "a"
    assert a.held()


async def test_after_a_release_the_same_process_never_acts_again(world: World) -> None:
    a = world.candidate("a")
    await world.run(4, a)
    await a.release()
    await world.run(30, a)
    assert not a.held()
    assert world.holder == ""


async def test_changes_of_the_holder_are_counted(world: World) -> None:
    a, b = world.candidate("a"), world.candidate("b")
    await world.run(4, a)
    await a.release()
    await world.run(4, b)
    assert world.api.stored is not None
    assert world.api.stored["spec"]["leaseTransitions"] == 1
