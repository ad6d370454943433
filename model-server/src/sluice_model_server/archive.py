"""A skops file whose bytes depend on the model alone.

skops names arrays and shared objects by their memory address and stamps the time into the archive, so the same model
has another sha256 on each run; and attributes of an estimator that is fitted again may come in another order. Here
addresses become running numbers, the time a constant, and attributes come by name: equal models, equal digests.
"""

import json
import re
from io import BytesIO
from typing import Any, Final
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import skops.io

_SCHEMA: Final = "schema.json"
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # the earliest a zip archive can say
_NUMBERED = re.compile(r"(\d+)(\.\w+)")


def dump(model: Any) -> bytes:
    """The skops archive of a fitted estimator."""
    with ZipFile(BytesIO(skops.io.dumps(model))) as source:
        schema = json.loads(source.read(_SCHEMA))
        _order(schema)
        numbers: dict[int, int] = {}
        names: dict[str, str] = {}
        _renumber(schema, numbers, names)
        target = BytesIO()
        with ZipFile(target, "w") as archive:
            for old, new in sorted(names.items(), key=lambda item: (len(item[1]), item[1])):
                _add(archive, new, source.read(old))
            _add(archive, _SCHEMA, json.dumps(schema).encode())
    return target.getvalue()


def _add(archive: ZipFile, name: str, content: bytes) -> None:
    entry = ZipInfo(name, _EPOCH)
    entry.compress_type = ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, content)


def _order(node: Any) -> None:
    """Attributes of objects by name, in place. A dict that is a value keeps its order, which may mean something."""
    for part in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        _order(part)
    if isinstance(node, dict) and node.get("__loader__") == "ObjectNode":
        attributes = node.get("content")
        if isinstance(attributes, dict) and attributes.get("__loader__") == "DictNode":
            attributes["content"] = dict(sorted(attributes["content"].items()))


def _renumber(node: Any, numbers: dict[int, int], names: dict[str, str]) -> None:
    """Replaces addresses in place, in the order in which they appear."""
    if isinstance(node, list):
        for part in node:
            _renumber(part, numbers, names)
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        if key == "__id__":
            node[key] = numbers.setdefault(value, len(numbers))
        elif key == "file" and isinstance(value, str) and (match := _NUMBERED.fullmatch(value)):
            number = numbers.setdefault(int(match[1]), len(numbers))
            node[key] = names.setdefault(value, f"{number}{match[2]}")
        else:
            _renumber(value, numbers, names)
