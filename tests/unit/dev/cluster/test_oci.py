"""A hand-made archive is one that names its content truly, and always the same bytes for the same content."""

from __future__ import annotations

import hashlib
import json
import tarfile
from pathlib import Path

from sluice_dev.cluster import oci


def test_the_same_files_give_the_same_layer() -> None:
    assert oci.layer({"/a": b"1", "/b": b"2"}) == oci.layer({"/b": b"2", "/a": b"1"})


def test_every_blob_has_the_digest_it_is_called_by(tmp_path: Path) -> None:
    archive = tmp_path / "image.tar"
    oci.write_image(archive, "sluice.dev/example:dev", ["/program"], [oci.layer({"/program": b"x"})])
    with tarfile.open(archive) as tar:
        blobs = [member for member in tar.getmembers() if member.name.startswith("blobs/sha256/")]
        assert len(blobs) == 3  # layer, config, manifest
        for blob in blobs:
            content = tar.extractfile(blob)
            assert content is not None
            assert hashlib.sha256(content.read()).hexdigest() == Path(blob.name).name


def test_an_archive_is_described_by_name_and_digest(tmp_path: Path) -> None:
    archive = tmp_path / "image.tar"
    oci.write_image(archive, "sluice.dev/example:dev", ["/program"], [oci.layer({"/program": b"x"})])
    name, digest = oci.described(archive)
    assert name == "sluice.dev/example:dev"
    with tarfile.open(archive) as tar:
        manifest = tar.extractfile(f"blobs/{digest.replace(':', '/')}")
        assert manifest is not None
        assert json.load(manifest)["schemaVersion"] == 2
