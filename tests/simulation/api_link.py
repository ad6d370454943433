"""The way between one process of the operator and the API server: slow, and sometimes broken in every way there is."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import partial
from random import Random
from typing import Any, Final, cast

from simulation.clockwork import Agenda
from simulation.fake_cluster import ApiServer
from sluice.ports import ClusterError, Conflict, Object, Refused, Unavailable

REQUEST_TIMEOUT: Final = 4.0
"""As in the real client: the caller gives up, whatever happens to the request."""


class Fate(Enum):
    """What becomes of one request."""

    WELL = auto()
    LOST = auto()
    """It never arrives."""
    ANSWER_LOST = auto()
    """It happens, and nobody learns of it."""
    LATE = auto()
    """It happens after the caller has given up."""
    CONFLICT = auto()
    REFUSED = auto()


@dataclass(slots=True)
class Weather:
    """What goes wrong between operator and API server now. flaky: share of requests. refused: kinds."""

    random: Random
    outage: bool = False
    flaky: float = 0.0
    refused: set[str] = field(default_factory=set)

    def fate(self, verb: str, kind: str) -> Fate:
        """Of the next request."""
        if self.outage:
            return Fate.LOST
        if kind in self.refused and verb == "apply":
            return Fate.REFUSED
        if self.flaky and self.random.random() < self.flaky:
            if verb in ("get", "list"):
                return Fate.LOST
            return self.random.choice((Fate.LOST, Fate.ANSWER_LOST, Fate.LATE, Fate.LATE, Fate.CONFLICT))
        return Fate.WELL


@dataclass(frozen=True, slots=True)
class Known:
    """The moment a request was sent: what the lease said, and what the watches had told the sender.

    ready: ready endpoints per revision. weights: of the route, by the API server's word.
    """

    holder: str
    ready: dict[str, int]
    weights: dict[str, int]


@dataclass(frozen=True, slots=True)
class Request:
    """One request that took effect. before, after: the object; None: there was none, there is none.

    sent: when it was sent. known: what its sender and the world knew at that moment.
    """

    at: float
    sent: float
    known: "Known"
    process: Any
    verb: str
    kind: str
    name: str
    body: Any
    before: Any
    after: Any


class Link:
    """`ports.Cluster` and `relist.Lister` of one process.

    on_request: told about every request that the server carried out.
    """

    def __init__(
        self,
        agenda: Agenda,
        server: ApiServer,
        weather: Weather,
        process: Any,
        on_request: Callable[[Request], None],
        known: Callable[[Any], Known],
    ) -> None:
        self._agenda = agenda
        self._server = server
        self._weather = weather
        self._process = process
        self._on_request = on_request
        self._known = known
        self.sent = 0
        """Requests so far, those about the lease and listings left out."""

    async def get(self, kind: str, namespace: str, name: str) -> Object:
        """See ports.Cluster."""
        do = partial(self._server.get, kind, namespace, name)
        found = cast(Object, await self._send("get", kind, namespace, name, None, do))
        self._process.read(kind, found)
        return found

    async def apply(self, kind: str, manifest: Object) -> Object:
        """See ports.Cluster."""
        metadata = manifest["metadata"]
        do = partial(self._server.apply, kind, manifest)
        return cast(
            Object, await self._send("apply", kind, metadata.get("namespace", ""), metadata["name"], manifest, do)
        )

    async def create(self, kind: str, manifest: Object) -> Object:
        """See ports.Cluster."""
        metadata = manifest["metadata"]
        do = partial(self._server.create, kind, manifest)
        return cast(
            Object, await self._send("create", kind, metadata.get("namespace", ""), metadata["name"], manifest, do)
        )

    async def patch(self, kind: str, namespace: str, name: str, patch: Object) -> Object:
        """See ports.Cluster."""
        do = partial(self._server.patch, kind, namespace, name, patch)
        return cast(Object, await self._send("patch", kind, namespace, name, patch, do))

    async def replace_status(self, kind: str, manifest: Object) -> Object:
        """See ports.Cluster."""
        metadata = manifest["metadata"]
        do = partial(self._server.replace_status, kind, manifest)
        return cast(
            Object, await self._send("replace_status", kind, metadata["namespace"], metadata["name"], manifest, do)
        )

    async def delete(self, kind: str, namespace: str, name: str, uid: str) -> None:
        """See ports.Cluster."""
        do = partial(self._server.delete, kind, namespace, name, uid)
        await self._send("delete", kind, namespace, name, uid, do)

    async def list(
        self, kind: str, namespace: str | None, labels: str, page: Callable[[list[Object]], Awaitable[None]]
    ) -> int:
        """See relist.Lister."""
        objects, version = await self._send("list", kind, "", "", None, partial(self._server.list, kind, labels))
        await page(objects)
        return int(version)

    async def _send(self, verb: str, kind: str, namespace: str, name: str, body: Any, do: Callable[[], Any]) -> Any:
        if kind != "Lease" and verb != "list":
            self.sent += 1
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        sent, known = self._agenda.now, self._known(self._process)
        fate = self._weather.fate(verb, kind)
        way, back = (self._weather.random.uniform(0.001, 0.02) for _ in range(2))
        gone = Unavailable(f"{verb} {kind} {name}: connection lost")

        def arrive(answered: bool) -> None:
            before = self._server.find(kind, namespace, name) if name else None
            try:
                result = do()
            except ClusterError as refusal:
                if answered:
                    fail(back, refusal)
                return
            after = self._server.find(kind, namespace, name) if name else None
            self._on_request(
                Request(self._agenda.now, sent, known, self._process, verb, kind, name, body, before, after)
            )
            if answered:
                self._agenda.after(back, lambda: self._answer(future, result, None))

        def fail(delay: float, error: ClusterError) -> None:
            self._agenda.after(delay, lambda: self._answer(future, None, error))

        if fate is Fate.LATE:
            self._agenda.after(REQUEST_TIMEOUT + self._weather.random.uniform(0.2, 4), lambda: arrive(False))
            fail(REQUEST_TIMEOUT, gone)
        elif fate is Fate.ANSWER_LOST:
            self._agenda.after(way, lambda: arrive(False))
            fail(way + back, gone)
        elif fate is Fate.LOST:
            fail(way, gone)
        elif fate is Fate.CONFLICT:
            fail(way + back, Conflict(f"{verb} {kind} {name}: the object has been modified"))
        elif fate is Fate.REFUSED:
            fail(way + back, Refused(f"{verb} {kind} {name}: denied by a policy", "Forbidden"))
        else:
            self._agenda.after(way, lambda: arrive(True))
        return await future

    def _answer(self, future: "asyncio.Future[Any]", result: Any, error: ClusterError | None) -> None:
        def settle() -> None:
            if future.done():
                return
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

        self._process.hear(settle)
