"""How does a table of data become the rows that the server would get?

Needs pandas: the extra `pack` of this package. Whoever only serves does without.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sluice_model_server.errors import DataError
from sluice_model_server.manifest import Column, Datatype

if TYPE_CHECKING:
    import pandas as pd

Matrix = npt.NDArray[Any]


def frame_of(data: Any, what: str) -> "pd.DataFrame":
    """A pandas DataFrame of `data`.

    data: a DataFrame, anything with `to_pandas` (polars, pyarrow), a mapping of columns, or the path of a parquet or
    csv file. what: how errors call it. Raises DataError.
    """
    try:
        import pandas as pd  # noqa: PLC0415
    except ImportError:
        raise DataError("packing with data needs pandas: pip install 'sluice-model-server[pack]'") from None
    if isinstance(data, str | Path):
        frame = _read(pd, Path(data), what)
    elif isinstance(data, pd.DataFrame):
        frame = data
    elif hasattr(data, "to_pandas") and not isinstance(data, pd.Series):
        frame = data.to_pandas()
    elif hasattr(data, "keys") and not isinstance(data, pd.Series):
        frame = pd.DataFrame(dict(data))
    else:
        raise DataError(
            f"{what}: {type(data).__name__} is no table with names; give a DataFrame (of a matrix: "
            "pd.DataFrame(X, columns=[...])), or a parquet or csv file"
        )
    if not len(frame):
        raise DataError(f"{what}: has no rows")
    frame = frame.rename(columns=str)
    if not frame.columns.is_unique:
        raise DataError(f"{what}: the column {frame.columns[frame.columns.duplicated()][0]} stands twice")
    return frame.reset_index(drop=True)


def _read(pd: Any, path: Path, what: str) -> Any:
    suffixes = path.suffixes or [""]
    kind = (
        suffixes[-2] if suffixes[-1] in {".gz", ".zip", ".bz2", ".xz", ".zst"} and len(suffixes) > 1 else suffixes[-1]
    )
    readers = {".parquet": pd.read_parquet, ".pq": pd.read_parquet, ".csv": pd.read_csv}
    if kind not in readers:
        raise DataError(f"{what}: {path} is neither .parquet nor .csv")
    try:
        return readers[kind](path)
    except (OSError, ValueError, ImportError) as error:  # pyarrow's own errors are ValueErrors
        raise DataError(f"{what}: {path} cannot be read: {error}") from error


def input_names(
    names: Sequence[str] | None,
    count: int | None,
    frame: "pd.DataFrame",
    label: str | None,
    slices: Sequence[str],
    what: str,
) -> list[str]:
    """Which columns does the model take, in the order of its training?

    names: the model's own, None if it was trained on a matrix: then all columns but the label, without the slices if it
    was trained on as many fewer. count: how many it was trained on, None if it does not say. Raises DataError when
    they are missing or not as many.
    """
    if names is not None:
        missing = [name for name in names if name not in frame.columns]
        if missing:
            raise DataError(f"{what}: lacks the column {missing[0]} that the model was trained on")
        return list(names)
    rest = [str(name) for name in frame.columns if name != label]
    without_slices = [name for name in rest if name not in slices]
    for candidates in (rest, without_slices):
        if len(candidates) == (len(rest) if count is None else count):
            return candidates
    raise DataError(
        f"{what}: has {len(rest)} columns beside the label ({', '.join(rest[:8])}{', ...' if len(rest) > 8 else ''}), "
        f"the model was trained on {count} without names; give columns=[...] in the order of the training"
    )


def column_of(name: str, values: "pd.Series[Any]") -> Column:
    """Name and datatype of an input. Raises DataError for what the protocol cannot carry."""
    return Column(name=name, datatype=_datatype(name, values))


def _datatype(name: str, values: Any) -> Datatype:
    if hasattr(values, "cat"):
        return _datatype(name, values.cat.categories.to_series())
    kind = getattr(values.dtype, "kind", "O")
    if kind in "biu":
        return "FP64" if values.isna().any() else "INT64"
    if kind == "f":
        return "FP32" if values.dtype == np.float32 else "FP64"
    present = values.dropna()
    if kind in "OUT" or str(values.dtype).startswith("str"):
        types = set(map(type, present))
        if all(issubclass(found, str) for found in types):
            return "BYTES"
        if types <= {int, float, bool}:
            return "FP64"
    raise DataError(
        f"column {name}: {values.dtype} is neither numbers nor text, which is all that a request can carry; "
        "make numbers of it before the model is trained, or train without it"
    )


def matrix_of(frame: "pd.DataFrame", columns: Sequence[Column]) -> Matrix:
    """rows x columns as the server builds it: float64, or object where a column is text; NaN for missing values."""
    parts = [_values(frame[column.name], column) for column in columns]
    if all(column.datatype != "BYTES" for column in columns):
        return np.column_stack(parts) if parts else np.empty((len(frame), 0))
    matrix = np.empty((len(frame), len(columns)), dtype=object)
    for position, (part, column) in enumerate(zip(parts, columns, strict=True)):
        whole = column.datatype == "INT64" and not np.isnan(part).any()
        matrix[:, position] = part.astype(np.int64) if whole else part
    return matrix


def _values(values: Any, column: Column) -> Matrix:
    if column.datatype == "BYTES" or hasattr(values, "cat"):
        objects = values.astype(object)
        objects = np.asarray(objects.where(objects.notna(), np.nan), dtype=object)
        return objects if column.datatype == "BYTES" else objects.astype(np.float64)
    return np.asarray(values.to_numpy(np.float64, na_value=np.nan))
