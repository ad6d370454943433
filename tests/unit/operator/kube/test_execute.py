"""What is looked at again before traffic is raised."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from simulation.fake_cluster import ApiServer, FakeCluster
from sluice.adapters.kube.execute import MOST_AGE, Executor
from sluice.api import names
from sluice.core.plan import Apply
from sluice.ports import Conflict
from sluice.runtime.cache import Cache
from unit.operator.core.scenes import IDENTITY, NOW, scene

JUST_ABOVE = MOST_AGE + timedelta(milliseconds=1)


def route(uid: str, weight: int) -> dict[str, Any]:
    owner = {"apiVersion": names.API_VERSION, "kind": names.KIND, "name": IDENTITY.name, "uid": uid}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {
            "namespace": IDENTITY.namespace,
            "name": IDENTITY.name,
            "annotations": {names.ANNOTATION_APPLIED: f"digest-{weight}"},
            "ownerReferences": [owner],
        },
        "spec": {"rules": [{"backendRefs": [{"name": "flights-new", "weight": weight}]}]},
    }


@dataclass(frozen=True)
class Lab:
    """A route with weight 10, and the object that owns it."""

    server: ApiServer
    cache: Cache
    uid: str
    version: str

    async def carry_out(self, decided: timedelta, *, fresh: bool) -> None:
        """Writes weight 50, decided so long ago."""
        s = replace(scene(), identity=replace(IDENTITY, uid=self.uid, resource_version=self.version))
        executor = Executor(FakeCluster(self.server), self.cache, lambda: True, "test", lambda: s.now + decided)
        await executor.run(s, (Apply(route(self.uid, 50), fresh=fresh),), {})

    @property
    def weight(self) -> int:
        live = self.server.get("HTTPRoute", IDENTITY.namespace, IDENTITY.name)
        return int(live["spec"]["rules"][0]["backendRefs"][0]["weight"])


@pytest.fixture
def lab() -> Lab:
    server, cache = ApiServer(lambda: NOW), Cache(("HTTPRoute", names.KIND, "EndpointSlice"))
    metadata = {"namespace": IDENTITY.namespace, "name": IDENTITY.name}
    owner = server.create(names.KIND, {"metadata": metadata, "spec": {}})["metadata"]
    cache.put("HTTPRoute", server.create("HTTPRoute", route(owner["uid"], 10)))
    return Lab(server, cache, owner["uid"], owner["resourceVersion"])


async def test_traffic_is_raised_by_a_decision_of_now(lab: Lab) -> None:
    await lab.carry_out(MOST_AGE, fresh=True)
    assert lab.weight == 50


async def test_a_decision_that_has_grown_old_raises_nothing(lab: Lab) -> None:
    with pytest.raises(Conflict, match="decided 3 s ago to raise traffic; it is decided again"):
        await lab.carry_out(JUST_ABOVE, fresh=True)
    assert lab.weight == 10


async def test_what_takes_traffic_back_is_never_too_old(lab: Lab) -> None:
    await lab.carry_out(timedelta(hours=1), fresh=False)
    assert lab.weight == 50


async def test_an_object_that_was_changed_meanwhile_raises_nothing(lab: Lab) -> None:
    lab.server.patch(names.KIND, IDENTITY.namespace, IDENTITY.name, {"spec": {"paused": True}})
    with pytest.raises(Conflict, match="has changed since it was read"):
        await lab.carry_out(timedelta(), fresh=True)
    assert lab.weight == 10
