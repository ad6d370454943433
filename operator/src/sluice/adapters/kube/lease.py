"""Keeps a coordination.k8s.io/v1 Lease, so that only one replica of the operator acts at a time."""

import asyncio
from collections.abc import Callable
from typing import Any

import structlog

from sluice.adapters.kube.election import LEASE_DURATION, RETRY_PERIOD, Election, Record
from sluice.ports import Clock, Cluster, ClusterError, Conflict, NotFound, Object

log = structlog.get_logger(__name__)


class Lease:
    """The operator's lease.

    namespace, name: of the Lease object. identity: unique among all processes, also after a restart.
    on_change: called with True when this process became the leader, with False when it no longer is.
    """

    def __init__(  # each names one thing of the world; a bag of them would only hide that
        self,
        cluster: Cluster,
        clock: Clock,
        *,
        namespace: str,
        name: str,
        identity: str,
        on_change: Callable[[bool], None],
    ) -> None:
        self._cluster = cluster
        self._clock = clock
        self._namespace = namespace
        self._name = name
        self._election = Election(identity)
        self._on_change = on_change
        self._announced = False
        self._closed = False

    def held(self) -> bool:
        """May this process act? Decided by the clock alone, without I/O: ask before each action.

        A process that was stopped and wakes up gets False from its first instruction on.
        """
        return not self._closed and self._election.held(self._clock.monotonic())

    async def run(self) -> None:
        """Take and keep the lease until cancelled, trying every 2 s. Losing it makes this process a standby again."""
        while True:
            await self.step()
            await asyncio.sleep(RETRY_PERIOD)

    async def step(self) -> None:
        """One attempt to take or renew the lease. An API server that does not answer is no error: time decides."""
        self._announce()
        try:
            await self._attempt()
        except Conflict:
            # Somebody else wrote it in between: look again before the next attempt.
            await self._look()
        except ClusterError as error:
            log.warning("the lease could not be read or written", lease=self._name, error=str(error))
        self._announce()

    async def release(self) -> None:
        """Stop acting and give the lease away, so that the standby need not wait for it to expire."""
        was_held = self.held()
        self._closed = True
        self._announce()
        if not was_held:
            return
        try:
            try:
                await self._write(holder="", duration=1)
            except Conflict:
                # A renewal that was cut off while it was under way did happen: the record has moved on.
                await self._look()
                if self._election.record and self._election.record.holder == self._election.identity:
                    await self._write(holder="", duration=1)
        except ClusterError as error:
            log.warning("the lease could not be released; it expires by itself", error=str(error))

    async def _attempt(self) -> None:
        if not self.held():
            # A leader that lost sight of its lease, and every standby, first looks who holds it.
            await self._look()
        sent_at = self._clock.monotonic()
        if self._closed or not self._election.may_take(sent_at):
            return
        record = await self._write(holder=self._election.identity, duration=int(LEASE_DURATION))
        self._election.wrote(record, sent_at)

    async def _look(self) -> None:
        try:
            found: Object | None = await self._cluster.get("Lease", self._namespace, self._name)
        except NotFound:
            found = None
        except ClusterError as error:
            log.warning("the lease could not be read", lease=self._name, error=str(error))
            return
        self._election.observe(None if found is None else _record(found), self._clock.monotonic())

    async def _write(self, holder: str, duration: int) -> Record:
        """Write the lease on top of the record seen last. Raises Conflict when that is no longer the newest."""
        seen = self._election.record
        now = self._clock.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec: dict[str, Any] = {
            "holderIdentity": holder,
            "leaseDurationSeconds": duration,
            "renewTime": now,
            "leaseTransitions": self._election.transitions_if_taken(),
        }
        if seen is None or seen.holder != self._election.identity:
            spec["acquireTime"] = now
        if seen is None:
            manifest = {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"namespace": self._namespace, "name": self._name},
                "spec": spec,
            }
            return _record(await self._cluster.create("Lease", manifest))
        patch = {"metadata": {"resourceVersion": seen.version}, "spec": spec}
        return _record(await self._cluster.patch("Lease", self._namespace, self._name, patch))

    def _announce(self) -> None:
        held = self.held()
        if held == self._announced:
            return
        self._announced = held
        log.info("leading" if held else "standing by", lease=self._name, identity=self._election.identity)
        self._on_change(held)


def _record(lease: Object) -> Record:
    spec = lease.get("spec") or {}
    return Record(
        holder=spec.get("holderIdentity") or "",
        duration=float(spec.get("leaseDurationSeconds") or 0),
        transitions=int(spec.get("leaseTransitions") or 0),
        version=lease["metadata"]["resourceVersion"],
    )
