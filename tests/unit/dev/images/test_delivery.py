"""Images reach a cluster of your own through your registry, and are asked for there by the names they have in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice_dev.cluster import Cluster, ClusterError
from sluice_dev.cluster.layout import Layout
from sluice_dev.images.catalog import IMAGES
from sluice_dev.images.delivery import by_reference, deliver_images

OWN = Cluster(Path("kubeconfig"))


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A docker that only notes what it is told; returns its notes."""
    notes = tmp_path / "notes"
    program = tmp_path / "docker"
    program.write_text(f'#!/bin/sh\necho "$@" >> {notes}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("SLUICE_PROMETHEUS_URL", "http://prometheus.example")
    return notes


def test_they_are_built_and_pushed_under_the_registrys_name(docker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGISTRY", "registry.example/team")
    monkeypatch.setenv("BASE", "debian:12")
    layout, said = Layout.here(), list[str]()

    delivered = deliver_images(OWN, layout, said.append)

    version = IMAGES["operator"].version(layout.checkout)
    assert delivered["operator"].reference == f"registry.example/team/operator:{version}"
    assert delivered["model-server"].reference == f"registry.example/team/model-server:{version}"
    told = [line for line in docker.read_text().splitlines() if line.startswith(("build", "push"))]
    assert [line.split()[0] for line in told] == ["build", "push", "build", "push"]
    assert "--build-arg BASE=debian:12" in told[0]
    assert [line.split()[-1] for line in told[1::2]] == [image.reference for image in delivered.values()]
    assert any("pushes" in words for words in said)


def test_another_base_is_another_content(docker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator's pods are rolled by the key: it must change with all that the image is made of."""
    monkeypatch.setenv("REGISTRY", "registry.example/team")
    keys = set()
    for base in ("", "debian:12"):
        monkeypatch.setenv("BASE", base)
        keys.add(deliver_images(OWN, Layout.here(), lambda _: None)["operator"].key)
    assert len(keys) == 2


def test_without_a_registry_nothing_is_built(docker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REGISTRY", raising=False)
    with pytest.raises(ClusterError, match="add REGISTRY="):
        deliver_images(OWN, Layout.here(), lambda _: None)
    assert not docker.exists()


def test_manifests_get_the_names_of_the_cluster() -> None:
    """Wherever a field `image` is; what is not the project's stays."""
    pod = {"containers": [{"image": "sluice/model-server:0.1.0", "name": "a"}, {"image": "busybox", "name": "image"}]}
    assert by_reference({"kind": "Pod", "spec": pod}, {"sluice/model-server:0.1.0": "mine/model-server:0.1.0"}) == {
        "kind": "Pod",
        "spec": {
            "containers": [{"image": "mine/model-server:0.1.0", "name": "a"}, {"image": "busybox", "name": "image"}]
        },
    }
