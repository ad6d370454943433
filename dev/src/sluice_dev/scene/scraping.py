"""Prometheus scrapes at another interval for as long as one looks on; at its own again afterwards, whatever happens."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from sluice_dev.cluster import Cluster, ClusterError
from sluice_dev.cluster.layout import Layout
from sluice_dev.scene.api import Api
from sluice_dev.scene.outage import DEPLOYMENT, NAMESPACE

CONFIG, FILE, MANIFEST = "prometheus", "prometheus.yml", "prometheus.yaml"
INTERVAL = re.compile(r"(scrape_interval: )([0-9]+)s")


@contextmanager
def scraped_every(cluster: Cluster, seconds: int) -> Iterator[bool]:
    """Of the development cluster's Prometheus, which keeps its history. Yields whether that is a change.

    Raises ClusterError.
    """
    api = Api(cluster.kubeconfig)
    found = api.get("ConfigMap", NAMESPACE, CONFIG)["data"][FILE]
    # Not what was found: a run that was killed could not put its own back.
    own = with_interval(found, interval_of((Layout.here().manifests / MANIFEST).read_text()))
    try:
        _use(cluster, api, found, with_interval(found, seconds))
        yield found != with_interval(found, seconds)
    finally:
        _use(cluster, api, with_interval(found, seconds), own)


def interval_of(config: str) -> int:
    """The global scrape interval that a configuration states, in seconds. Raises ClusterError."""
    found = INTERVAL.findall(config)
    if len(found) != 1:
        raise ClusterError(f"{FILE} of ConfigMap {NAMESPACE}/{CONFIG} states {len(found)} scrape intervals, not one")
    return int(found[0][1])


def with_interval(config: str, seconds: int) -> str:
    """A Prometheus' configuration with another global scrape interval. Raises ClusterError where it states none."""
    interval_of(config)
    return INTERVAL.sub(rf"\g<1>{seconds}s", config)


def _use(cluster: Cluster, api: Api, before: str, config: str) -> None:
    if config == before:
        return
    api.patch("ConfigMap", NAMESPACE, CONFIG, {"data": {FILE: config}})
    # A new pod reads it at once; a running one would see the file only when the kubelet looks again.
    cluster.kubectl("rollout", "restart", DEPLOYMENT, "-n", NAMESPACE)
    cluster.kubectl("rollout", "status", DEPLOYMENT, "-n", NAMESPACE, "--timeout=90s")
