"""What can be packed, and how does each kind become a file?"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from sluice_model_server.errors import DataError, UnsupportedFormat
from sluice_model_server.manifest import SUFFIXES, Column

if TYPE_CHECKING:
    import pandas as pd

    from sluice_model_server.predictor import Predictor

_COMPARED_ROWS: Final = 2_000
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
    return _Estimator(model)


def is_graph(model: Any) -> bool:
    """Whether it is an ONNX model in memory. Does not import onnx: who has one has done so."""
    return type(model).__name__ == "ModelProto" and hasattr(model, "SerializeToString")


class _Estimator:
    """scikit-learn's, saved as skops."""

    format = "skops"
    libraries = ("numpy", "scikit-learn", "scipy")

    def __init__(self, model: Any) -> None:
        self._model = _fitted(model)
        self.head: dict[str, Any] = {}
        names = getattr(model, "feature_names_in_", None)
        self.names = None if names is None else [str(name) for name in names]
        self.count = getattr(model, "n_features_in_", None)

    @property
    def by_name(self) -> bool:
        from sluice_model_server.by_position import selects_by_name  # noqa: PLC0415 - scikit-learn

        return selects_by_name(self._model)

    @property
    def described(self) -> str:
        steps = getattr(self._model, "steps", None)
        return " and ".join(type(step).__name__ for _, step in steps) if steps else type(self._model).__name__

    def content(self, *, data: bool) -> bytes:
        from sluice_model_server.archive import dump  # noqa: PLC0415 - skops; a graph needs none
        from sluice_model_server.by_position import by_position  # noqa: PLC0415 - scikit-learn

        return dump(by_position(self._model) if data else self._model)

    def columns(self, names: Sequence[str], frame: "pd.DataFrame") -> list[Column]:
        from sluice_model_server.tables import column_of  # noqa: PLC0415 - only with data

        return [column_of(name, frame[name]) for name in names]

    def compare(self, predictor: "Predictor", frame: "pd.DataFrame", names: Sequence[str]) -> None:
        """The packed model must answer the server's matrix as the fitted one does the DataFrame."""
        import numpy as np  # noqa: PLC0415 - only with data

        from sluice_model_server.tables import matrix_of  # noqa: PLC0415 - only with data

        if self.names is None:
            return
        table = frame[list(names)]
        incomplete = np.flatnonzero(table.isna().any(axis=1))[:_COMPARED_ROWS]
        rows = np.union1d(np.arange(min(len(table), _COMPARED_ROWS)), incomplete)
        some = table.iloc[rows]
        try:
            answer = predictor.predict(matrix_of(some, predictor.columns))
            fitted = np.asarray(
                self._model.predict(some) if answer.probability is None else self._model.predict_proba(some)
            )
        except ValueError as error:
            raise DataError(f"data: the model does not answer its own data: {error}") from error
        if answer.probability is not None:
            same = np.isclose(answer.probability, fitted, rtol=1e-6, atol=1e-9).all(axis=1)
        else:
            same = np.isclose(answer.label, fitted, rtol=1e-6) if fitted.dtype.kind == "f" else answer.label == fitted
        if not np.all(same):
            row = int(np.argmin(same))
            if without := [name for name, value in some.iloc[row].items() if value is None]:
                raise DataError(
                    f"data: row {rows[row]}: {without[0]} is None, to which the model answers otherwise than to NaN, "
                    "the one missing value that requests have; train it on NaN, or fill missing texts in"
                )
            raise DataError(
                f"data: row {rows[row]}: the model answers otherwise to a plain matrix, all that a server "
                "has, than to a DataFrame; does it depend on dtypes such as categories? Encode them in a step of the "
                "pipeline"
            )


def _fitted(model: Any) -> Any:
    from sklearn.exceptions import NotFittedError  # noqa: PLC0415 - a graph needs no scikit-learn
    from sklearn.utils.validation import check_is_fitted  # noqa: PLC0415

    try:
        check_is_fitted(model)
    except NotFittedError as error:
        raise DataError(f"{type(model).__name__} is not fitted; call fit first") from error
    except TypeError:  # no estimator at all: loading says what it lacks
        return model
    return model


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
