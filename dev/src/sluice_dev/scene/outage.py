"""Prometheus is gone, or hangs, for as long as one looks on; it is back afterwards, whatever happens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sluice_dev.cluster import Cluster
from sluice_dev.scene.api import Api
from sluice_dev.scene.freeze import frozen

NAMESPACE, DEPLOYMENT, LABELS = "monitoring", "deployment/prometheus", "app=prometheus"


@contextmanager
def stopped(cluster: Cluster) -> Iterator[None]:
    """No Prometheus at all: nobody answers at its address from the beginning on. Raises CommandFailed."""
    try:
        _scale(cluster, 0)
        # On its way out it still answers, so its Deployment at 0 is not enough.
        cluster.kubectl("wait", "--for=delete", "pod", "-l", LABELS, "-n", NAMESPACE, "--timeout=60s")
        yield
    finally:
        _scale(cluster, 1)
        cluster.kubectl("rollout", "status", DEPLOYMENT, "-n", NAMESPACE, "--timeout=90s")


@contextmanager
def hung(cluster: Cluster) -> Iterator[None]:
    """Its process is stopped: connections are taken and never answered. Raises ClusterError."""
    [pod] = Api(cluster.kubeconfig).list("Pod", NAMESPACE, LABELS)
    with frozen(pod, "prometheus"):
        yield


def _scale(cluster: Cluster, replicas: int) -> None:
    cluster.kubectl("scale", DEPLOYMENT, "-n", NAMESPACE, f"--replicas={replicas}")
