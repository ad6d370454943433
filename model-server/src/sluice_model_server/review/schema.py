"""Does the file ask for nothing but reviewed types, each by the loader that belongs to it?

skops trusts all of scikit-learn's estimators; the table has those that were reviewed. What is not in it is refused
before anything of it exists.
"""

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final
from zipfile import ZipFile

import numpy as np
from skops.io._protocol import PROTOCOL
from skops.io._sklearn import ALLOWED_LOSSES
from skops.io._trusted_types import NUMPY_DTYPE_TYPE_NAMES, NUMPY_UFUNC_TYPE_NAMES, SCIPY_UFUNC_TYPE_NAMES
from skops.io._utils import get_module

from sluice_model_server.errors import ModelBroken, UntrustedModel
from sluice_model_server.review.archive import SCHEMA
from sluice_model_server.review.table import REVIEWED, TREE

MAX_DEPTH: Final = 200
"""A forest in a pipeline in a search is 30 deep."""

_SCALARS: Final = frozenset(NUMPY_DTYPE_TYPE_NAMES)
_FUNCTIONS: Final = frozenset(
    {*NUMPY_UFUNC_TYPE_NAMES, *SCIPY_UFUNC_TYPE_NAMES, "sklearn.utils.validation.check_array"}
)
_ALL: Final = None

LOADERS: Final[dict[str, frozenset[str] | None]] = {
    "JsonNode": _ALL,  # numbers, texts, None
    "DictNode": frozenset({"builtins.dict", "collections.OrderedDict", "sklearn.utils._bunch.Bunch"}),
    "DefaultDictNode": frozenset({"collections.defaultdict"}),
    "ListNode": frozenset({"builtins.list"}),
    "TupleNode": frozenset({"builtins.tuple"}),
    "SetNode": frozenset({"builtins.set", "builtins.frozenset"}),
    "SliceNode": frozenset({"builtins.slice"}),
    "NdArrayNode": frozenset({"numpy.ndarray"}) | _SCALARS,
    "DTypeNode": frozenset({"numpy.dtype"}),
    "TypeNode": frozenset({"builtins.int", "builtins.float", "builtins.bool", "builtins.str"}) | _SCALARS,
    "RandomStateNode": frozenset({"numpy.random.mtrand.RandomState"}),
    "RandomGeneratorNode": frozenset({"numpy.random._generator.Generator"}),
    "SparseMatrixNode": frozenset({"scipy.sparse._csr.csr_matrix", "scipy.sparse._csr.csr_array"}),
    "FunctionNode": _FUNCTIONS,
    "PartialNode": frozenset({"functools.partial"}),  # of check_array only: objects looks
    "LossNode": frozenset(f"{get_module(loss)}.{loss.__name__}" for loss in ALLOWED_LOSSES),
    "TreeNode": frozenset({TREE}),
    "ObjectNode": frozenset(REVIEWED),
}
"""What skops may build a value with, and the types that each may build. Bound methods and calls of a type with
arguments from the file are not among them."""


def check_schema(path: Path) -> None:
    """Raises UntrustedModel when the archive asks for a type outside the table, ModelBroken when it has no schema."""
    with ZipFile(path) as archive:
        try:
            document = json.loads(archive.read(SCHEMA))
            protocol = document["protocol"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ModelBroken(
                f"{path.name}: its schema.json cannot be read: {type(error).__name__}: {error}"
            ) from error
        if protocol != PROTOCOL:
            raise UntrustedModel(
                f"{path.name}: written by another skops (protocol {protocol!r}); save it with skops 0.16"
            )
        for node in _nodes(path.name, document):
            _check_node(path.name, node, archive)


def _nodes(model: str, document: Any) -> Iterator[dict[str, Any]]:
    level = [document]
    for _ in range(MAX_DEPTH):
        inner: list[Any] = []
        for part in level:
            if isinstance(part, dict):
                if "__loader__" in part:
                    yield part
                inner.extend(part.values())
            elif isinstance(part, list):
                inner.extend(part)
        level = [part for part in inner if isinstance(part, dict | list)]
        if not level:
            return
    raise UntrustedModel(f"{model}: nested deeper than {MAX_DEPTH} levels")


def _check_node(model: str, node: dict[str, Any], archive: ZipFile) -> None:
    loader, module, name = (node.get(key) for key in ("__loader__", "__module__", "__class__"))
    if not (isinstance(loader, str) and isinstance(module, str) and isinstance(name, str)):
        raise UntrustedModel(f"{model}: a part of schema.json does not say its type")
    if loader == "CachedNode":
        return
    if loader not in LOADERS:
        raise UntrustedModel(f"{model}: {module}.{name} would be built by {loader}, which is not admitted")
    admitted = LOADERS[loader]
    if admitted is not None and f"{module}.{name}" not in admitted:
        raise UntrustedModel(f"{model}: {module}.{name} is not among the reviewed types{_advice(module, name)}")
    file = node.get("file")
    if file is not None and (not isinstance(file, str) or file not in archive.NameToInfo):
        raise UntrustedModel(f"{model}: {module}.{name} asks for a file that the archive does not have")
    if loader == "TreeNode":
        _check_tree_arguments(model, node, archive)


_ADVICE: Final[dict[str, str]] = {
    "sklearn.neighbors.": "; fit neighbours with algorithm='brute'",
    "sklearn.gaussian_process.": "; its kernels were not reviewed",
    "sklearn.compose._column_transformer.make_column_selector": "; pack the estimator itself with its data",
    "sklearn.model_selection._search": "; pack its best_estimator_",
}
_LIBRARIES: Final = ("sklearn.", "numpy.", "scipy.", "builtins.", "collections.", "functools.")


def _advice(module: str, name: str) -> str:
    known = (text for start, text in _ADVICE.items() if f"{module}.{name}".startswith(start))
    if not f"{module}.".startswith(_LIBRARIES):
        return ", as it is code of its author's: use steps of scikit-learn's own"
    return next(known, ", which docs/reference/model-server-formats.md lists")


def _check_tree_arguments(model: str, node: dict[str, Any], archive: ZipFile) -> None:
    """Tree's constructor reads n_outputs numbers from n_classes without looking how many there are."""
    try:
        _, classes, outputs = node["__reduce__"]["args"]["content"]
        read: Callable[..., Any] = np.load
        stored = archive.read(classes["file"]) if classes["__loader__"] == "NdArrayNode" else b""
        counts = read(io.BytesIO(stored), allow_pickle=False)
        said = json.loads(outputs["content"])
        right = (
            counts.ndim == 1
            and type(said) is int
            and 0 < said == len(counts)
            and 0 < int(counts.min()) <= int(counts.max()) < 1 << 24
        )
    except Exception as error:  # crafted in any way
        raise UntrustedModel(f"{model}: a tree's arguments cannot be read: {type(error).__name__}: {error}") from error
    if not right:
        raise UntrustedModel(f"{model}: a tree says {said!r} outputs and has {counts.shape} numbers of classes")
