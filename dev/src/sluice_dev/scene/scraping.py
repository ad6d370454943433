"""Prometheus scrapes at another interval for as long as one looks on; at its own again afterwards, whatever happens."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from sluice_dev.cluster import Cluster, ClusterError
from sluice_dev.scene.api import Api
from sluice_dev.scene.outage import DEPLOYMENT, NAMESPACE

CONFIG, FILE = "prometheus", "prometheus.yml"
INTERVAL = re.compile(r"(scrape_interval: )[0-9a-z]+")


@contextmanager
def scraped_every(cluster: Cluster, seconds: int) -> Iterator[None]:
    """Of the development cluster's Prometheus, which keeps its history. Raises ClusterError."""
    api = Api(cluster.kubeconfig)
    before = api.get("ConfigMap", NAMESPACE, CONFIG)["data"][FILE]
    after = with_interval(before, seconds)
    if after == before:
        yield
        return
    try:
        _use(cluster, api, after)
        yield
    finally:
        _use(cluster, api, before)


def with_interval(config: str, seconds: int) -> str:
    """A Prometheus' configuration with another global scrape interval. Raises ClusterError where it states none."""
    changed, found = INTERVAL.subn(rf"\g<1>{seconds}s", config)
    if found != 1:
        raise ClusterError(f"{FILE} of ConfigMap {NAMESPACE}/{CONFIG} states {found} scrape intervals, not one")
    return changed


def _use(cluster: Cluster, api: Api, config: str) -> None:
    api.patch("ConfigMap", NAMESPACE, CONFIG, {"data": {FILE: config}})
    # A new pod reads it at once; a running one would see the file only when the kubelet looks again.
    cluster.kubectl("rollout", "restart", DEPLOYMENT, "-n", NAMESPACE)
    cluster.kubectl("rollout", "status", DEPLOYMENT, "-n", NAMESPACE, "--timeout=90s")
