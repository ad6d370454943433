"""Which operators may a graph consist of, and what was found when each was reviewed?

Asked of each: what does onnxruntime's kernel do with what the file says? Operators whose output has a shape that
depends on values (NonZero, Compress, Unique, Range) are not admitted, nor are those that hold graphs (If, Loop,
Scan), draw random numbers, or carry state. So every shape depends on the number of rows alone, and `asking` can look
at all of them.
"""

from dataclasses import dataclass
from typing import Final

STANDARD: Final = ""
ML: Final = "ai.onnx.ml"
DOMAINS: Final = {"": STANDARD, "ai.onnx": STANDARD, ML: ML}
"""Of operators, as files write them. All others are refused: com.microsoft (onnxruntime's own, e.g. Tokenizer, CDist,
FusedGemm, EPContext, which reads files), ai.onnx.training, ai.onnx.preview, com.ms.*, ai.onnx.contrib, and whatever a
file makes up."""
VERSIONS: Final = {STANDARD: range(9, 25), ML: range(1, 5)}
"""Releases of the operators that were reviewed."""


@dataclass(frozen=True, slots=True)
class Operator:
    """reason: why it may come from a file. fixed: inputs that must not depend on values. check: the name of the check
    that it needs in `checks`, or None."""

    reason: str
    fixed: tuple[int, ...] = ()
    check: str | None = None


_ELEMENTWISE = Operator("one pass over elements; shapes are broadcast by one helper, which compares them")
_REDUCES = Operator("reduces axes, which are compared with the rank", fixed=(1,))
_RESHAPES = Operator("copies by shapes that are compared with the number of elements", fixed=(1, 2, 3, 4))
_PRODUCT = Operator("a product of matrices whose sides are compared")

_GROUPS: tuple[tuple[Operator, str, tuple[str, ...]], ...] = (
    (
        _ELEMENTWISE,
        STANDARD,
        (
            "Abs", "Add", "And", "Cast", "Ceil", "Clip", "Elu", "Equal", "Erf", "Exp", "Floor", "Greater",
            "GreaterOrEqual", "HardSigmoid", "Identity", "IsInf", "IsNaN", "LeakyRelu", "Less", "LessOrEqual", "Log",
            "LogSoftmax", "Max", "Mean", "Min", "Mul", "Neg", "Not", "Or", "Pow", "Reciprocal", "Relu", "Round", "Selu",
            "Sigmoid", "Sign", "Softmax", "Softplus", "Sqrt", "Sub", "Sum", "Tanh", "Where", "Xor",
        ),
    ),
    (
        Operator("of whole numbers, the smallest by -1 ends the process", check="quotient"),
        STANDARD,
        ("Div",),
    ),
    (_PRODUCT, STANDARD, ("Gemm", "MatMul")),
    (
        _REDUCES,
        STANDARD,
        (
            "ArgMax", "ArgMin", "CumSum", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax",
            "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare",
        ),
    ),
    (
        _RESHAPES,
        STANDARD,
        ("Expand", "Flatten", "Reshape", "Slice", "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze"),
    ),
    (Operator("copies; all sides but one are compared"), STANDARD, ("Concat",)),
    (Operator("a tensor of the file"), STANDARD, ("Constant",)),
    (Operator("fills a tensor of that shape", fixed=(0,)), STANDARD, ("ConstantOfShape",)),
    (Operator("the shape of a tensor, which depends on the number of rows alone"), STANDARD, ("Shape",)),
    (Operator("compares every index with the side it is of"), STANDARD, ("Gather", "GatherElements")),
    (Operator("writes within the depth only", fixed=(1,)), STANDARD, ("OneHot",)),
    (Operator("one pass over elements"), ML, ("Binarizer", "Normalizer")),
    (Operator("looks each element up in a table; the rest gets the default"), ML, ("LabelEncoder", "OneHotEncoder")),
    (Operator("takes columns by number", check="columns"), ML, ("ArrayFeatureExtractor",)),
    (Operator("reads a number per column", check="scaler"), ML, ("Scaler",)),
    (Operator("reads a number per column", check="imputer"), ML, ("Imputer",)),
    (Operator("as many coefficients as the input is wide", check="linear_classifier"), ML, ("LinearClassifier",)),
    (Operator("as many coefficients as the input is wide", check="linear_regressor"), ML, ("LinearRegressor",)),
    (Operator("reads arrays by the sizes of other arrays", check="vector_classifier"), ML, ("SVMClassifier",)),
    (Operator("reads arrays by the sizes of other arrays", check="vector_regressor"), ML, ("SVMRegressor",)),
    (
        Operator("follows children, and reads features and targets by number", check="tree_classifier"),
        ML,
        ("TreeEnsembleClassifier",),
    ),
    (
        Operator("follows children, and reads features and targets by number", check="tree_regressor"),
        ML,
        ("TreeEnsembleRegressor",),
    ),
)  # fmt: skip

OPERATORS: Final[dict[tuple[str, str], Operator]] = {
    (domain, name): operator for operator, domain, names in _GROUPS for name in names
}

ADVICE: Final[dict[tuple[str, str], str]] = {
    (ML, "ZipMap"): "convert with options={'zipmap': False}, or let `sluice-model pack` take it out",
    (ML, "TreeEnsemble"): "convert with target_opset={'': 21, 'ai.onnx.ml': 3}",
    (STANDARD, "Scan"): "it holds a graph of its own; of neighbours, save the estimator with skops",
    (STANDARD, "Loop"): "it holds a graph of its own",
    (STANDARD, "If"): "it holds a graph of its own",
    (STANDARD, "TopK"): "it sorts, and loses its bounds where a number is NaN; save the estimator with skops",
    (STANDARD, "StringNormalizer"): "save a model of words with skops",
    ("com.microsoft", "Tokenizer"): "save a model of words with skops",
}
"""What to do instead, where something can be done."""
