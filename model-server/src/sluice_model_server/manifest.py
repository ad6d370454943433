"""What does manifest.json say, and is it possible?"""

import hashlib
import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from sluice_model_server.errors import ManifestError, UnsupportedFormat

MANIFEST_FILE = "manifest.json"
MAX_MANIFEST_BYTES = 1 << 20
PICKLE_SUFFIXES = (".pkl", ".pickle", ".joblib", ".dill", ".cloudpickle")
PICKLE_ADVICE = (
    "pickle and joblib files run code when they are loaded and are refused; "
    "save the model with skops instead: skops.io.dump(model, 'model.skops')"
)
_SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")

NAME: Final = r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$"
VERSION: Final = r"^[A-Za-z0-9]([A-Za-z0-9._+-]{0,61}[A-Za-z0-9])?$"
Datatype = Literal["FP64", "FP32", "INT64", "BYTES"]
SUFFIXES: Final = {"skops": ".skops", "onnx": ".onnx"}
"""How the one file that holds the model ends, by format."""


def digest_of(content: bytes) -> str:
    """`sha256:` and 64 hexadecimal digits."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def check_digest(digest: str) -> str:
    """Returns `digest` unchanged; raises ManifestError when it is not written as `sha256:<64 hex digits>`."""
    if not _DIGEST.fullmatch(digest):
        raise ManifestError(f"{digest!r} is no digest; write sha256: and 64 lower-case hexadecimal digits")
    return digest


class ModelFile(BaseModel):
    """One file of a model, by its path relative to the manifest."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    path: Annotated[str, Field(min_length=1, max_length=255)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    size: Annotated[int, Field(ge=0)]

    @field_validator("path")
    @classmethod
    def _inside(cls, path: str) -> str:
        # A plain relative path: no "..", no "." first, no absolute path, no backslash, no escape of any kind.
        if path == MANIFEST_FILE or not all(_SEGMENT.fullmatch(part) for part in path.split("/")):
            raise ValueError(f"{path!r} must be a plain relative path of letters, digits, '.', '_', '-' and '/'")
        return path


class Column(BaseModel):
    """One input column of the model, in the order of the matrix it was trained on."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: Annotated[str, Field(min_length=1, max_length=253)]
    datatype: Datatype = "FP64"


class Manifest(BaseModel):
    """manifest.json. Its sha256 is the model's digest, so every byte of every file listed is pinned by it.

    columns: names and datatypes of the inputs; absent means the model's own feature names, all numbers.
    probe: rows that the model must answer before the pod is ready; absent means one row of zeros (and empty strings).
    classes: of an ONNX classifier whose graph does not say what its probabilities are of, in their order.
    Unknown fields are ignored, so that a newer packer's manifest still serves.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: Annotated[str, Field(pattern=NAME)]
    version: Annotated[str, Field(pattern=VERSION)]
    format: str
    files: Annotated[tuple[ModelFile, ...], Field(min_length=1, max_length=1000)]
    columns: Annotated[tuple[Column, ...], Field(max_length=10_000)] | None = None
    probe: Annotated[tuple[tuple[float | int | str | None, ...], ...], Field(min_length=1, max_length=64)] | None = None
    classes: Annotated[tuple[int | str, ...], Field(min_length=2, max_length=10_000)] | None = None

    @property
    def model_file(self) -> ModelFile:
        """The file that holds the model itself."""
        return next(file for file in self.files if file.path.endswith(SUFFIXES[self.format]))

    @model_validator(mode="after")
    def _consistent(self) -> "Manifest":
        paths = [file.path for file in self.files]
        if len(set(paths)) != len(paths):
            raise ValueError("files: a path stands twice")
        if self.columns is not None:
            names = [column.name for column in self.columns]
            if len(set(names)) != len(names):
                raise ValueError("columns: a name stands twice")
            for number, row in enumerate(self.probe or ()):
                if len(row) != len(names):
                    raise ValueError(f"probe[{number}] has {len(row)} values for {len(names)} columns")
        return self


def parse_manifest(content: bytes, where: str) -> Manifest:
    """Reads manifest.json.

    where: what to call it in errors, an address or a path.
    Raises ManifestError, and UnsupportedFormat for a format that is not served.
    """
    if len(content) > MAX_MANIFEST_BYTES:
        raise ManifestError(f"{where}: the manifest is larger than {MAX_MANIFEST_BYTES} bytes")
    try:
        manifest = Manifest.model_validate_json(content)
    except ValidationError as error:
        raise ManifestError(f"{where}: {first_error(error.errors()[0])}") from error
    _refuse_format(manifest, where)
    return manifest


def read_manifest(directory: Path) -> tuple[Manifest, str]:
    """The manifest of a fetched model and its digest. Raises ManifestError and UnsupportedFormat."""
    path = directory / MANIFEST_FILE
    try:
        content = path.read_bytes()
    except OSError as error:
        versions = sorted(found.parent.name for found in directory.glob(f"*/{MANIFEST_FILE}"))
        advice = (
            f"name a version's folder: {directory / versions[0]}" if versions else "pack or fetch a model into it first"
        )
        raise ManifestError(f"{path}: {error.strerror}; {advice}") from error
    return parse_manifest(content, str(path)), digest_of(content)


def _refuse_format(manifest: Manifest, where: str) -> None:
    pickles = [file.path for file in manifest.files if file.path.lower().endswith(PICKLE_SUFFIXES)]
    if pickles or manifest.format.lower() in {"pickle", "joblib", "cloudpickle", "dill"}:
        named = pickles[0] if pickles else f"format {manifest.format!r}"
        raise UnsupportedFormat(f"{where}: {named}: {PICKLE_ADVICE}")
    suffix = SUFFIXES.get(manifest.format)
    if suffix is None:
        raise UnsupportedFormat(f"{where}: format {manifest.format!r} is not served; known: {', '.join(SUFFIXES)}")
    if sum(file.path.endswith(suffix) for file in manifest.files) != 1:
        raise ManifestError(f"{where}: files: exactly one file must end in {suffix}")


def first_error(error: Any) -> str:
    place = ".".join(str(part) for part in error["loc"])
    return f"{place}: {error['msg']}" if place else str(error["msg"])
