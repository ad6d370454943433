"""How does a fitted estimator become a model with a digest?"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from sluice_model_server.errors import UnsupportedFormat
from sluice_model_server.load import load_model
from sluice_model_server.manifest import (
    MANIFEST_FILE,
    PICKLE_ADVICE,
    PICKLE_SUFFIXES,
    Column,
    digest_of,
    parse_manifest,
)

MODEL_FILE: Final = "model.skops"


def pack(
    model: Any,
    into: Path,
    *,
    name: str,
    version: str,
    columns: Sequence[Column] = (),
    probe: Sequence[Sequence[float | int | str | None]] = (),
) -> str:
    """Writes model.skops and manifest.json for a fitted estimator and returns the digest, `sha256:...`.

    The same estimator gives the same bytes. The result is loaded and probed as the server would, so what packs also
    serves. columns, probe: as in the manifest; empty means not stated. Raises a ModelServerError.
    """
    from sluice_model_server.archive import dump  # noqa: PLC0415 - imports scikit-learn, which packing a file need not

    head: dict[str, Any] = {"name": name, "version": version}
    if columns:
        head["columns"] = [column.model_dump() for column in columns]
    if probe:
        head["probe"] = [list(row) for row in probe]
    return _write(dump(model), into, head)


def pack_file(path: Path, into: Path, *, name: str, version: str) -> str:
    """As `pack`, from a skops file as it is. Raises UnsupportedFormat for pickle and joblib."""
    if path.suffix.lower() in PICKLE_SUFFIXES:
        raise UnsupportedFormat(f"{path}: {PICKLE_ADVICE}")
    return _write(path.read_bytes(), into, {"name": name, "version": version})


def _write(content: bytes, into: Path, head: dict[str, Any]) -> str:
    file = {"path": MODEL_FILE, "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    manifest = {**head, "format": "skops", "files": [file]}
    text = (json.dumps(manifest, indent=2, sort_keys=True) + "\n").encode()
    parse_manifest(text, MANIFEST_FILE)
    into.mkdir(parents=True, exist_ok=True)
    (into / MODEL_FILE).write_bytes(content)
    (into / MANIFEST_FILE).write_bytes(text)
    load_model(into, max_bytes=1 << 40)
    return digest_of(text)
