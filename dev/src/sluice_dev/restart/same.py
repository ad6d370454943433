"""Are two objects the same to the last bit, with everything that they hold?"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Set
from typing import Any

import numpy as np

NUMBERS = (np.ndarray, np.generic)
PLAIN = (str, int, type(None), type, Set)


def differences(  # noqa: PLR0912  # one branch for each kind of thing
    one: Any, other: Any, leave_out: frozenset[str] = frozenset(), where: str = ""
) -> Iterator[str]:
    """Where they differ: `._sight._pods['p'].first: 1.0, 2.0`. leave_out: names of attributes that may."""
    if isinstance(one, NUMBERS) and isinstance(other, NUMBERS):  # numpy makes a scalar of an array without axes
        one, other = np.asarray(one), np.asarray(other)
        if one.dtype != other.dtype or one.shape != other.shape or one.tobytes() != other.tobytes():
            yield f"{where}: {one.tolist()}, {other.tolist()}"
    elif isinstance(one, float) or isinstance(other, float):
        if one != other and not (one != one and other != other):  # noqa: PLR0124 (what is no number is not itself)
            yield f"{where}: {one!r}, {other!r}"
    elif type(one) is not type(other):
        yield f"{where}: {type(one).__name__}, {type(other).__name__}"
    elif isinstance(one, PLAIN):
        if one != other:
            yield f"{where}: {one!r}, {other!r}"
    elif isinstance(one, dict):
        if one.keys() != other.keys():
            yield f"{where}: {sorted(map(str, one))}, {sorted(map(str, other))}"
        for key in one.keys() & other.keys():
            yield from differences(one[key], other[key], leave_out, f"{where}[{key!r}]")
    elif isinstance(one, list | tuple | deque):
        if len(one) != len(other):
            yield f"{where}: {len(one)}, {len(other)} entries"
        for k, (a, b) in enumerate(zip(one, other, strict=False)):
            yield from differences(a, b, leave_out, f"{where}[{k}]")
    else:
        for name in sorted(set(_attributes(one)) - leave_out):
            yield from differences(getattr(one, name, None), getattr(other, name, None), leave_out, f"{where}.{name}")


def _attributes(one: Any) -> Iterator[str]:
    yield from getattr(one, "__dict__", ())
    for kind in type(one).__mro__:
        slots = getattr(kind, "__slots__", ())
        yield from (slots,) if isinstance(slots, str) else slots
