"""Watches the cluster with kopf. Its handlers decide nothing: they hand each event on.

Only `on.event` handlers: kopf's others write annotations and finalizers onto users' objects.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

import kopf

from sluice.runtime.intake import Intake, Watched

WATCH_SECONDS: Final = 290
"""A watch request ends after this time and is continued where it stopped."""

Listed = Callable[[Watched], None]
"""Called when kopf lists a kind again, which it does after it has lost its place: events may be missing."""


def registry_for(
    kinds: Iterable[Watched], intake: Intake, listed: Listed, login: Callable[[], Awaitable[kopf.ConnectionInfo]]
) -> kopf.OperatorRegistry:
    """One event handler per kind, and the credentials that kopf uses. login: asked again when the old ones fail."""
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    async def _login(**_: Any) -> kopf.ConnectionInfo:
        return await login()

    for watched in kinds:
        handler = _handler(watched, intake, listed)
        where = (watched.group, watched.version, watched.plural)
        kopf.on.event(*where, id=watched.plural, registry=registry)(handler)
    return registry


def settings_for(kinds: Iterable[Watched]) -> kopf.OperatorSettings:
    """kopf's settings: no Events of its own, no peering, no watch on namespaces and CRDs, narrowed watches."""
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.scanning.disabled = True
    settings.process.ultimate_exiting_timeout = None
    settings.networking.connect_timeout = 5
    settings.networking.request_timeout = 30
    settings.watching.server_timeout = WATCH_SECONDS
    settings.watching.connect_timeout = 5
    settings.watching.chunk_size = 500
    for watched in kinds:
        if watched.labels:
            where = (watched.group, watched.version, watched.plural)
            settings.watching.label_selectors[where] = watched.labels
    # It says "handler succeeded" for every single event.
    logging.getLogger("kopf.objects").setLevel(logging.WARNING)
    return settings


def _handler(watched: Watched, intake: Intake, listed: Listed) -> Callable[..., Awaitable[None]]:
    async def on_event(event: kopf.RawEvent, **_: Any) -> None:
        kind = event["type"]
        if kind == "DELETED":
            intake.gone(watched.kind, event["object"])
        elif kind != "BOOKMARK":
            intake.seen(watched.kind, event["object"])
        if kind is None:
            listed(watched)

    return on_event
