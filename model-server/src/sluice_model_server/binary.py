"""The binary tensor data extension: tensors as bytes behind the JSON of a request or an answer.

The header Inference-Header-Content-Length says where the JSON ends; each tensor's `binary_data_size` how many of the
bytes behind it are its own, in the order of the tensors. Numbers are little-endian, BYTES elements have their length
in front, 4 bytes (https://github.com/triton-inference-server/server, docs/protocol/extension_binary_data.md).
"""

import struct
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from sluice_model_server.datatypes import DATATYPES, Datatype, datatype_of
from sluice_model_server.errors import RequestError

LENGTH_HEADER: Final = b"inference-header-content-length"
_LENGTH = struct.Struct("<I")


class BinarySection:
    """What stands behind the JSON of a request, taken tensor by tensor."""

    def __init__(self, content: memoryview) -> None:
        self._rest = content

    def take(self, size: Any, place: str) -> memoryview:
        """The next `size` bytes. Raises RequestError(400) when there are fewer, or when it is no size."""
        if type(size) is not int or size < 0:
            raise RequestError(400, f"{place}.parameters.binary_data_size: must be a number of bytes")
        if size > len(self._rest):
            raise RequestError(
                400,
                f"{place}.parameters.binary_data_size: {size} bytes, but the body has only {len(self._rest)} left "
                "behind the JSON",
            )
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken

    def finish(self) -> None:
        """Raises RequestError(400) when bytes are left that no tensor took."""
        if self._rest:
            raise RequestError(400, f"inputs: {len(self._rest)} bytes behind the JSON belong to no tensor")


def split(body: bytes, header: bytes) -> tuple[memoryview, BinarySection]:
    """The JSON of a body and what stands behind it. header: the value of Inference-Header-Content-Length."""
    if not header.isdigit() or len(header) > len("4294967295") or int(header) > len(body):
        raise RequestError(
            400,
            f"Inference-Header-Content-Length: must be the number of bytes of the JSON, at most the body's {len(body)}",
        )
    view = memoryview(body)
    return view[: int(header)], BinarySection(view[int(header) :])


def decode(content: memoryview, datatype: Datatype, count: int, place: str) -> npt.NDArray[Any]:
    """`count` elements; floats as float64, BYTES as objects (str). Raises RequestError(400)."""
    if datatype.binary is None:
        return _strings(content, count, place)
    expected = count * datatype.binary.itemsize
    if len(content) != expected:
        raise RequestError(
            400,
            f"{place}.parameters.binary_data_size: {count} values of {datatype.name} have {expected} bytes, "
            f"not {len(content)}",
        )
    if datatype.name == "BOOL":  # any byte but 0 is true; numpy must never see another one as a bool
        return np.frombuffer(content, np.uint8).astype(np.bool_)
    array = np.frombuffer(content, datatype.binary)
    # Copied: the body may lie at any address, and an estimator may want to write.
    return array.astype(np.float64) if datatype.binary.kind == "f" else array.astype(datatype.binary.newbyteorder("="))


def _strings(content: memoryview, count: int, place: str) -> npt.NDArray[Any]:
    if count * _LENGTH.size > len(content):
        raise RequestError(
            400, f"{place}: {count} BYTES elements need at least {count * _LENGTH.size} bytes, not {len(content)}"
        )
    array = np.empty(count, dtype=object)
    start = 0
    for index in range(count):
        begin = start + _LENGTH.size
        end = begin + _LENGTH.unpack_from(content, start)[0] if begin <= len(content) else len(content) + 1
        if end > len(content):
            raise RequestError(400, f"{place}: element {index} reaches beyond the tensor's {len(content)} bytes")
        try:
            array[index] = str(content[begin:end], "utf-8")
        except UnicodeDecodeError:
            raise RequestError(400, f"{place}: element {index} is no UTF-8 text") from None
        start = end
    if start != len(content):
        raise RequestError(400, f"{place}: {len(content) - start} bytes are left behind its {count} elements")
    return array


def encode(array: npt.NDArray[Any]) -> bytes:
    """An output array in the binary form of its datatype, row by row."""
    form = DATATYPES[datatype_of(array)].binary
    if form is not None:
        return np.ascontiguousarray(array, dtype=form).tobytes()
    parts: list[bytes] = []
    for value in array.ravel().tolist():
        text = str(value).encode()
        parts += (_LENGTH.pack(len(text)), text)
    return b"".join(parts)
