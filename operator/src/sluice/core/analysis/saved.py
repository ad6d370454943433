"""How is a state written down and read again? As named arrays of float64 and named lists of words, nothing else.

An engine whose state is a dataclass of numbers, arrays and such dataclasses needs no code for it: `flat` writes it by
its fields, `unflat` reads it by their types, to the last bit. A state that holds anything else is refused with
TypeError, so that nothing is ever left out without a word.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
T = TypeVar("T")


@dataclass(slots=True)
class Saved:
    """The state of something. numbers: arrays of any shape, by name. words: lists of them, by name."""

    numbers: dict[str, Floats] = field(default_factory=dict)
    words: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def note(self, name: str, values: ArrayLike) -> None:
        """Adds an array."""
        self.numbers[name] = np.asarray(values, dtype=np.float64)

    def table(self, name: str, columns: int) -> list[list[float]]:
        """The rows of an array, (rows, columns), also where it has none."""
        rows: list[list[float]] = self.numbers[name].reshape(-1, columns).tolist()
        return rows

    def put(self, name: str, part: "Saved") -> None:
        """Adds the state of a part."""
        self.numbers.update({f"{name}/{key}": array for key, array in part.numbers.items()})
        self.words.update({f"{name}/{key}": words for key, words in part.words.items()})

    def part(self, name: str) -> "Saved":
        """The state of a part again; empty where it was not saved."""
        begin = f"{name}/"
        return Saved(_below(begin, self.numbers.items()), _below(begin, self.words.items()))

    def __bool__(self) -> bool:
        return bool(self.numbers or self.words)


def _below(begin: str, entries: Iterable[tuple[str, T]]) -> dict[str, T]:
    return {name.removeprefix(begin): value for name, value in entries if name.startswith(begin)}


def flat(state: Any) -> Saved:
    """A dataclass by its fields; what is None is left out. Raises TypeError for a field that is no number, no array of
    numbers and no such dataclass."""
    saved = Saved()
    for name in (f.name for f in fields(state)):
        value = getattr(state, name)
        if is_dataclass(value):
            saved.put(name, flat(value))
        elif isinstance(value, int | float | tuple | np.ndarray | np.number):
            saved.note(name, value)
        elif value is not None:
            raise TypeError(f"{type(state).__name__}.{name} cannot be saved: {value!r} is no number")
    return saved


def unflat(kind: type[T], saved: Saved) -> T:
    """The dataclass again. Raises KeyError for a field that is missing, TypeError for one of another type."""
    hints = get_type_hints(kind)
    return kind(**{f.name: _value(hints[f.name], f.name, saved) for f in fields(kind)})  # type: ignore[arg-type]


def _value(hint: Any, name: str, saved: Saved) -> Any:
    if isinstance(hint, UnionType) and NoneType in get_args(hint):
        if name not in saved.numbers and not saved.part(name):
            return None
        hint = next(one for one in get_args(hint) if one is not NoneType)
    if is_dataclass(hint):
        return unflat(hint, saved.part(name))  # type: ignore[arg-type]
    array, origin = saved.numbers[name], get_origin(hint) or hint
    if origin is np.ndarray:
        (kind,) = get_args(get_args(hint)[1])  # NDArray[kind]: counts up to 2**53 pass through float64 unchanged
        return array.astype(kind)[()]  # without axes a number of that kind
    if origin is tuple:
        return tuple(array.tolist())
    if origin in (int, float, bool):
        return origin(array)
    raise TypeError(f"{name} cannot be read: nobody knows how to make {hint} of numbers")
