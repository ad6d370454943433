"""Which columns does a graph take, and what does it answer?"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from onnx import GraphProto, TensorProto, TypeProto, ValueInfoProto

from sluice_model_server.errors import ModelBroken
from sluice_model_server.manifest import Column, Datatype, Manifest
from sluice_model_server.refusal import Refusal, demand

MAX_COLUMNS: Final = 10_000
_DATATYPES: Final[dict[int, tuple[Datatype, str]]] = {
    TensorProto.FLOAT: ("FP32", "f4"),
    TensorProto.DOUBLE: ("FP64", "f8"),
    TensorProto.INT64: ("INT64", "i8"),
    TensorProto.STRING: ("BYTES", "O"),
}
_LABELS: Final = frozenset({TensorProto.INT64, TensorProto.INT32, TensorProto.STRING})
_NUMBERS: Final = frozenset({TensorProto.FLOAT, TensorProto.DOUBLE})
_SELECT: Final = "skl2onnx.helpers.onnx_helper.select_model_inputs_outputs(model, outputs=[...])"
_SHAPES: Final = "initial_types=[('x', FloatTensorType([None, 4]))], or [None, 1] for each column"


@dataclass(frozen=True, slots=True)
class Input:
    """One input tensor of a graph, [rows, width].

    places: which columns it takes, in its own order. form: numpy's type of its elements, `O` for text.
    """

    name: str
    datatype: Datatype
    form: np.dtype[np.generic]
    places: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Outputs:
    """Names of the outputs: label, a class per row; numbers: of a regression, or with a label the probabilities."""

    label: str | None
    numbers: str | None

    @property
    def names(self) -> list[str]:
        """Those that there are."""
        return [name for name in (self.label, self.numbers) if name is not None]


def inputs_of(graph: GraphProto, manifest: Manifest) -> tuple[tuple[Input, ...], tuple[Column, ...]]:
    """The inputs, and the columns that they take together.

    A graph with an input per column is asked by their names, in the order of the manifest's columns; one with a
    matrix by position. Raises Refusal for inputs that are no rows, ModelBroken for columns of the manifest that are
    not the graph's.
    """
    stored = {tensor.name for tensor in graph.initializer}
    values = [value for value in graph.input if value.name not in stored]
    demand(bool(values), "has no inputs")
    read = [(value.name, *_rows(value)) for value in values]
    demand(sum(width for _, _, width in read) <= MAX_COLUMNS, f"takes more than {MAX_COLUMNS} columns")
    own = tuple(_columns(read))
    demand(len({column.name for column in own}) == len(own), "has inputs whose columns would have one name")
    by_name = len(read) > 1 and all(width == 1 for _, _, width in read)
    columns = _agreed(own, manifest, by_name=by_name)
    position = {column.name: place for place, column in enumerate(columns)}
    inputs, first = [], 0
    for name, element, width in read:
        datatype, form = _DATATYPES[element]
        places = (position[name],) if by_name else tuple(range(first, first + width))
        inputs.append(Input(name, datatype, np.dtype(form), places))
        first += width
    return tuple(inputs), columns


def _rows(value: ValueInfoProto) -> tuple[int, int]:
    """Type of element, and width."""
    kind = value.type
    demand(kind.HasField("tensor_type"), f"the input {value.name} is no tensor; rows are: {_SHAPES}")
    element, sides = kind.tensor_type.elem_type, kind.tensor_type.shape.dim
    demand(element in _DATATYPES, f"the input {value.name} takes no float, double, int64 or string; {_SHAPES}")
    fits = kind.tensor_type.HasField("shape") and len(sides) == 2 and sides[1].HasField("dim_value")
    demand(fits and sides[1].dim_value > 0, f"the input {value.name} is not [rows, columns]; convert with {_SHAPES}")
    demand(
        not sides[0].HasField("dim_value"), f"the input {value.name} takes {sides[0].dim_value} rows only; {_SHAPES}"
    )
    return element, int(sides[1].dim_value)


def _columns(read: list[tuple[str, int, int]]) -> Iterator[Column]:
    for name, element, width in read:
        datatype, _ = _DATATYPES[element]
        if width == 1 and len(read) > 1:
            yield Column(name=name, datatype=datatype)
            continue
        for place in range(width):
            yield Column(name=f"{name}{place}" if len(read) > 1 else f"x{place}", datatype=datatype)


def _agreed(own: tuple[Column, ...], manifest: Manifest, *, by_name: bool) -> tuple[Column, ...]:
    named = manifest.columns
    if named is None:
        return own
    if len(named) != len(own):
        raise ModelBroken(f"manifest.json: columns: {len(named)} of them, the graph takes {len(own)}")
    known = {column.name: column for column in own}
    for place, column in enumerate(named):
        taken = known.get(column.name) if by_name else own[place]
        if taken is None:
            raise ModelBroken(
                f"manifest.json: columns: the graph has no input {column.name}; it has {', '.join(known)}"
            )
        if (taken.datatype == "BYTES") != (column.datatype == "BYTES"):
            raise ModelBroken(
                f"manifest.json: columns: {column.name} is {column.datatype}, the graph takes {taken.datatype}"
            )
    return named


def outputs_of(graph: GraphProto) -> Outputs:
    """Raises Refusal for anything but a label, numbers, or a label and its probabilities."""
    kinds = {value.name: _element(value.type, value.name) for value in graph.output}
    labels = [name for name, element in kinds.items() if element in _LABELS]
    numbers = [name for name, element in kinds.items() if element in _NUMBERS]
    if (
        len(kinds) != len(graph.output)
        or len(labels) > 1
        or len(numbers) > 1
        or len(labels) + len(numbers) != len(kinds)
    ):
        raise Refusal(
            f"answers {', '.join(kinds)}; known are one label (int64 or string), one tensor of numbers, or a label and "
            f"its probabilities: {_SELECT}"
        )
    demand(bool(kinds), "has no outputs")
    return Outputs(labels[0] if labels else None, numbers[0] if numbers else None)


def _element(kind: TypeProto, name: str) -> int:
    if kind.HasField("sequence_type") or kind.HasField("map_type"):
        raise Refusal(
            f"the output {name} is a sequence of maps (ZipMap), which costs more than the prediction; "
            "convert with options={'zipmap': False}, or let `sluice-model pack` take it out"
        )
    demand(kind.HasField("tensor_type"), f"the output {name} is no tensor: {_SELECT}")
    return int(kind.tensor_type.elem_type)
