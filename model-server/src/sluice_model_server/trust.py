"""Which types may a model file hold beyond those skops trusts by itself?

skops trusts scikit-learn's estimators and losses and numpy's plain types. Each row here was reviewed: what could a
crafted file do with it, and what stops that?
"""

from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile, ZipFile

import skops.io
from skops.io.exceptions import UntrustedTypesFoundException

from sluice_model_server.errors import ModelBroken, UnsupportedFormat, UntrustedModel
from sluice_model_server.manifest import PICKLE_ADVICE
from sluice_model_server.trees import check_trees

REVIEWED: Final[dict[str, str]] = {
    "sklearn.tree._tree.Tree": "indices without bounds checks; trees.check_trees bounds them",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor": "likewise",
    "numpy.dtype": "a description of numbers; holds no code and no pointers",
}


def load_trusted(path: Path, *, max_bytes: int) -> Any:
    """The estimator in a skops file.

    max_bytes: limit of its unpacked size.
    Raises UnsupportedFormat for anything but a skops archive, UntrustedModel for types and trees that are not admitted,
    ModelBroken when skops itself cannot read it.
    """
    _check_archive(path, max_bytes)
    try:
        model = skops.io.load(path, trusted=list(REVIEWED))
    except UntrustedTypesFoundException as error:
        raise UntrustedModel(f"{path.name}: {str(error).splitlines()[0]}") from error
    except Exception as error:  # a crafted file may raise anything while it is read
        raise ModelBroken(f"{path.name}: skops cannot load it: {type(error).__name__}: {error}") from error
    check_trees(model)
    return model


def _check_archive(path: Path, max_bytes: int) -> None:
    with path.open("rb") as file:
        head = file.read(4)
    if head[:1] == b"\x80" or head[:2] in {b"\x1f\x8b", b"BZ", b"\x78\x9c"}:  # a pickle protocol, or joblib compressed
        raise UnsupportedFormat(f"{path.name}: {PICKLE_ADVICE}")
    try:
        with ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
            named = set(archive.namelist())
    except BadZipFile as error:
        raise UnsupportedFormat(f"{path.name}: no skops archive; {PICKLE_ADVICE}") from error
    if "schema.json" not in named:
        raise UnsupportedFormat(f"{path.name}: a zip archive without schema.json is no skops file; {PICKLE_ADVICE}")
    if unpacked > max_bytes:
        raise UntrustedModel(f"{path.name}: unpacks to {unpacked} bytes, more than SLUICE_MODEL_MAX_MODEL_BYTES")
