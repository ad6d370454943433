"""Is the zip what it says it is: sizes, names, arrays?

zipfile unpacks a whole entry before it compares sizes, and numpy reserves what an array's header asks for. So both are
followed here piece by piece first.
"""

import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

import numpy as np

from sluice_model_server.errors import UnsupportedFormat, UntrustedModel
from sluice_model_server.manifest import PICKLE_ADVICE

SCHEMA: Final = "schema.json"
MAX_ENTRIES: Final = 1_000_000
MAX_SCHEMA_BYTES: Final = 256 << 20
"""A forest of 1,000 trees has a schema of 3 MB."""
_PIECE: Final = 1 << 18
_LOCAL_HEADER: Final = 30
_PICKLED: Final = (
    b"\x80",
    b"\x1f\x8b",
    b"BZ",
    b"\x78\x01",
    b"\x78\x5e",
    b"\x78\x9c",
    b"\x78\xda",
    b"\xfd7zXZ",
    b"\x04\x22\x4d\x18",
)
"""How a pickle begins, and what joblib compresses with: gzip, bzip2, zlib, xz, lz4."""
_HEADERS: Final = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
_SUFFIXES: Final = (".npy", ".npz")


def check_archive(path: Path, max_bytes: int) -> None:
    """Raises UnsupportedFormat unless `path` is a skops archive, UntrustedModel when it is not what it says.

    max_bytes: limit of all that it unpacks to.
    """
    with path.open("rb") as file:
        head = file.read(8)
        if head.startswith(_PICKLED):
            raise UnsupportedFormat(f"{path.name}: {PICKLE_ADVICE}")
        try:
            with ZipFile(file) as archive:
                entries = archive.infolist()
                _check_names(path.name, entries, max_bytes)
                for entry in entries:
                    _check_entry(path.name, file, archive, entry)
        except (BadZipFile, zlib.error, NotImplementedError, EOFError) as error:
            raise UnsupportedFormat(f"{path.name}: no whole skops archive ({error}); {PICKLE_ADVICE}") from error


def _check_names(model: str, entries: list[ZipInfo], max_bytes: int) -> None:
    names = [entry.filename for entry in entries]
    if SCHEMA not in names:
        raise UnsupportedFormat(f"{model}: a zip archive without schema.json is no skops file; {PICKLE_ADVICE}")
    if len(names) > MAX_ENTRIES or len(set(names)) != len(names):
        raise UntrustedModel(f"{model}: more than {MAX_ENTRIES} entries, or two of one name")
    for entry in entries:
        name = entry.filename
        if name != SCHEMA and (not name.endswith(_SUFFIXES) or "/" in name or "\\" in name or name.startswith(".")):
            raise UntrustedModel(
                f"{model}: entry {name[:80]!r}: only schema.json and arrays by plain names belong there"
            )
        if entry.flag_bits & 1 or entry.compress_type not in {ZIP_STORED, ZIP_DEFLATED}:
            raise UntrustedModel(f"{model}: entry {name}: encrypted or compressed in another way than deflate")
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > max_bytes:
        raise UntrustedModel(f"{model}: unpacks to {unpacked} bytes, more than SLUICE_MODEL_MAX_MODEL_BYTES")
    if next(entry for entry in entries if entry.filename == SCHEMA).file_size > MAX_SCHEMA_BYTES:
        raise UntrustedModel(f"{model}: schema.json is larger than {MAX_SCHEMA_BYTES} bytes")


def _check_entry(model: str, file: IO[bytes], archive: ZipFile, entry: ZipInfo) -> None:
    size = 0
    head = b""
    for piece in _pieces(file, entry):
        if not size:
            head = piece[:16384]
        size += len(piece)
        if size > entry.file_size:
            raise UntrustedModel(
                f"{model}: entry {entry.filename} unpacks to more than the {entry.file_size} bytes it says"
            )
    if size != entry.file_size:
        raise UntrustedModel(f"{model}: entry {entry.filename} has {size} of the {entry.file_size} bytes it says")
    if entry.filename.endswith(".npy"):
        _check_array(model, entry.filename, head, size)
    elif entry.filename.endswith(".npz"):
        _check_sparse(model, entry.filename, archive.read(entry))


def _pieces(file: IO[bytes], entry: ZipInfo) -> Iterator[bytes]:
    """The entry's content, never more than a piece at a time, whatever it unpacks to."""
    file.seek(entry.header_offset)
    header = file.read(_LOCAL_HEADER)
    if len(header) != _LOCAL_HEADER or header[:4] != b"PK\x03\x04":
        raise BadZipFile(f"no entry where {entry.filename} should be")
    file.seek(int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little"), io.SEEK_CUR)
    left = entry.compress_size
    inflate = zlib.decompressobj(-15) if entry.compress_type == ZIP_DEFLATED else None
    while left:
        packed = file.read(min(left, _PIECE))
        if not packed:
            raise EOFError(f"{entry.filename} is cut off")
        left -= len(packed)
        if inflate is None:
            yield packed
            continue
        while packed:
            yield inflate.decompress(packed, _PIECE)
            packed = inflate.unconsumed_tail
    if inflate is not None:
        while rest := inflate.decompress(b"", _PIECE):
            yield rest
        if not inflate.eof or inflate.unused_data:
            raise BadZipFile(f"{entry.filename} does not end where it should")


def _check_array(model: str, name: str, head: bytes, size: int) -> None:
    stream = io.BytesIO(head)
    try:
        version = np.lib.format.read_magic(stream)
        read = _HEADERS[version]
        shape, _, dtype = read(stream)
        content = int(np.prod([int(side) for side in shape], dtype=object)) * dtype.itemsize
        negative = any(side < 0 for side in shape)
    except Exception as error:  # numpy raises many things at a crafted header
        raise UntrustedModel(f"{model}: {name} is no array: {type(error).__name__}: {error}") from error
    if dtype.hasobject:
        raise UntrustedModel(f"{model}: {name} is an array of pickled objects, which run code when they are loaded")
    if negative or stream.tell() + content != size:
        raise UntrustedModel(f"{model}: {name} says shape {shape} of {dtype.itemsize} bytes each and has {size} bytes")


def _check_sparse(model: str, name: str, content: bytes) -> None:
    stream = io.BytesIO(content)
    with ZipFile(stream) as archive:
        for entry in archive.infolist():
            if not entry.filename.endswith(".npy") or entry.flag_bits & 1:
                raise UntrustedModel(f"{model}: {name} holds {entry.filename[:80]!r}, which is no array")
            if entry.file_size > len(content) * 1032 or entry.file_size > 1 << 31:  # more than deflate can pack
                raise UntrustedModel(f"{model}: {name} says more than it can hold")
            _check_entry(f"{model}: {name}", stream, archive, entry)
