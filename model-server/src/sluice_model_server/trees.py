"""Do a loaded model's trees stay inside themselves?

scikit-learn follows child and feature indices of a tree without bounds checks, so one tampered number makes predict
read foreign memory or end the process. skops therefore trusts no trees; this check is what lets us.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.ensemble._forest import BaseForest
from sklearn.ensemble._gb import BaseGradientBoosting
from sklearn.ensemble._hist_gradient_boosting.gradient_boosting import BaseHistGradientBoosting
from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
from sklearn.tree import BaseDecisionTree
from sklearn.tree._tree import Tree

from sluice_model_server.errors import UntrustedModel

_OWNERS = (BaseDecisionTree, BaseForest, BaseGradientBoosting, BaseHistGradientBoosting)
_LEAF = -1


def check_trees(model: object) -> int:
    """Checks every tree reachable from `model` and returns how many there are. Raises UntrustedModel.

    In a tree of n nodes every inner node i must have both children in (i, n): trees are stored parents first, so this
    also excludes cycles. Features must be below the least `n_features_in_` of the estimators that hold the tree.
    """
    count = 0
    for tree, features in _trees(model, None, set()):
        if features is None:
            raise UntrustedModel("a tree stands outside any tree model; save the fitted estimator itself")
        if isinstance(tree, Tree):
            _check_tree(tree, features)
        else:
            _check_predictor(tree, features)
        count += 1
    return count


def _trees(thing: Any, features: int | None, seen: set[int]) -> Iterator[tuple[Any, int | None]]:
    if id(thing) in seen:
        return
    seen.add(id(thing))
    if isinstance(thing, Tree | TreePredictor):
        yield thing, features
        return
    if isinstance(thing, _OWNERS) and hasattr(thing, "n_features_in_"):
        # A forest hands its own matrix to its trees unchecked: the smaller width is the one that is safe.
        features = min(int(thing.n_features_in_), features) if features is not None else int(thing.n_features_in_)
        if isinstance(thing, BaseGradientBoosting):
            _check_boosting_width(thing)
    for part in _parts(thing):
        yield from _trees(part, features, seen)


def _parts(thing: Any) -> Iterator[Any]:
    if isinstance(thing, list | tuple | set):
        yield from thing
    elif isinstance(thing, dict):
        yield from thing.values()
    elif isinstance(thing, np.ndarray):
        if thing.dtype == object:
            yield from thing.ravel()
    elif hasattr(thing, "__dict__") and not isinstance(thing, type):
        yield from vars(thing).values()


def _check_boosting_width(model: Any) -> None:
    # Each stage's trees write their column of the raw predictions unchecked.
    width = getattr(model, "n_trees_per_iteration_", None)
    if width is None or model.estimators_.shape[1] != width:
        raise UntrustedModel(f"{type(model).__name__}: estimators_ has not n_trees_per_iteration_ = {width} columns")


def _check_tree(tree: Any, features: int) -> None:
    nodes = int(tree.node_count)
    if not 0 < nodes <= int(tree.capacity):
        raise UntrustedModel(f"tree: node_count {nodes} does not fit its {tree.capacity} stored nodes")
    left, right = np.asarray(tree.children_left), np.asarray(tree.children_right)
    inner = left != _LEAF
    if not np.array_equal(inner, right != _LEAF):
        raise UntrustedModel("tree: a node has exactly one child")
    if len(tree.value) != nodes:
        raise UntrustedModel(f"tree: {len(tree.value)} values for {nodes} nodes")
    _check_inner(inner, left, right, np.asarray(tree.feature), features)


def _check_predictor(tree: Any, features: int) -> None:
    nodes = tree.nodes
    if nodes.ndim != 1 or len(nodes) == 0:
        raise UntrustedModel("tree: no nodes")
    inner = nodes["is_leaf"] == 0
    _check_inner(inner, nodes["left"].astype(np.int64), nodes["right"].astype(np.int64), nodes["feature_idx"], features)
    categorical = nodes["bitset_idx"][inner & (nodes["is_categorical"] != 0)]
    for bitsets in (tree.raw_left_cat_bitsets, tree.binned_left_cat_bitsets):
        if bitsets.ndim != 2 or bitsets.shape[1] != 8 or bitsets.dtype != np.uint32:
            raise UntrustedModel("tree: category sets are not rows of eight 32-bit words")
        if categorical.size and int(categorical.max()) >= len(bitsets):
            raise UntrustedModel("tree: a node points to a category set that does not exist")


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
            raise UntrustedModel(f"tree: a node's child lies outside the {nodes} nodes after it")
    used = feature[inner]
    if ((used < 0) | (used >= features)).any():
        raise UntrustedModel(f"tree: a node asks for a feature outside 0..{features - 1}")
