"""Do a loaded model's trees stay inside themselves, and inside the rows they are given?

scikit-learn follows child and feature indices of a tree without bounds checks, so one tampered number makes predict
read foreign memory or end the process. In a tree of n nodes every inner node i must have both children in (i, n): trees
are stored parents first, so this also excludes cycles. Features must be below the width of the rows.
"""

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.tree import BaseDecisionTree
from sklearn.tree._tree import Tree

from sluice_model_server.refusal import Refusal, demand

_LEAF = -1
_CATEGORIES = 256


def check_tree_model(model: Any) -> None:
    """A decision tree, alone or held by another model."""
    _check_tree(model.tree_, model, int(model.n_features_in_))


def check_forest(model: Any) -> None:
    """A forest hands its own matrix to its trees."""
    for estimator in _trees_of(model.estimators_):
        demand(estimator.n_features_in_ == model.n_features_in_, "a tree was trained on another number of features")
        demand(estimator.n_outputs_ == model.n_outputs_, "a tree has another number of outputs")


def check_boosting(model: Any) -> None:
    """Each stage's trees write their column of the raw predictions, and read one value per node."""
    width = model.n_trees_per_iteration_
    stages = model.estimators_
    demand(type(stages) is np.ndarray and stages.ndim == 2, "estimators_ is no stages x columns")
    demand(stages.shape[1] == width, f"estimators_ has not n_trees_per_iteration_ = {width} columns")
    for estimator in _trees_of(stages.ravel()):
        _check_tree(estimator.tree_, estimator, int(model.n_features_in_))
        demand(estimator.tree_.value.shape[1:] == (1, 1), "a tree has more than one value per node")


def check_isolation(model: Any) -> None:
    """Trees of an isolation forest get the columns of `estimators_features_`, or all."""
    width = int(model.n_features_in_)
    demand(len(model.estimators_) == len(model.estimators_features_), "has not one choice of columns per tree")
    demand(len(model.estimators_) == len(model._decision_path_lengths), "has not one path length per tree")
    whole = model._max_features == width
    for estimator, columns in zip(_trees_of(model.estimators_), model.estimators_features_, strict=True):
        asked = width if whole else len(columns)
        demand(estimator.n_features_in_ <= asked, "a tree was trained on more columns than it is given")


def _trees_of(estimators: Any) -> list[Any]:
    demand(len(estimators) > 0, "has no trees")
    for estimator in estimators:
        demand(isinstance(estimator, BaseDecisionTree), "estimators_ holds something that is no tree")
    return list(estimators)


def _check_tree(tree: Any, owner: Any, features: int) -> None:
    demand(type(tree) is Tree, "tree_ is no tree")
    nodes = int(tree.node_count)
    demand(0 < nodes <= int(tree.capacity), f"node_count {nodes} does not fit its {tree.capacity} stored nodes")
    demand(int(tree.n_outputs) == owner.n_outputs_, "the tree has another number of outputs")
    classes = np.atleast_1d(getattr(owner, "n_classes_", 1))
    demand(
        np.array_equal(np.asarray(tree.n_classes), np.broadcast_to(classes, owner.n_outputs_)),
        "the tree has other classes",
    )
    left, right = np.asarray(tree.children_left), np.asarray(tree.children_right)
    inner = left != _LEAF
    demand(np.array_equal(inner, right != _LEAF), "a node has exactly one child")
    demand(tree.value.shape == (nodes, int(tree.n_outputs), int(tree.max_n_classes)), "has not one value per node")
    _check_inner(inner, left, right, np.asarray(tree.feature), features)


def _check_inner(
    inner: npt.NDArray[np.bool_],
    left: npt.NDArray[np.int64],
    right: npt.NDArray[np.int64],
    feature: npt.NDArray[np.int64],
    features: int,
) -> None:
    nodes = len(inner)
    place = np.flatnonzero(inner)
    for children in (left[inner], right[inner]):
        if ((children <= place) | (children >= nodes)).any():
            raise Refusal(f"a node's child lies outside the {nodes} nodes after it")
    used = feature[inner]
    if ((used < 0) | (used >= features)).any():
        raise Refusal(f"a node asks for a feature outside 0..{features - 1}")


def check_histograms(model: Any) -> None:
    """Histogram boosting: its trees get the rows as its preprocessor leaves them."""
    width = int(model.n_features_in_)
    mapper = model._bin_mapper
    known = np.asarray(mapper.is_categorical_)
    demand(known.shape == (width,) and known.dtype.kind in "bu", "is_categorical_ has not one entry per feature")
    _check_preprocessor(model._preprocessor, width)
    for stage in model._predictors:
        demand(len(stage) == model.n_trees_per_iteration_, "a stage has not n_trees_per_iteration_ trees")
        for tree in stage:
            _check_predictor(tree, width, known.astype(bool))


def _check_preprocessor(preprocessor: Any, width: int) -> None:
    if preprocessor is None:
        return
    # What fit writes: category codes of some columns first, the others behind them as they are.
    (_, encoder, coded), (_, passed, rest), *others = preprocessor.transformers_
    demand(all(step == "drop" for _, step, _ in others), "its preprocessor is not its own")
    coded, rest = np.asarray(coded), np.asarray(rest)
    demand(
        type(encoder).__name__ == "OrdinalEncoder" and type(passed).__name__ == "FunctionTransformer",
        "its preprocessor is not its own",
    )
    demand(
        coded.dtype == rest.dtype == bool and coded.shape == rest.shape == (width,),
        "its preprocessor's columns are no masks",
    )
    demand(
        bool((coded != rest).all()) and len(encoder.categories_) == int(coded.sum()), "its preprocessor loses columns"
    )
    demand(passed.func is None or type(passed.func) is partial, "its preprocessor calls a function")


def check_bins(mapper: Any) -> None:
    """Known categories become bits of a set of 256."""
    demand(len(mapper.bin_thresholds_) == len(mapper.is_categorical_), "has not one list of bins per feature")
    for values, categorical in zip(mapper.bin_thresholds_, mapper.is_categorical_, strict=True):
        if categorical and len(values):
            demand(0 <= float(np.min(values)) <= float(np.max(values)) < _CATEGORIES, "a category is not 0..255")


def check_shapes(tree: Any) -> None:
    """A tree of histogram boosting by itself: nodes of the right record, category sets of 256 bits."""
    from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE  # noqa: PLC0415

    nodes = tree.nodes
    demand(type(nodes) is np.ndarray and nodes.dtype == PREDICTOR_RECORD_DTYPE, "nodes are no records of nodes")
    demand(nodes.ndim == 1 and len(nodes) > 0, "has no nodes")
    for bitsets in (tree.raw_left_cat_bitsets, tree.binned_left_cat_bitsets):
        fits = (
            type(bitsets) is np.ndarray and bitsets.ndim == 2 and bitsets.shape[1] == 8 and bitsets.dtype == np.uint32
        )
        demand(fits, "category sets are not rows of eight 32-bit words")


def _check_predictor(tree: Any, features: int, known: npt.NDArray[np.bool_]) -> None:
    check_shapes(tree)
    nodes = tree.nodes
    inner = nodes["is_leaf"] == 0
    left, right, feature = nodes["left"].astype(np.int64), nodes["right"].astype(np.int64), nodes["feature_idx"]
    _check_inner(inner, left, right, feature.astype(np.int64), features)
    categorical = inner & (nodes["is_categorical"] != 0)
    if categorical.any():
        sets = min(len(tree.raw_left_cat_bitsets), len(tree.binned_left_cat_bitsets))
        demand(
            int(nodes["bitset_idx"][categorical].max()) < sets, "a node points to a category set that does not exist"
        )
        demand(bool(known[feature[categorical]].all()), "a node asks a number for its category")
