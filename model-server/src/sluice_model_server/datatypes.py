"""Which datatypes has the Open Inference Protocol V2, and how does each become an array?"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

_Kind = tuple[frozenset[type], str]
_NUMBERS: Final[_Kind] = (frozenset({float, int, type(None)}), "numbers or null")
_INTEGERS: Final[_Kind] = (frozenset({int}), "integers")


@dataclass(frozen=True, slots=True)
class Datatype:
    """One datatype of the protocol.

    json_types: Python types of its JSON values, compared by type(), so that true is no integer.
    called: what errors call such values. binary: its little-endian form in binary tensors; None for BYTES, whose
    elements have a length of their own. null is a missing value, of floats and texts: JSON knows no NaN.
    """

    name: str
    json_types: frozenset[type]
    called: str
    binary: np.dtype[Any] | None

    def array(self, values: list[Any]) -> npt.NDArray[Any]:
        """Checked JSON values, flat, as an array: floats of any width as float64, strings as objects.

        Raises OverflowError when one does not fit.
        """
        if self.binary is None:
            array = np.empty(len(values), dtype=object)
            array[:] = values if None not in values else [np.nan if value is None else value for value in values]
            return array
        if self.binary.kind != "f":
            return np.array(values, dtype=self.binary.newbyteorder("="))
        wide = _floats(values)
        return wide if self.binary.itemsize == wide.itemsize else self._narrowed(wide)

    def _narrowed(self, wide: npt.NDArray[Any]) -> npt.NDArray[Any]:
        with np.errstate(over="ignore"):
            array = wide.astype(self.binary).astype(np.float64)
        if np.isinf(array).any():
            raise OverflowError(self.name)
        return array


def _floats(values: list[Any]) -> npt.NDArray[np.float64]:
    """Numbers, and NaN for None. Raises OverflowError for an integer beyond all floats."""
    try:
        return np.fromiter(values, np.float64, len(values))  # in half of the time that numpy.array takes to look around
    except TypeError:  # one is None
        return np.array(values, dtype=np.float64)


def _row(name: str, of: _Kind, binary: str | None) -> Datatype:
    return Datatype(name, *of, np.dtype(binary) if binary else None)


DATATYPES: Final[dict[str, Datatype]] = {
    row.name: row
    for row in (
        _row("FP64", _NUMBERS, "<f8"),
        _row("FP32", _NUMBERS, "<f4"),
        _row("FP16", _NUMBERS, "<f2"),
        _row("INT64", _INTEGERS, "<i8"),
        _row("INT32", _INTEGERS, "<i4"),
        _row("INT16", _INTEGERS, "<i2"),
        _row("INT8", _INTEGERS, "<i1"),
        _row("UINT64", _INTEGERS, "<u8"),
        _row("UINT32", _INTEGERS, "<u4"),
        _row("UINT16", _INTEGERS, "<u2"),
        _row("UINT8", _INTEGERS, "<u1"),
        _row("BOOL", (frozenset({bool}), "true or false"), "|b1"),
        _row("BYTES", (frozenset({str, type(None)}), "strings or null"), None),
    )
}
"""All but BF16, for which numpy has no type. FP64 is first: what errors advise first is what most models take."""


def datatype_of(array: npt.NDArray[Any]) -> str:
    """The V2 datatype of an output array; anything but booleans, integers and floats goes out as text."""
    return _BY_KIND.get(array.dtype.kind, "BYTES")


_BY_KIND: Final = {"b": "BOOL", "i": "INT64", "u": "INT64", "f": "FP64"}
