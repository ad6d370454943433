"""Carries a plan out: each action idempotent, in order, up to the first that fails."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Final

import structlog

from sluice.adapters.kube.facts import owned_by
from sluice.api import names
from sluice.api.quantities import format_time
from sluice.api.status import Status
from sluice.core.children import applied_digest
from sluice.core.plan import DELETING, MARKING, Action, Announce, Apply, Delete, Mark, Refusal
from sluice.core.snapshot import Identity, Snapshot
from sluice.ports import Cluster, ClusterError, Conflict, NotFound, Object, Refused, Store

log = structlog.get_logger(__name__)

Refusals = dict[tuple[str, str], Refusal]
"""(kind, name) -> what the API server would not take."""

MOST_AGE: Final = timedelta(seconds=3)
"""A decision to raise traffic that is older is not carried out: what it rests on may be gone, and the pass that follows
decides again. It becomes that old where the API server is slow, or where this process was stopped and goes on."""

_EVENT_NOTE_LIMIT: Final = 1024


class NotLeading(Exception):
    """The lease is not held any more: nothing may be written."""


class Executor:
    """Turns actions into API requests.

    leading: asked before every single write; it must answer from a clock that goes on while the process is stopped.
    now: the clock that the snapshots' times are from.
    at: called at every boundary between two actions with its name (fault injection).
    """

    def __init__(
        self,
        cluster: Cluster,
        store: Store,
        leading: Callable[[], bool],
        identity: str,
        now: Callable[[], datetime],
        at: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._cluster = cluster
        self._store = store
        self._leading = leading
        self._identity = identity
        self._now = now
        self._at = at

    async def run(self, s: Snapshot, actions: tuple[Action, ...], refusals: Refusals) -> None:
        """Do them. What the API server refuses for good is noted in `refusals` and raised like any other failure."""
        for number, action in enumerate(actions):
            self._at(f"before-{number}-{_label(action)}")
            self._check_lease()
            await self._one(s, action, refusals)
            self._at(f"after-{number}-{_label(action)}")

    def _check_lease(self) -> None:
        if not self._leading():
            raise NotLeading("the lease is not held any more; nothing was written")

    async def _one(self, s: Snapshot, action: Action, refusals: Refusals) -> None:
        match action:
            case Apply():
                await self._apply(s, action, refusals)
            case Mark():
                with _noted(s, ("ControllerRevision", action.name), MARKING, refusals):
                    await self._mark(s, action)
            case Delete():
                with _noted(s, (action.kind, action.name), DELETING, refusals):
                    if action.kind in ("Deployment", "Service") and s.route is not None:
                        # a write that gave it traffic may have come late, and its watch too
                        await self._unchanged("HTTPRoute", s.identity, s.identity.name, s.route.resource_version)
                        self._check_lease()
                    await self._cluster.delete(action.kind, s.identity.namespace, action.name, action.uid)
                self._store.drop(action.kind, s.identity.namespace, action.name)
            case Announce():
                await self._announce(s.identity, action, s.now)

    async def _mark(self, s: Snapshot, action: Mark) -> None:
        patch = {"metadata": {"annotations": {names.ANNOTATION_REJECTED: action.rejected}}}
        record = await self._cluster.patch("ControllerRevision", s.identity.namespace, action.name, patch)
        self._store.put("ControllerRevision", record)

    async def _apply(self, s: Snapshot, action: Apply, refusals: Refusals) -> None:
        with _noted(s, (action.kind, action.name), applied_digest(action.manifest), refusals):
            try:
                if action.fresh:
                    await self._still_as_seen(s, action)
                await self._not_foreign(s.identity, action)
                self._check_lease()
                if action.fresh:
                    self._check_age(s)
                self._store.put(action.kind, await self._cluster.apply(action.kind, self._guarded(s.identity, action)))
            except Conflict:
                await self._refresh(s.identity, action)
                raise

    async def _still_as_seen(self, s: Snapshot, action: Apply) -> None:
        """Before traffic is raised: is the decision's ground still there, by the API server's own word?"""
        await self._unchanged(names.KIND, s.identity, s.identity.name, s.identity.resource_version)
        # the watch of the endpoints may be late by seconds, just when containers exit
        for seen in self._store.owned("EndpointSlice", s.identity.namespace, s.identity.name):
            name, version = seen["metadata"]["name"], seen["metadata"]["resourceVersion"]
            await self._unchanged("EndpointSlice", s.identity, name, version)
        if action.resource_version is not None:
            await self._unchanged(action.kind, s.identity, action.name, action.resource_version)

    def _check_age(self, s: Snapshot) -> None:
        age = self._now() - s.now
        if age > MOST_AGE:
            raise Conflict(f"it was decided {age.total_seconds():.0f} s ago to raise traffic; it is decided again")

    async def _unchanged(self, kind: str, identity: Identity, name: str, version: str) -> None:
        """Is this object what the decision saw, by the API server's own word? Raises Conflict if not."""
        try:
            live = await self._cluster.get(kind, identity.namespace, name)
        except NotFound:
            self._store.drop(kind, identity.namespace, name)
            raise Conflict(f"{kind} {identity.namespace}/{name} is gone since it was read") from None
        self._store.put(kind, live)
        if live["metadata"]["resourceVersion"] != version:
            raise Conflict(f"{kind} {identity.namespace}/{name} has changed since it was read")

    def _guarded(self, identity: Identity, action: Apply) -> Object:
        """The manifest with its precondition: this version of this very object.

        The uid is needed as well: an apply with only a resourceVersion *creates* an object that is gone.
        """
        if action.resource_version is None:
            return action.manifest
        known = self._store.get(action.kind, identity.namespace, action.name)
        guard = {"resourceVersion": action.resource_version, **({"uid": known["metadata"]["uid"]} if known else {})}
        return {**action.manifest, "metadata": {**action.manifest["metadata"], **guard}}

    async def _refresh(self, identity: Identity, action: Apply) -> None:
        """Somebody wrote in between (a gateway its status, most often): the next pass need not wait for the watch."""
        try:
            self._store.put(action.kind, await self._cluster.get(action.kind, identity.namespace, action.name))
        except ClusterError as error:
            log.info("not refreshed", kind=action.kind, name=action.name, error=str(error))

    async def _not_foreign(self, identity: Identity, action: Apply) -> None:
        """An object of this name that is not ours is never touched. The cache holds only objects with our label."""
        known = self._store.get(action.kind, identity.namespace, action.name)
        if known is None or not owned_by(known, identity.uid):
            try:
                known = await self._cluster.get(action.kind, identity.namespace, action.name)
            except NotFound:
                return
        ours = owned_by(known, identity.uid)
        leaving = ours and known["metadata"].get("deletionTimestamp") and action.resource_version is None
        if _of_a_namesake(known, identity) or leaving:  # an update reaches a route that leaves: it still has traffic
            raise Conflict(f"an earlier {action.kind} {action.name} is still being removed")
        if not ours:
            message = f"{action.kind} {action.name} exists and is not owned by this {names.KIND}; rename one of them"
            raise Refused(message, reason="NameConflict")

    async def _announce(self, identity: Identity, event: Announce, now: datetime) -> None:
        """Tell people. An Event that cannot be written is logged: it must not keep traffic from moving."""
        log.info("event", namespace=identity.namespace, name=identity.name, reason=event.reason, message=event.message)
        try:
            await self._cluster.create("Event", self._event(identity, event, now))
        except ClusterError as error:
            log.warning("event not written", namespace=identity.namespace, name=identity.name, error=str(error))

    def _event(self, identity: Identity, event: Announce, now: datetime) -> Object:
        what = f"{identity.uid}{event.reason}{event.message}{now.timestamp()}"
        return {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {
                "name": f"{identity.name}.{hashlib.sha256(what.encode()).hexdigest()[:16]}",
                "namespace": identity.namespace,
            },
            "eventTime": format_time(now),
            "type": event.type,
            "reason": str(event.reason),
            "note": event.message[:_EVENT_NOTE_LIMIT],
            "action": str(event.reason),
            "reportingController": "sluice.dev/operator",
            "reportingInstance": self._identity[:128],
            "regarding": {
                "apiVersion": names.API_VERSION,
                "kind": names.KIND,
                "name": identity.name,
                "namespace": identity.namespace,
                "uid": identity.uid,
            },
        }

    async def write_status(self, s: Snapshot, status: Status) -> None:
        """Replace the status, if nobody has changed the object since it was read."""
        self._at("before-status")
        self._check_lease()
        manifest: dict[str, Any] = {
            "apiVersion": names.API_VERSION,
            "kind": names.KIND,
            "metadata": {
                "name": s.identity.name,
                "namespace": s.identity.namespace,
                "resourceVersion": s.identity.resource_version,
            },
            "status": status.model_dump(mode="json", by_alias=True, exclude_none=True),
        }
        self._store.put(names.KIND, await self._cluster.replace_status(names.KIND, manifest))
        self._at("after-status")


def _of_a_namesake(known: Object, identity: Identity) -> bool:
    """Does it belong to an earlier object of the same kind and name, so that it is about to be collected?"""
    return any(
        (ref.get("kind"), ref.get("name")) == (names.KIND, identity.name) and ref.get("uid") != identity.uid
        for ref in known["metadata"].get("ownerReferences") or ()
    )


@contextmanager
def _noted(s: Snapshot, key: tuple[str, str], digest: str, refusals: Refusals) -> Iterator[None]:
    """What the API server refuses is noted, so that it is not sent again at once; what it takes is forgotten."""
    try:
        yield
    except Refused as refused:
        refusals[key] = Refusal(digest, refused.reason, str(refused), s.now)
        raise
    refusals.pop(key, None)


def _label(action: Action) -> str:
    match action:
        case Apply():
            return f"apply-{action.kind}"
        case Delete():
            return f"delete-{action.kind}"
        case Mark():
            return "mark"
        case Announce():
            return f"announce-{action.reason}"
