"""The checks of operators that need one by the table: does every array that native code follows fit what comes there?

onnxruntime 1.32 compares most of this itself. It was not always so (each of these was an out-of-bounds read of some
release), and a model that an upgrade of onnxruntime would open again is to be refused here.
"""

from typing import Final

from onnx import NodeProto

from sluice_model_server.graphs import ensembles
from sluice_model_server.graphs.asking import Check, Given
from sluice_model_server.graphs.attributes import Attributes
from sluice_model_server.refusal import demand

_TRANSFORMS: Final = frozenset({b"NONE", b"SOFTMAX", b"LOGISTIC", b"SOFTMAX_ZERO", b"PROBIT"})
_KERNELS: Final = frozenset({b"LINEAR", b"POLY", b"RBF", b"SIGMOID"})

Inputs = tuple[Given, ...]


def quotient(node: NodeProto, inputs: Inputs) -> None:
    """The least whole number by -1 is none, and the processor says so with SIGFPE."""
    by = inputs[1].value
    safe = inputs[0].kind == "f" or (by is not None and bool((by > 0).all()))
    demand(safe, "divides whole numbers by computed ones; cast them to float first")


def columns(node: NodeProto, inputs: Inputs) -> None:
    """ArrayFeatureExtractor. Numbers of columns that are computed, as of a class by ArgMax, onnxruntime compares."""
    source, numbers = inputs
    if numbers.value is not None:
        within = numbers.value.size > 0 and int(numbers.value.min()) >= 0 and int(numbers.value.max()) < source.width
        demand(within, f"takes a column outside 0..{source.width - 1}")


def scaler(node: NodeProto, inputs: Inputs) -> None:
    width = _width(inputs)
    attributes = Attributes(node)
    offset, scale = attributes.floats("offset"), attributes.floats("scale")
    demand(len(offset) == len(scale) and len(scale) in {1, width}, f"has not 1 or {width} offsets and scales")


def imputer(node: NodeProto, inputs: Inputs) -> None:
    width = _width(inputs)
    attributes = Attributes(node)
    values = attributes.floats("imputed_value_floats"), attributes.ints("imputed_value_int64s")
    sizes = [len(value) for value in values if len(value)]
    demand(len(sizes) == 1 and sizes[0] in {1, width}, f"has not 1 or {width} values to put in")


def linear_classifier(node: NodeProto, inputs: Inputs) -> None:
    width = _width(inputs)
    attributes = Attributes(node)
    scores, labels = len(attributes.floats("intercepts")), _labels(attributes, "classlabels_ints")
    demand(
        scores > 0 and (labels == scores or (scores == 1 and labels == 2)),
        f"has {labels} classes and {scores} intercepts",
    )
    held = len(attributes.floats("coefficients"))
    demand(held == scores * width, f"has {held} coefficients for {scores} scores of {width} columns")
    _transform(attributes)


def linear_regressor(node: NodeProto, inputs: Inputs) -> None:
    width = _width(inputs)
    attributes = Attributes(node)
    targets = attributes.integer("targets", 1)
    demand(0 < targets <= width * len(attributes.floats("coefficients")), "has an impossible number of targets")
    held = len(attributes.floats("coefficients"))
    demand(held == targets * width, f"has {held} coefficients for {targets} targets of {width} columns")
    demand(len(attributes.floats("intercepts")) in {0, targets}, f"has not one intercept for each of {targets} targets")
    _transform(attributes)


def vector_classifier(node: NodeProto, inputs: Inputs) -> None:
    """Of k classes and n vectors: (k - 1) x n coefficients, n x width vectors, a rho for each of k (k - 1) / 2
    pairs."""
    width = _width(inputs)
    attributes = Attributes(node)
    classes, counts = _labels(attributes, "classlabels_ints"), attributes.ints("vectors_per_class")
    demand(classes >= 2 and len(counts) == classes, f"has {classes} classes and {len(counts)} counts of vectors")
    demand(int(counts.min()) >= 0 and int(counts.max()) < 1 << 31, "has an impossible number of vectors")
    vectors, pairs = int(counts.sum()), classes * (classes - 1) // 2
    demand(vectors > 0, "has no support vectors; a linear model is converted to LinearClassifier")
    _sizes(
        attributes,
        support_vectors=(vectors * width,),
        coefficients=((classes - 1) * vectors,),
        rho=(pairs,),
        prob_a=(0, pairs),
        prob_b=(len(attributes.floats("prob_a")),),
    )
    _kernel(attributes)


def vector_regressor(node: NodeProto, inputs: Inputs) -> None:
    width = _width(inputs)
    attributes = Attributes(node)
    vectors = attributes.integer("n_supports", 0)
    demand(0 < vectors < 1 << 31, "has no support vectors; a linear model is converted to LinearRegressor")
    _sizes(attributes, support_vectors=(vectors * width,), coefficients=(vectors,), rho=(1,))
    _kernel(attributes)


def tree_classifier(node: NodeProto, inputs: Inputs) -> None:
    width = _width(inputs)
    attributes = Attributes(node)
    classes = _labels(attributes, "classlabels_int64s")
    ensembles.check_trees(attributes, width, "class", classes)
    bases = len(attributes.floats("base_values"))
    demand(bases in ({0, 1, 2} if classes <= 2 else {0, classes}), f"has {bases} base values for {classes} classes")
    _transform(attributes)


def tree_regressor(node: NodeProto, inputs: Inputs) -> None:
    width = _width(inputs)
    attributes = Attributes(node)
    targets = attributes.integer("n_targets", 0)
    ensembles.check_trees(attributes, width, "target", targets)
    demand(
        len(attributes.floats("base_values")) in {0, targets}, f"has not one base value for each of {targets} targets"
    )
    combined = attributes.string("aggregate_function", b"SUM")
    demand(combined in {b"SUM", b"AVERAGE", b"MIN", b"MAX"}, "combines its trees in an unknown way")
    _transform(attributes)


def _width(inputs: Inputs) -> int:
    (given,) = inputs
    demand(given.ranks == {2}, "its input is not [rows, columns]")
    demand(given.width > 0, "its input has no columns")
    return given.width


def _labels(attributes: Attributes, whole: str) -> int:
    texts, numbers = len(attributes.strings("classlabels_strings")), len(attributes.ints(whole))
    demand((texts == 0) != (numbers == 0), "has not one list of classes")
    return texts or numbers


def _sizes(attributes: Attributes, **allowed: tuple[int, ...]) -> None:
    for name, sizes in allowed.items():
        held = len(attributes.floats(name))
        demand(held in sizes, f"{name} has {held} numbers and must have {' or '.join(map(str, sizes))}")


def _kernel(attributes: Attributes) -> None:
    demand(attributes.string("kernel_type", b"LINEAR") in _KERNELS, "has an unknown kernel")
    demand(len(attributes.floats("kernel_params")) in {0, 3}, "kernel_params must be gamma, coef0 and degree")
    _transform(attributes)


def _transform(attributes: Attributes) -> None:
    demand(attributes.string("post_transform", b"NONE") in _TRANSFORMS, "has an unknown post_transform")


CHECKS: Final[dict[str, Check]] = {
    "quotient": quotient,
    "columns": columns,
    "scaler": scaler,
    "imputer": imputer,
    "linear_classifier": linear_classifier,
    "linear_regressor": linear_regressor,
    "vector_classifier": vector_classifier,
    "vector_regressor": vector_regressor,
    "tree_classifier": tree_classifier,
    "tree_regressor": tree_regressor,
}
"""By the name in the table."""
