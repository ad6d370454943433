"""The checks of types that need one by the table. A check raises Refusal, or what a missing attribute raises."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import numpy as np

from sluice_model_server.refusal import Refusal, demand
from sluice_model_server.review import trees

__all__ = ["CHECKS", "Refusal"]

_KERNELS: Final = frozenset({"linear", "poly", "rbf", "sigmoid"})
_METRICS: Final = frozenset({"euclidean", "manhattan", "chebyshev", "cosine", "minkowski", "l1", "l2"})
_TOKENS: Final = frozenset({r"(?u)\b\w\w+\b", r"(?u)\b\w+\b"})
"""Regular expressions that take linear time on any text. One from a file could take forever on one request."""


def vectors(model: Any) -> None:
    """libsvm reads sv_coef as (classes - 1) x vectors, and rho, probA and probB as one per pair of classes."""
    demand(model._sparse is False, "was trained on sparse rows; train it on dense ones")
    demand(type(model.kernel) is str and model.kernel in _KERNELS, f"kernel must be one of {sorted(_KERNELS)}")
    kept, counts, coefficients = model.support_vectors_, model._n_support, model._dual_coef_
    _array(kept, np.float64, (None, model.n_features_in_), "support_vectors_")
    count = len(kept)
    demand(count > 0, "has no support vectors")
    demand(tuple(model.shape_fit_)[1:] == (model.n_features_in_,), "shape_fit_ is not n_features_in_ wide")
    classifies = model._impl in {"c_svc", "nu_svc"}
    demand(model._impl == type(model)._impl, "_impl is another machine's")
    classes = len(model.classes_) if classifies else 2
    demand(classes >= 2, "has less than two classes")
    pairs = classes * (classes - 1) // 2 if classifies else 1
    _array(model.support_, np.int32, (count,), "support_")
    _array(counts, np.int32, (classes,), "_n_support")
    if classifies:
        demand(bool((counts >= 0).all()) and int(counts.sum()) == count, "_n_support does not add up to its vectors")
    _array(coefficients, np.float64, (classes - 1, count), "_dual_coef_")
    _array(model.dual_coef_, np.float64, (classes - 1, count), "dual_coef_")
    _array(model._intercept_, np.float64, (pairs,), "_intercept_")
    for name in ("_probA", "_probB"):
        array = getattr(model, name)
        demand(array.dtype == np.float64 and array.shape in {(0,), (pairs,)}, f"{name} has not one number per pair")
    demand(model._probA.shape == model._probB.shape or not classifies, "_probA and _probB differ in size")
    demand(type(model.degree) is int and 0 <= model.degree <= 100, "degree must be 0..100")


def neighbours(model: Any) -> None:
    """Neighbours by brute force. Votes are counted at the index that `_y` says."""
    demand(model._fit_method == "brute" and model._tree is None, "must be fitted with algorithm='brute'")
    demand(type(model._fit_X) is np.ndarray, "must be fitted on dense rows")
    count = int(model.n_samples_fit_)
    _array(model._fit_X, (np.float64, np.float32), (count, model.n_features_in_), "_fit_X")
    demand(type(model.n_neighbors) is int and 0 < model.n_neighbors <= count, f"n_neighbors must be 1..{count}")
    demand(model.effective_metric_ in _METRICS, f"metric must be one of {sorted(_METRICS)}")
    extra = model.effective_metric_params_
    demand(set(extra) <= {"p"} and type(extra.get("p", 2)) in {int, float}, "metric_params must be empty")
    demand(model.weights in {"uniform", "distance"}, "weights must be 'uniform' or 'distance'")
    demand(len(model._y) == count, "has not one label per row")
    if hasattr(model, "classes_"):
        demand(model.outputs_2d_ is False and model._y.ndim == 1, "has several outputs; fit one model per output")
        demand(model._y.dtype.kind == "i", "its labels are no class numbers")
        demand(0 <= int(model._y.min()) <= int(model._y.max()) < len(model.classes_), "a label is no class's number")


def centres(model: Any) -> None:
    """k-means."""
    _array(
        model.cluster_centers_, (np.float64, np.float32), (model.n_clusters, model.n_features_in_), "cluster_centers_"
    )
    demand(type(model._n_threads) is int and 0 < model._n_threads <= 4096, "_n_threads must be a number of threads")


def one_hot(encoder: Any) -> None:
    """What each category of each column is encoded as, up to the column of the sparse matrix."""
    columns = len(encoder.categories_)
    demand(columns == encoder.n_features_in_, "has not one list of categories per column")
    outputs, dropped = list(encoder._n_features_outs), encoder._drop_idx_after_grouping
    demand(outputs == list(encoder._compute_n_features_outs()), "_n_features_outs is not what its categories give")
    demand(dropped is None or len(dropped) == columns, "has not one dropped category per column")
    for column, categories in enumerate(encoder.categories_):
        demand(type(categories) is np.ndarray and categories.ndim == 1 and len(categories) > 0, "has no categories")
        _sorted(categories)
        codes = np.arange(len(categories))
        if encoder._infrequent_enabled and encoder._default_to_infrequent_mappings[column] is not None:
            mapping = encoder._default_to_infrequent_mappings[column]
            _array(mapping, np.int64, (len(categories),), "_default_to_infrequent_mappings")
            codes = mapping.copy()
        if dropped is not None and dropped[column] is not None:
            codes = codes[codes != int(dropped[column])]
            codes[codes > int(dropped[column])] -= 1
        demand(
            not codes.size or 0 <= int(codes.min()) <= int(codes.max()) < outputs[column], "encodes beyond its columns"
        )


def _sorted(categories: Any) -> None:
    # A number's code is found by bisection, which may end one past the last category unless they rise.
    if categories.dtype.kind not in "OUS":
        known = categories[~np.isnan(categories)] if categories.dtype.kind == "f" else categories
        demand(len(categories) - len(known) <= 1, "its categories stand twice")
        demand(bool((known[:-1] < known[1:]).all()), "its categories do not rise")
        demand(not len(known) or bool((categories[: len(known)] == known).all()), "NaN is not its last category")


def function(transformer: Any) -> None:
    """FunctionTransformer."""
    for name in ("func", "inverse_func"):
        value = getattr(transformer, name)
        demand(
            value is None or isinstance(value, np.ufunc | partial), f"{name} must be absent or one of numpy's functions"
        )
    demand(not transformer.kw_args, "kw_args must be absent")


def vocabulary(vectorizer: Any) -> None:
    """Counts of words are written at the vocabulary's number."""
    words(vectorizer)
    if not hasattr(vectorizer, "vocabulary_"):
        return  # scikit-learn checks one that is given as a parameter itself
    terms = vectorizer.vocabulary_
    demand(type(terms) is dict and all(type(term) is str for term in terms), "vocabulary_ must map words to numbers")
    demand(sorted(map(int, terms.values())) == list(range(len(terms))), "vocabulary_ must number its words from 0 on")


def words(vectorizer: Any) -> None:
    """How a text is split."""
    if hasattr(vectorizer, "token_pattern"):
        demand(vectorizer.input == "content", "input must be 'content': texts are no names of files")
        demand(vectorizer.token_pattern in _TOKENS, f"token_pattern must be one of {sorted(_TOKENS)}")
        demand(vectorizer.analyzer in {"word", "char", "char_wb"}, "analyzer must be word, char or char_wb")
        for name in ("preprocessor", "tokenizer"):
            demand(getattr(vectorizer, name) is None, f"{name} must be absent")
        low, high = vectorizer.ngram_range
        demand(0 < low <= high <= 10, "ngram_range must be within 1..10")


def owned(predictor: Any) -> None:
    """A tree of histogram boosting; the model that holds it knows its width. Shapes are checked here already."""
    trees.check_shapes(predictor)


def _array(array: Any, dtypes: Any, shape: tuple[int | None, ...], name: str) -> None:
    kinds = dtypes if isinstance(dtypes, tuple) else (dtypes,)
    fits = (
        type(array) is np.ndarray
        and array.dtype in [np.dtype(kind) for kind in kinds]
        and array.ndim == len(shape)
        and all(wanted is None or wanted == size for wanted, size in zip(shape, array.shape, strict=True))
    )
    demand(
        fits, f"{name} must be {'x'.join('n' if side is None else str(side) for side in shape)} of {kinds[0].__name__}"
    )


CHECKS: Final[dict[str, tuple[str, Callable[[Any], None]]]] = {
    "vectors": ("support_vectors_", vectors),
    "neighbours": ("_fit_X", neighbours),
    "centres": ("cluster_centers_", centres),
    "one_hot": ("categories_", one_hot),
    "function": ("func", function),
    "vocabulary": ("vocabulary", vocabulary),
    "words": ("__dict__", words),
    "owned": ("nodes", owned),
    "tree": ("tree_", trees.check_tree_model),
    "forest": ("estimators_", trees.check_forest),
    "boosting": ("estimators_", trees.check_boosting),
    "histograms": ("_predictors", trees.check_histograms),
    "bins": ("bin_thresholds_", trees.check_bins),
    "isolation": ("estimators_", trees.check_isolation),
}
"""By the name in the table: the attribute without which nothing native can happen, and the check."""
