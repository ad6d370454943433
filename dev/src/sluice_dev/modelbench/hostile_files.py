"""Model files as an attacker, a broken disk or a colleague with a pickle might leave them."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

import joblib
import numpy as np


@dataclass(frozen=True, slots=True)
class Hostile:
    """kind: which attack. what: on what. content: of the model's file. may_load: a harmless change may give a good
    model. format: of the manifest.
    """

    kind: str
    what: str
    content: bytes
    may_load: bool = False
    format: str = "skops"


def read(content: bytes) -> dict[str, bytes]:
    """Entry by entry."""
    with ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(entries: dict[str, bytes], compression: int = ZIP_DEFLATED) -> bytes:
    """An archive with good checksums, whatever is in it."""
    target = io.BytesIO()
    with ZipFile(target, "w", compression) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return target.getvalue()


class RunsCode:
    """A pickle of this calls a function when it is loaded."""

    def __reduce__(self) -> Any:
        return (print, ("a pickle ran its code",))


def pickles(model: Any) -> Iterator[Hostile]:
    """pickle in every protocol, joblib with every compression of the standard library, and an array of objects."""
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        yield Hostile("pickle", f"protocol {protocol}", pickle.dumps(model, protocol))
        yield Hostile("pickle", f"code, protocol {protocol}", pickle.dumps(RunsCode(), protocol))
    for method in ("zlib", "gzip", "bz2", "lzma", "xz"):
        target = io.BytesIO()
        joblib.dump(model, target, compress=(method, 3))
        yield Hostile("pickle", f"joblib {method}", target.getvalue())
    target = io.BytesIO()
    joblib.dump(model, target)
    yield Hostile("pickle", "joblib", target.getvalue())
    target = io.BytesIO()
    np.save(target, np.array([RunsCode()], dtype=object), allow_pickle=True)
    yield Hostile("pickle", "npy", target.getvalue())
    target = io.BytesIO()
    np.savez(target, a=np.array([RunsCode()], dtype=object))
    yield Hostile("pickle", "npz", target.getvalue())


def truncated(name: str, content: bytes, step: int = 1024) -> Iterator[Hostile]:
    """Cut off at every KiB."""
    for end in range(0, len(content), step):
        yield Hostile("truncated", f"{name} at {end}", content[:end])


SIZES: Final = {"bomb": 3 << 30, "denied": 1 << 30, "schema": 300 << 20}
"""What the bombs unpack to, bytes."""


def archives(name: str, content: bytes, sizes: Mapping[str, int] = SIZES) -> Iterator[Hostile]:
    """Zips that are not what they say: bombs, foreign names, lies about sizes."""
    entries = read(content)
    array = next(entry for entry in entries if entry.endswith(".npy"))

    def case(what: str, changed: bytes) -> Hostile:
        return Hostile("archive", f"{name}: {what}", changed)

    yield case("bomb of 3 GiB", _with_zeros(entries, "bomb.npy", sizes["bomb"]))
    yield case("bomb in the place of an array, its size denied", _understated(entries, array, sizes["denied"]))
    yield case(
        "schema of 300 MiB",
        _with_zeros({k: v for k, v in entries.items() if k != "schema.json"}, "schema.json", sizes["schema"]),
    )
    for foreign in (
        "../escape.npy",
        "/etc/passwd",
        "a/b.npy",
        "..\\escape.npy",
        "C:\\x.npy",
        ".hidden.npy",
        "run.pkl",
        "x.so",
    ):
        yield case(f"entry {foreign}", write({**entries, foreign: entries[array]}))
    yield case("schema.json missing", write({k: v for k, v in entries.items() if k != "schema.json"}))
    yield case("array missing", write({k: v for k, v in entries.items() if k != array}))
    for shape in ("(99999999999,)", "(1099511627776, 1099511627776)", "(-1,)", "(4294967296, 4294967296, 16)", "(0,)"):
        yield case(f"array that says {shape}", write({**entries, array: _header(entries[array], shape)}))
    yield case("array of objects", write({**entries, array: _objects()}))
    yield case("array that is a pickle", write({**entries, array: pickle.dumps(RunsCode())}))
    yield case("header that is code", write({**entries, array: _raw_header("__import__('os').abort()")}))
    yield case(
        "header of 1 GB", write({**entries, array: b"\x93NUMPY\x02\x00" + struct.pack("<I", 1 << 30) + b"x" * 99})
    )
    twice = io.BytesIO(content)
    with ZipFile(twice, "a") as archive:
        archive.writestr(array, entries[array])
    yield case("entry twice", twice.getvalue())
    for place in range(0, len(content), max(1, len(content) // 40)):
        flipped = bytearray(content)
        flipped[place] ^= 0xFF
        yield Hostile("bytes", f"{name}: byte {place}", bytes(flipped), may_load=True)


def _with_zeros(entries: dict[str, bytes], name: str, size: int) -> bytes:
    target = io.BytesIO()
    with ZipFile(target, "w", ZIP_DEFLATED) as archive:
        for known, content in entries.items():
            archive.writestr(known, content)
        with archive.open(name, "w", force_zip64=True) as stream:
            zeros = bytes(1 << 22)
            for _ in range(size >> 22):
                stream.write(zeros)
    return target.getvalue()


def _understated(entries: dict[str, bytes], name: str, size: int) -> bytes:
    """An entry whose compressed bytes unpack to `size`, while both headers state the true array's size and checksum."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = (
        b"".join(deflate.compress(piece) for piece in (entries[name], *([bytes(1 << 22)] * (size >> 22))))
        + deflate.flush()
    )
    target = io.BytesIO()
    with ZipFile(target, "w", ZIP_STORED) as archive:
        for known, content in entries.items():
            archive.writestr(known, packed if known == name else content)
    changed = bytearray(target.getvalue())
    for signature, method_at, crc_at in ((b"PK\x03\x04", 8, 14), (b"PK\x01\x02", 10, 16)):
        at = 0
        length_at = {b"PK\x03\x04": 26, b"PK\x01\x02": 28}[signature]
        name_at = {b"PK\x03\x04": 30, b"PK\x01\x02": 46}[signature]
        while (at := changed.find(signature, at)) >= 0:
            (length,) = struct.unpack_from("<H", changed, at + length_at)
            if bytes(changed[at + name_at : at + name_at + length]) == name.encode():
                struct.pack_into("<H", changed, at + method_at, ZIP_DEFLATED)
                struct.pack_into(
                    "<III", changed, at + crc_at, zlib.crc32(entries[name]), len(packed), len(entries[name])
                )
            at += 4
    return bytes(changed)


def _header(array: bytes, shape: str) -> bytes:
    stream = io.BytesIO(array)
    np.lib.format.read_magic(stream)
    _, order, dtype = np.lib.format.read_array_header_1_0(stream)
    said = f"{{'descr': {np.lib.format.dtype_to_descr(dtype)!r}, 'fortran_order': {order}, 'shape': {shape}, }}"
    return _raw_header(said) + array[stream.tell() :]


def _raw_header(said: str) -> bytes:
    text = said.encode().ljust(182) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


def _objects() -> bytes:
    target = io.BytesIO()
    np.save(target, np.array([RunsCode()], dtype=object), allow_pickle=True)
    return target.getvalue()


FOREIGN_TYPES: Final = (
    ("os", "system"),
    ("builtins", "eval"),
    ("builtins", "exec"),
    ("subprocess", "Popen"),
    ("posix", "system"),
    ("operator", "methodcaller"),
    ("sklearn.utils._joblib", "Memory"),
    ("pathlib", "Path"),
    ("logging", "FileHandler"),
    ("sklearn.neighbors._kd_tree", "KDTree"),
    ("sklearn.datasets._base", "load_files"),
    ("numpy", "memmap"),
    ("sklearn.gaussian_process._gpc", "GaussianProcessClassifier"),
    ("sklearn.tree._tree", "Tree"),
)
LOADERS: Final = (
    "ObjectNode",
    "MethodNode",
    "PartialNode",
    "FunctionNode",
    "TypeNode",
    "ConstructorFromReduceNode",
    "OperatorFuncNode",
    "ReduceNode",
    "TreeNode",
    "LossNode",
    "BytesNode",
    "DictNode",
    "NdArrayNode",
    "NoNode",
)


def types(name: str, content: bytes) -> Iterator[Hostile]:
    """Types that a model does not need, and reviewed types by a loader that is not theirs."""
    entries = read(content)
    root = json.loads(entries["schema.json"])
    for module, kind in FOREIGN_TYPES:
        for loader in (root["__loader__"], "FunctionNode", "MethodNode", "LossNode", "ConstructorFromReduceNode"):
            changed = {**root, "__module__": module, "__class__": kind, "__loader__": loader}
            if loader == "FunctionNode":
                changed["content"] = {"module_path": module, "function": kind}
            yield Hostile("types", f"{name}: {module}.{kind} by {loader}", _with_schema(entries, changed))
    for loader in LOADERS:
        if loader != root["__loader__"]:
            yield Hostile("types", f"{name}: root by {loader}", _with_schema(entries, {**root, "__loader__": loader}))
    text = _nested(5000)
    yield Hostile("types", f"{name}: 5000 levels", write({**entries, "schema.json": text}))
    yield Hostile("types", f"{name}: another protocol", _with_schema(entries, {**root, "protocol": 0}))
    yield Hostile("types", f"{name}: no json", write({**entries, "schema.json": b"\x00\xff"}))


def _nested(levels: int) -> bytes:
    typed = b'"__class__": "list", "__module__": "builtins", "__loader__": "ListNode", "content": ['
    return b'{"protocol": 2, "_skops_version": "0.16", ' + typed + (b"{" + typed) * levels + b"]}" * (levels + 1)


def _with_schema(entries: dict[str, bytes], schema: Any) -> bytes:
    return write({**entries, "schema.json": json.dumps(schema).encode()})


EXTREMES: Final = (-1, -2, 0, 1, 7, 255, 256, 65_535, 10**6, 2**31 - 1, -(2**31), 2**40, 2**62)


def tampered(name: str, content: bytes, random: np.random.Generator, count: int) -> Iterator[Hostile]:
    """One thing changed, checksums good: a number, shape or type of an array; a value or reference of the schema."""
    entries = read(content)
    schema_text = entries["schema.json"]
    names = [entry for entry in entries if entry.endswith(".npy")]
    changes = (_value, _value, _value, _field, _shape, _dtype, _scalar, _scalar, _reference, _lost)
    done = 0
    while done < count:
        change = changes[random.integers(len(changes))]
        changed = dict(entries)
        what = change(changed, names, schema_text, random)
        if what is None or changed == entries:
            continue
        done += 1
        yield Hostile("tampered", f"{name}: {what}", write(changed), may_load=True)


def read_array(entries: dict[str, bytes], name: str) -> Any:
    """One array of an archive."""
    return np.load(io.BytesIO(entries[name]), allow_pickle=False)


def write_array(entries: dict[str, bytes], name: str, array: Any) -> None:
    """Puts another array in its place."""
    target = io.BytesIO()
    np.save(target, array, allow_pickle=False)
    entries[name] = target.getvalue()


def _set(array: Any, place: int, value: int) -> None:
    flat = array.reshape(-1)
    with np.errstate(all="ignore"):
        if array.dtype.kind in "iu":
            flat[place] = np.array(value).astype(array.dtype)
        elif array.dtype.kind == "b":
            flat[place] = not flat[place]
        elif array.dtype.kind == "f":
            flat[place] = np.float64(value)
        elif array.dtype.kind in "US":
            flat[place] = str(value)


def _value(entries: dict[str, bytes], names: list[str], schema: bytes, random: np.random.Generator) -> str | None:
    name = names[random.integers(len(names))]
    array = read_array(entries, name).copy()
    if not array.size or array.dtype.names:
        return None
    place, value = int(random.integers(array.size)), EXTREMES[random.integers(len(EXTREMES))]
    _set(array, place, value)
    write_array(entries, name, array)
    return f"{name}[{place}] = {value}"


def _field(entries: dict[str, bytes], names: list[str], schema: bytes, random: np.random.Generator) -> str | None:
    records = [name for name in names if b"'descr': [" in entries[name][:400]]
    if not records:
        return None
    name = records[random.integers(len(records))]
    array = read_array(entries, name).copy()
    field = array.dtype.names[random.integers(len(array.dtype.names))]
    place, value = int(random.integers(array.size)), EXTREMES[random.integers(len(EXTREMES))]
    column = array[field].copy()
    _set(column, place, value)
    array[field] = column
    write_array(entries, name, array)
    return f"{name}[{place}].{field} = {value}"


def _shape(entries: dict[str, bytes], names: list[str], schema: bytes, random: np.random.Generator) -> str | None:
    name = names[random.integers(len(names))]
    array = read_array(entries, name)
    ways = (
        (array[:-1], array[:0], array.T, array.ravel(), np.concatenate([array, array]))
        if array.ndim
        else (array.reshape(1),)
    )
    way = int(random.integers(len(ways)))
    write_array(entries, name, np.ascontiguousarray(ways[way]))
    return f"{name} of shape {ways[way].shape} instead of {array.shape}"


def _dtype(entries: dict[str, bytes], names: list[str], schema: bytes, random: np.random.Generator) -> str | None:
    name = names[random.integers(len(names))]
    array = read_array(entries, name)
    if array.dtype.names or array.dtype.kind not in "iufb":
        return None
    kind = ("<f4", "<f8", "<i4", "<i8", ">f8", "<u2", "|b1")[random.integers(7)]
    with np.errstate(all="ignore"):
        write_array(entries, name, array.astype(kind))
    return f"{name} as {kind} instead of {array.dtype.str}"


def nodes(schema: Any, loader: str) -> list[Any]:
    """All parts of a decoded schema that this loader builds."""
    found, stack = [], [schema]
    while stack:
        part = stack.pop()
        if isinstance(part, dict):
            if part.get("__loader__") == loader:
                found.append(part)
            stack.extend(part.values())
        elif isinstance(part, list):
            stack.extend(part)
    return found


def _scalar(entries: dict[str, bytes], names: list[str], schema: bytes, random: np.random.Generator) -> str | None:
    document = json.loads(schema)
    found = [node for node in nodes(document, "JsonNode") if "content" in node]
    node = found[random.integers(len(found))]
    choices = [*map(str, EXTREMES), "null", '"euclidean"', "true", "1e308", "[]", '"precomputed"']
    before, node["content"] = node["content"], choices[random.integers(len(choices))]
    entries["schema.json"] = json.dumps(document).encode()
    return f"{before[:30]} -> {node['content']}"


def _reference(entries: dict[str, bytes], names: list[str], schema: bytes, random: np.random.Generator) -> str | None:
    document = json.loads(schema)
    found = [node for node in nodes(document, "NdArrayNode") if "file" in node]
    if len(found) < 2:
        return None
    one, two = (found[index] for index in random.choice(len(found), 2, replace=False))
    one["file"], two["file"] = two["file"], one["file"]
    entries["schema.json"] = json.dumps(document).encode()
    return f"{one['file']} for {two['file']}"


def _lost(entries: dict[str, bytes], names: list[str], schema: bytes, random: np.random.Generator) -> str | None:
    document = json.loads(schema)
    found = [node for node in nodes(document, "DictNode") if isinstance(node.get("content"), dict) and node["content"]]
    node = found[random.integers(len(found))]
    key = list(node["content"])[random.integers(len(node["content"]))]
    del node["content"][key]
    entries["schema.json"] = json.dumps(document).encode()
    return f"without {key}"
