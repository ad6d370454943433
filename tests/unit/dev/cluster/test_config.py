"""The daemons' configuration stays inside the cluster's own folders."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import yaml

from sluice_dev.cluster import config
from sluice_dev.cluster.access import PROMETHEUS_IN_NODE
from sluice_dev.cluster.daemons import DAEMONS
from sluice_dev.cluster.layout import Layout, cache_root

LAYOUT = Layout(Path("/checkout"), Path("/cache"))


def test_containerd_keeps_everything_below_the_state() -> None:
    parsed = tomllib.loads(config.containerd(LAYOUT))
    cri = parsed["plugins"]["io.containerd.grpc.v1.cri"]
    folders = [parsed["root"], parsed["state"], cri["containerd"]["runtimes"]["runc"]["options"]["Root"]]
    assert all(Path(folder).is_relative_to(LAYOUT.state) for folder in folders)
    assert cri["netns_mounts_under_state_dir"] is True


def test_pods_are_found_by_the_clusters_name() -> None:
    """The tear-down looks for them in this cgroup, and for the notes of this CNI network."""
    assert config.kubelet(LAYOUT)["cgroupRoot"] == f"/{LAYOUT.name}"
    assert config.cni(LAYOUT)["name"] == LAYOUT.name


def test_the_socket_fits_into_a_socket_address() -> None:
    deep = Layout(Path("/" + "long/" * 40), Path("/cache"))
    assert len(str(deep.containerd_socket)) <= 107


def test_killed_containers_start_again_within_a_second() -> None:
    assert config.kubelet(LAYOUT)["crashLoopBackOff"] == {"maxContainerRestartPeriod": "1s"}


def test_daemons_start_after_those_they_need() -> None:
    known: set[str] = set()
    for daemon in DAEMONS:
        assert set(daemon.needs) <= known
        known.add(daemon.name)


@pytest.mark.parametrize(
    ("manifest", "address"),
    [("coredns.yaml", config.DNS_ADDRESS), ("prometheus.yaml", PROMETHEUS_IN_NODE.split("/")[2].split(":")[0])],
)
def test_fixed_service_addresses_are_those_of_the_manifests(manifest: str, address: str) -> None:
    documents = yaml.safe_load_all((Layout.here().manifests / manifest).read_text())
    assert address in [document["spec"].get("clusterIP") for document in documents if document["kind"] == "Service"]


def test_the_cache_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    monkeypatch.delenv("SLUICE_CACHE", raising=False)
    assert cache_root() == Path("/xdg/sluice")
    monkeypatch.setenv("SLUICE_CACHE", "/big-disk/sluice")
    assert cache_root() == Path("/big-disk/sluice")
