"""What does a folder say of the model in it?"""

import json
from pathlib import Path
from typing import Final

from sluice_model_server.card import card
from sluice_model_server.manifest import Manifest, read_manifest
from sluice_model_server.profile import read_profile

_KINDS: Final = {"skops": "A scikit-learn model", "onnx": "An ONNX model"}


def described(folder: Path) -> str:
    """For a person: digest, files, and the card where there is a profile. Raises ManifestError."""
    manifest, digest = read_manifest(folder)
    profile = read_profile(folder, manifest)
    files = "".join(f"- {file.path}, {file.size:,} bytes\n" for file in manifest.files)
    facts = f"- {digest}\n- format {manifest.format}\n{files}"
    if profile is None:
        return f"# {manifest.name} {manifest.version}\n\n{facts}{_columns(manifest)}"
    title, _, rest = card(manifest, profile, _KINDS[manifest.format]).partition("\n")
    return f"{title}\n\n{facts}{rest}".rstrip()


def document(folder: Path) -> str:
    """The same as JSON: digest, manifest, profile (null without one). Raises ManifestError."""
    manifest, digest = read_manifest(folder)
    profile = read_profile(folder, manifest)
    content = {
        "digest": digest,
        "manifest": manifest.model_dump(mode="json", exclude_none=True),
        "profile": None if profile is None else profile.model_dump(mode="json", exclude_none=True),
    }
    return json.dumps(content, indent=2)


def _columns(manifest: Manifest) -> str:
    if manifest.columns is None:
        return "\nNo profile: packed without data."
    lines = "".join(f"- {column.name}, {column.datatype}\n" for column in manifest.columns)
    return f"\nInputs:\n\n{lines}\nNo profile: packed without data."
