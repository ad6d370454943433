"""What kopf is told: event handlers only, narrowed watches, and how its events come in."""

from typing import Any

import kopf
import pytest

from sluice.__main__ import watched_kinds
from sluice.adapters.kube.kinds import KINDS
from sluice.runtime.cache import Cache
from sluice.runtime.handlers import registry_for, settings_for
from sluice.runtime.intake import Intake, Watched

KINDS_WATCHED = watched_kinds()
SERVICES = next(one for one in KINDS_WATCHED if one.kind == "Service")


async def login() -> kopf.ConnectionInfo:
    return kopf.ConnectionInfo(server="https://api")


class Heard:
    """An intake that fills a cache, and what was hinted."""

    def __init__(self) -> None:
        self.cache = Cache([])
        self.woken: list[Any] = []
        self.listed: list[Watched] = []
        intake = Intake(self.cache, lambda key, _: self.woken.append(key))
        self.registry = registry_for(KINDS_WATCHED, intake, self.listed.append, login)

    async def event(self, plural: str, kind: str | None, obj: Any) -> None:
        handlers = self.registry._watching.get_all_handlers()
        handler = next(one for one in handlers if one.id == plural)
        await handler.fn(event={"type": kind, "object": obj}, logger=None)  # type: ignore[call-arg, misc]


@pytest.fixture
def heard() -> Heard:
    return Heard()


def test_kopf_writes_nothing_onto_users_objects(heard: Heard) -> None:
    registry = heard.registry
    assert {handler.id for handler in registry._watching.get_all_handlers()} == {one.plural for one in KINDS_WATCHED}
    assert not list(registry._changing.get_all_handlers())
    assert not list(registry._spawning.get_all_handlers())
    settings = settings_for(KINDS_WATCHED)
    assert settings.posting.enabled is False
    assert settings.peering.standalone is True
    assert settings.scanning.disabled is True


def test_watches_of_children_are_narrowed_at_the_server() -> None:
    selectors = settings_for(KINDS_WATCHED).watching.label_selectors
    narrowed = {one.kind for one in KINDS_WATCHED if (one.group, one.version, one.plural) in selectors}
    assert narrowed == set(KINDS) - {"ModelDeployment", "Gateway", "GatewayClass", "Event", "Lease"}
    assert set(selectors.values()) == {"app.kubernetes.io/managed-by=sluice"}


async def test_events_fill_the_cache_and_wake_the_owner(heard: Heard, make: Any) -> None:
    await heard.event("services", "ADDED", make("m-1", 1, owner="m"))
    assert heard.cache.get("Service", "shop", "m-1") is not None
    await heard.event("services", "DELETED", make("m-1", 2, owner="m"))
    assert heard.cache.get("Service", "shop", "m-1") is None
    assert heard.woken == [("shop", "m"), ("shop", "m")]
    assert heard.listed == []


async def test_a_listing_of_kopfs_own_is_a_hint_that_events_were_lost(heard: Heard, make: Any) -> None:
    await heard.event("services", None, make("m-1", 1, owner="m"))
    assert heard.cache.get("Service", "shop", "m-1") is not None
    assert heard.listed == [SERVICES]


async def test_a_bookmark_is_no_object(heard: Heard) -> None:
    await heard.event("services", "BOOKMARK", {"metadata": {"resourceVersion": "9"}})
    assert list(heard.cache.all("Service")) == []
