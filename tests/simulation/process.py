"""One process of the operator: the real parts, put together as the composition root does, on simulated time."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from random import Random
from typing import Any, Final

from simulation.api_link import Link
from simulation.clockwork import Loop, WorldClock
from sluice.adapters.kube.execute import Executor, NotLeading
from sluice.adapters.kube.facts import endpoints
from sluice.adapters.kube.gather import gather
from sluice.adapters.kube.kinds import KINDS
from sluice.adapters.kube.lease import Lease
from sluice.api import names
from sluice.api.status import Status
from sluice.core.plan import Action, Refusal
from sluice.core.runtimes import Runtime
from sluice.core.snapshot import Snapshot
from sluice.ports import MetricSource, Object, PortError
from sluice.runtime.cache import Cache
from sluice.runtime.intake import Intake, Watched
from sluice.runtime.poller import Poller
from sluice.runtime.queue import WorkQueue
from sluice.runtime.reconcile import Policy, Reconciler
from sluice.runtime.relist import Relister
from sluice.runtime.schedule import Key

OURS: Final = f"{names.LABEL_MANAGED_BY}={names.MANAGED_BY}"
EVERYTHING: Final = frozenset({names.KIND, "Gateway", "GatewayClass"})
WATCHED: Final = tuple(
    Watched(row.name, row.group, row.version, row.plural, "" if row.name in EVERYTHING else OURS, row.namespaced)
    for row in KINDS.values()
    if row.name not in ("Event", "Lease")
)
SYSTEM: Final = "sluice-system"
CHECKPOINT_EVERY: Final = timedelta(seconds=2)
"""A rollout takes half a minute here, and a few writes of its status."""


class Killed(BaseException):
    """kill -9 between two actions: nothing catches it."""


class Silent:
    """A reporter that nobody reads."""

    def rollout(self, key: Key, status: Status, checks: Any) -> None:
        """Nothing to do."""

    def forget(self, key: Key) -> None:
        """Nothing to do."""


class Observed:
    """The real executor, with somebody looking on.

    decided: told about every plan before its first action; None instead of actions: the status follows.
    """

    def __init__(self, executor: Executor, decided: Callable[[Snapshot, Any, Status | None], None]) -> None:
        self._executor = executor
        self._decided = decided

    async def run(self, s: Snapshot, actions: tuple[Action, ...], refusals: dict[tuple[str, str], Refusal]) -> None:
        """See Executor."""
        if actions:
            self._decided(s, actions, None)
        await self._executor.run(s, actions, refusals)

    async def write_status(self, s: Snapshot, status: Status) -> None:
        """See Executor."""
        self._decided(s, None, status)
        await self._executor.write_status(s, status)


class Process:
    """A replica of the operator.

    boundary: called at each action boundary; True kills the process there.
    """

    def __init__(
        self,
        name: str,
        *,
        clock: WorldClock,
        loop: Loop,
        link: Callable[["Process"], Link],
        metrics: MetricSource,
        runtimes: dict[str, Runtime],
        random: Random,
        boundary: Callable[["Process", str], bool],
        decided: Callable[["Process", Snapshot, Any, Status | None], None],
        broke: Callable[["Process", Exception], None],
    ) -> None:
        self.name = name
        self.alive = True
        self.frozen = False
        self.loop = loop
        self.link = link(self)
        self._slices: dict[str, tuple[int, str, int]] = {}
        self.cache = Cache([w.kind for w in WATCHED])
        self.queue = WorkQueue(clock, 2, None, random.random)
        self.poller = Poller(metrics, clock, self.queue.add, "this one")  # type: ignore[arg-type]
        self.lease = Lease(
            self.link, clock, namespace=SYSTEM, name="sluice-operator", identity=name, on_change=self._leads
        )
        self.intake = Intake(self.cache, self.queue.add)
        self.relister = Relister(
            self,
            self.cache,
            self.intake,
            clock,
            kinds=WATCHED,
            namespaces=(),
            every=60.0,
            on_synced=self.wake_all,
        )
        executor = Executor(self.link, self.cache, self.lease.held, name, clock.now, self._at)
        self._boundary = boundary
        self._broke = broke
        self._reconcile = Reconciler(
            store=self.cache,
            gather=gather,
            execute=Observed(executor, lambda s, actions, status: decided(self, s, actions, status)),
            evidence=self.poller,
            reporter=Silent(),
            clock=clock,
            ready=lambda: self.lease.held() and self.cache.synced(),
            runtimes=lambda: runtimes,
            policy=Policy(checkpoint_every=CHECKPOINT_EVERY),
        )
        self._tasks = [
            loop.create_task(part)
            for part in (self.relister.run(), self.lease.run(), self.queue.run(self._work), self.poller.run())
        ]

    def due(self) -> float | None:
        """When it next has something to do."""
        return self.loop.due() if self.alive and not self.frozen else None

    def hear(self, what: Callable[[], None]) -> None:
        """Something arrives from outside; a dead process hears nothing, a frozen one when it wakes up."""
        if self.alive:
            self.loop.call_soon(what)

    def told(self, change: str, kind: str, obj: Object) -> None:
        """An event of a watch."""

        def take() -> None:
            if kind == "EndpointSlice":
                self._note(obj, change == "DELETED")
            self.intake.gone(kind, obj) if change == "DELETED" else self.intake.seen(kind, obj)

        self.hear(take)

    def read(self, kind: str, obj: Object) -> None:
        """A GET was answered: its reader knows more than its watches may have told yet."""
        if kind == "EndpointSlice":
            self._note(obj)

    def _note(self, obj: Object, gone: bool = False) -> None:
        """A second memory of the endpoints, so that a defect in the first one shows."""
        version, name = int(obj["metadata"]["resourceVersion"]), obj["metadata"]["name"]
        revision = obj["metadata"]["labels"].get(names.LABEL_REVISION)
        if revision and version > self._slices.get(name, (0, "", 0))[0]:
            self._slices[name] = (version, revision, 0 if gone else endpoints(obj))

    def ready(self) -> dict[str, int]:
        """Ready endpoints per revision, as watches, listings and GETs have told."""
        return {revision: count for _, revision, count in self._slices.values() if count}

    async def list(
        self, kind: str, namespace: str | None, labels: str, page: Callable[[list[Object]], Awaitable[None]]
    ) -> int:
        """See relist.Lister."""

        async def noting(objects: list[Object]) -> None:
            if kind == "EndpointSlice":
                for obj in objects:
                    self._note(obj)
                present = {obj["metadata"]["name"] for obj in objects}
                self._slices = {name: slot for name, slot in self._slices.items() if name in present}
            await page(objects)

        return await self.link.list(kind, namespace, labels, noting)

    def listed_anew(self, kind: str, objects: Sequence[Object]) -> None:
        """A watch lost its place: the kind is listed once more, which does not tell what is gone."""
        watched = next(w for w in WATCHED if w.kind == kind)
        for obj in objects:
            self.told("ADDED", kind, obj)
        self.hear(lambda: self.relister.soon(watched))

    def bury(self) -> None:
        """Release everything; nothing of it reaches the world any more."""
        self.alive = False
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        for _ in range(5):
            self.loop.step()
        self.loop.close()

    def stop(self) -> None:
        """SIGTERM: the lease is given away."""
        self.hear(lambda: self._tasks.append(self.loop.create_task(self._release())))

    async def _release(self) -> None:
        for task in self._tasks[:4]:
            task.cancel()
        await self.lease.release()
        self.alive = False

    def _leads(self, held: bool) -> None:
        if held:
            self.wake_all()
        else:
            for key in self._keys():
                self.poller.untrack(key)

    def _keys(self) -> Sequence[Key]:
        return [(one["metadata"]["namespace"], one["metadata"]["name"]) for one in self.cache.all(names.KIND)]

    def wake_all(self) -> None:
        """Something that concerns every ModelDeployment has changed."""
        for key in self._keys():
            self.queue.add(key)

    def _at(self, boundary: str) -> None:
        if self._boundary(self, boundary):
            raise Killed(boundary)

    async def _work(self, key: Key) -> timedelta | None:
        try:
            return await self._reconcile(key)
        except NotLeading:
            return None
        except PortError:
            raise
        except Exception as defect:
            self._broke(self, defect)
            raise
