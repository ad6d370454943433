"""How single programs become an image: a hand-made OCI archive (OCI Image Layout 1.0) of a few layers."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
"""The kernel's names of a machine, and Go's, which OCI uses."""

_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def layer(files: Mapping[str, bytes]) -> bytes:
    """An uncompressed tar with these files, path in the image -> content, all executable, owned by root.

    The same files give the same bytes: no times, no names of this machine.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(name.lstrip("/"))
            entry.size, entry.mode = len(content), 0o755
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def write_image(path: Path, name: str, entrypoint: Sequence[str], layers: Sequence[bytes]) -> None:
    """Writes the archive that `ctr images import` takes. layers: uncompressed tars, the lowest first."""
    config = _json(
        {
            "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
            "os": "linux",
            "config": {"Entrypoint": list(entrypoint), "Env": [_PATH]},
            "rootfs": {"type": "layers", "diff_ids": [_digest(blob) for blob in layers]},
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": _descriptor(_CONFIG, config),
            "layers": [_descriptor(_LAYER, blob) for blob in layers],
        }
    )
    named = {**_descriptor(_MANIFEST, manifest), "annotations": {"io.containerd.image.name": name}}
    index = _json({"schemaVersion": 2, "manifests": [named]})
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    with tarfile.open(draft, "w") as tar:
        _add(tar, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        _add(tar, "index.json", index)
        for digest, blob in {_digest(blob): blob for blob in (*layers, config, manifest)}.items():
            _add(tar, f"blobs/{digest.replace(':', '/')}", blob)
    draft.replace(path)


def described(archive: Path) -> tuple[str, str]:
    """(name, digest) of the one image in an OCI archive, as `ctr images import` will know it."""
    with tarfile.open(archive) as tar:
        index = tar.extractfile("index.json")
        if index is None:
            raise ValueError(f"{archive}: index.json is no file")
        image = json.load(index)["manifests"][0]
    names = image.get("annotations", {})
    # containerd's own annotation first, then the one of the OCI specification that buildah writes.
    name = names.get("io.containerd.image.name") or names.get("org.opencontainers.image.ref.name", "")
    return name, image["digest"]


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _digest(blob: bytes) -> str:
    return "sha256:" + hashlib.sha256(blob).hexdigest()


def _descriptor(media_type: str, blob: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": _digest(blob), "size": len(blob)}


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    tar.addfile(entry, io.BytesIO(content))
