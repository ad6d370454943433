"""What can be packed, and how does each kind become a file?"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from sluice_model_server.errors import DataError, UnsupportedFormat
from sluice_model_server.manifest import SUFFIXES, Column

if TYPE_CHECKING:
    import pandas as pd

    from sluice_model_server.predictor import Predictor

MAX_BYTES: Final = 1 << 40


class Packable(Protocol):
    """Something that becomes a model file.

    format: of the manifest. head: what else the manifest says of it. libraries: packages whose releases decide its
    answers. names: of its inputs, None if it knows none. count: of its inputs, None if it does not say. described:
    what it is, for a person. by_name: whether it answers DataFrames only, unless it is packed with data.
    """

    format: str
    head: dict[str, Any]

    @property
    def by_name(self) -> bool: ...

    @property
    def libraries(self) -> tuple[str, ...]: ...

    @property
    def names(self) -> Sequence[str] | None: ...

    @property
    def count(self) -> int | None: ...

    @property
    def described(self) -> str: ...

    def content(self, *, data: bool) -> bytes:
        """The file. data: whether it is packed with its data, so that the manifest names its columns."""

    def columns(self, names: Sequence[str], frame: "pd.DataFrame") -> list[Column]:
        """Its inputs with these names and the datatypes that it takes. Raises DataError."""

    def compare(self, predictor: "Predictor", frame: "pd.DataFrame", names: Sequence[str]) -> None:
        """Raises DataError when the packed model answers otherwise than this one. predictor: of the file."""


def packable(model: Any, classes: Sequence[Any] = ()) -> Packable:
    """A fitted estimator, an ONNX model (`onnx.ModelProto`), or the path of a .onnx file. classes: see `pack`.

    Raises UnsupportedFormat, UntrustedModel and DataError.
    """
    if isinstance(model, str | Path) or is_graph(model):
        return _Graph(model, classes)
    if classes:
        raise DataError("classes: an estimator knows its own; give them for ONNX models only")
    from sluice_model_server.fitted import FittedEstimator  # noqa: PLC0415 - scikit-learn; a graph needs none

    return FittedEstimator(model)


def is_graph(model: Any) -> bool:
    """Whether it is an ONNX model in memory. Does not import onnx: who has one has done so."""
    return type(model).__name__ == "ModelProto" and hasattr(model, "SerializeToString")


class _Graph:
    """An ONNX model."""

    format = "onnx"
    libraries = ("numpy", "onnxruntime")
    by_name = False

    def __init__(self, model: Any, classes: Sequence[Any]) -> None:
        try:
            from sluice_model_server.graphs import packing  # noqa: PLC0415 - the extra onnx
        except ModuleNotFoundError as error:
            raise UnsupportedFormat(
                f"packing an ONNX model needs the package {error.name}: pip install 'sluice-model-server[onnx]'"
            ) from error
        self._graph = packing.graph_of(model, MAX_BYTES)
        self._own = self._graph.columns
        self.head = {} if not (found := self._graph.classes_of(classes)) else {"classes": found}
        self.names = [column.name for column in self._own] if self._graph.by_name else None
        self.count = len(self._own)

    @property
    def described(self) -> str:
        return self._graph.described

    def content(self, *, data: bool) -> bytes:
        return self._graph.content

    def columns(self, names: Sequence[str], frame: "pd.DataFrame") -> list[Column]:
        own = {column.name: column for column in self._own}
        if self.names is not None and (unknown := [name for name in names if name not in own]):
            raise DataError(f"columns: the graph has no input {unknown[0]}; it has {', '.join(own)}")
        taken = [own[name] for name in names] if self.names is not None else self._own
        if len(names) != len(taken):
            raise DataError(f"columns: {len(names)} of them, the graph takes {len(taken)}")
        return [Column(name=name, datatype=column.datatype) for name, column in zip(names, taken, strict=True)]

    def compare(self, predictor: "Predictor", frame: "pd.DataFrame", names: Sequence[str]) -> None:
        """The file is the model itself."""


def suffix_of(source: Packable) -> str:
    """How its file ends."""
    return SUFFIXES[source.format]
