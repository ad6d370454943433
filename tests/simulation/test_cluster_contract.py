"""The fake API server keeps the contract that the real one keeps: the same tests, on the fake."""

import uuid
from dataclasses import dataclass

import pytest

from apiserver.test_cluster_contract import *  # noqa: F403  # every test of the contract
from simulation.fake_cluster import FakeCluster
from sluice.ports import Object

pytestmark = []  # type: ignore[assignment]  # these need no API server


@dataclass
class FakeContract:
    """An API server in memory."""

    cluster: FakeCluster
    namespace: str

    async def other_manager(self, kind: str, manifest: Object) -> Object:
        """Apply by somebody else."""
        return self.cluster.server.apply(kind, manifest, manager="other")

    async def until_gone(self, kind: str, name: str) -> None:
        """Deletion is immediate here."""
        assert self.cluster.server.find(kind, self.namespace, name) is None


@pytest.fixture  # type: ignore[no-redef]  # takes the place of the real one
def contract() -> FakeContract:
    cluster = FakeCluster()
    namespace = f"fake-{uuid.uuid4().hex[:8]}"
    cluster.server.namespaces = {namespace}
    return FakeContract(cluster, namespace)
