"""From a directory to a model that answered its probe."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from sluice_model_server.errors import DigestMismatch, ManifestError
from sluice_model_server.formats import format_of, loader
from sluice_model_server.manifest import Manifest, ModelFile, read_manifest
from sluice_model_server.predictor import Predictor
from sluice_model_server.probing import check_profile
from sluice_model_server.profile import Profile, read_profile


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model that answered its probe. digest: of its manifest.json. profile: of its data, if packed with some."""

    manifest: Manifest
    digest: str
    predictor: Predictor
    profile: Profile | None = None


def load_model(directory: Path, *, max_bytes: int, compiled: bool = True) -> ServedModel:
    """Verifies every file against the manifest, loads the model and lets it answer its probe.

    max_bytes: limit of the unpacked model. compiled: let the model answer faster where that changes no bit.
    Raises a ModelServerError.
    """
    manifest, digest = read_manifest(directory)
    for file in manifest.files:
        verify_file(directory / file.path, file)
    load = loader(manifest)
    predictor = Predictor(load(directory / manifest.model_file.path, manifest, max_bytes))
    answer = predictor.probe(manifest)
    profile = read_profile(directory, manifest)
    if profile is not None:
        known = format_of(manifest)
        check_profile(profile, predictor.columns, answer, relative=known.relative, absolute=known.absolute)
    if compiled:
        predictor.compile(manifest)
    return ServedModel(manifest, digest, predictor, profile)


def verify_file(path: Path, file: ModelFile) -> None:
    """Raises ManifestError when the file is missing, DigestMismatch when it holds other bytes than listed."""
    try:
        with path.open("rb") as stream:
            actual = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise ManifestError(f"{path}: {error.strerror}, though the manifest lists it; fetch the model again") from error
    if actual != file.sha256:
        raise DigestMismatch(str(path), f"sha256:{file.sha256}", f"sha256:{actual}")
