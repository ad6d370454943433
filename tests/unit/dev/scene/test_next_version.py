"""The next version's image is the built one with one module changed."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from sluice_dev.cluster import ClusterError, oci
from sluice_dev.scene.next_version import ANNOTATION, MODULE, REFERENCE, VALUE, write_next_version

PATH = f"opt/sluice/lib/python3.11{MODULE}"
RENDERING = b"def pod_template(owner):\n    return {'metadata': {'labels': {'of': owner}}}\n"


def built(folder: Path, *layers: dict[str, bytes]) -> Path:
    """An image of these layers, the lowest first."""
    archive = folder / "built.tar"
    oci.write_image(archive, "docker.io/sluice/operator:0.1.0", ["sluice"], [oci.layer(files) for files in layers])
    return archive


def content(archive: Path, digest: str) -> bytes:
    with tarfile.open(archive) as tar:
        file = tar.extractfile(f"blobs/{digest.replace(':', '/')}")
        assert file is not None
        return file.read()


def test_it_has_one_layer_more_and_another_name(tmp_path: Path) -> None:
    before, after = built(tmp_path, {"usr/bin/python": b""}, {PATH: RENDERING}), tmp_path / "next.tar"
    write_next_version(before, after)

    name, digest = oci.described(after)
    assert name == f"docker.io/{REFERENCE}"
    old: dict[str, Any] = json.loads(content(before, oci.described(before)[1]))
    new: dict[str, Any] = json.loads(content(after, digest))
    assert new["layers"][:2] == old["layers"]
    config = json.loads(content(after, new["config"]["digest"]))
    assert config["rootfs"]["diff_ids"] == [layer["digest"] for layer in new["layers"]]
    assert config["config"]["Entrypoint"] == ["sluice"]
    for layer in old["layers"]:
        assert content(after, layer["digest"]) == content(before, layer["digest"])


def test_it_renders_one_annotation_more(tmp_path: Path) -> None:
    after = tmp_path / "next.tar"
    write_next_version(built(tmp_path, {PATH: b"raise SystemExit"}, {PATH: RENDERING}), after)

    *_, top = json.loads(content(after, oci.described(after)[1]))["layers"]
    with tarfile.open(fileobj=io.BytesIO(content(after, top["digest"]))) as layer:
        assert layer.getnames() == [PATH]
        file = layer.extractfile(PATH)
        assert file is not None
        module: dict[str, Any] = {}
        exec(file.read(), module)  # noqa: S102 - made here
    assert module["pod_template"]("m") == {"metadata": {"labels": {"of": "m"}, "annotations": {ANNOTATION: VALUE}}}


def test_an_image_without_the_module_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="another module"):
        write_next_version(built(tmp_path, {"usr/bin/python": b""}), tmp_path / "next.tar")
