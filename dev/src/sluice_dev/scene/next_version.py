"""An image of the operator's next version, as far as an upgrade is concerned: it renders pods differently.

The image of this checkout with one more layer, in which one module of the operator is changed: nothing is built.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

from sluice_dev.cluster import ClusterError, oci

REFERENCE = "sluice/operator:next"
MODULE = "/site-packages/sluice/core/rendering.py"
ANNOTATION, VALUE = "sluice.dev/rendered-by", "the next version"
"""On every pod template that it renders."""

_CHANGE = f'''

_as_before = pod_template


def pod_template(*given, **named):
    """As the version before renders it, and one annotation more."""
    rendered = _as_before(*given, **named)
    rendered["metadata"].setdefault("annotations", {{}})["{ANNOTATION}"] = "{VALUE}"
    return rendered
'''


def write_next_version(built: Path, out: Path) -> None:
    """Writes it as an OCI archive under the name REFERENCE.

    built: OCI archive of the operator. Raises ClusterError if that has no such module.
    """
    with tarfile.open(built) as archive, tarfile.open(out, "w") as extended:
        index = json.loads(_read(archive, "index.json"))
        [image] = index["manifests"]
        manifest = json.loads(_read(archive, _blob(image["digest"])))
        config = json.loads(_read(archive, _blob(manifest["config"]["digest"])))
        blobs = [_blob(layer["digest"]) for layer in manifest["layers"]]
        path, source = _module(archive, blobs)
        layer = oci.layer({path: source + _CHANGE.encode()})
        manifest["layers"].append(_add_blob(extended, "application/vnd.oci.image.layer.v1.tar", layer))
        config["rootfs"]["diff_ids"].append(manifest["layers"][-1]["digest"])
        config.setdefault("history", []).append({"created_by": f"{MODULE} renders an annotation more"})
        manifest["config"] = _add_blob(extended, manifest["config"]["mediaType"], _json(config))
        image |= _add_blob(extended, image["mediaType"], _json(manifest))
        # The cluster's runtime knows a short name by its full one.
        image["annotations"] = {"io.containerd.image.name": f"docker.io/{REFERENCE}"}
        for name in blobs:
            _add(extended, name, _read(archive, name))
        _add(extended, "index.json", _json(index))
        _add(extended, "oci-layout", _read(archive, "oci-layout"))


def _module(archive: tarfile.TarFile, layers: list[str]) -> tuple[str, bytes]:
    """Path in the image, without a leading slash, and content; from the highest layer that has it."""
    for layer in reversed(layers):
        with tarfile.open(fileobj=io.BytesIO(_read(archive, layer))) as tar:
            for entry in tar:
                if entry.isfile() and f"/{entry.name}".endswith(MODULE):
                    return entry.name.removeprefix("./").removeprefix("/"), _read(tar, entry.name)
    raise ClusterError(f"the operator's image has no {MODULE}: another module renders pods now")


def _read(tar: tarfile.TarFile, name: str) -> bytes:
    file = tar.extractfile(name)
    if file is None:
        raise ClusterError(f"{name} is no file of the archive")
    return file.read()


def _blob(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    tar.addfile(entry, io.BytesIO(content))


def _add_blob(tar: tarfile.TarFile, media_type: str, content: bytes) -> dict[str, Any]:
    """Its descriptor."""
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    _add(tar, _blob(digest), content)
    return {"mediaType": media_type, "digest": digest, "size": len(content)}
