"""Do the trees of a graph stay inside themselves, and inside the rows they are given?

onnxruntime finds children and targets by (tree, node) and follows them in native code; the first node of a tree is
its root. So each node but the roots must be the child of exactly one node and be reached from a root, which excludes
loops, and what is shared: shared nodes are walked, and stored, once for each way to them. In 30 levels of two
children that are one node, that is a billion times.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from sluice_model_server.graphs.attributes import Attributes
from sluice_model_server.refusal import demand

_LEAF: Final = b"LEAF"
_MODES: Final = frozenset(
    {_LEAF, b"BRANCH_LEQ", b"BRANCH_LT", b"BRANCH_GTE", b"BRANCH_GT", b"BRANCH_EQ", b"BRANCH_NEQ"}
)
MAX_DEPTH: Final = 2_000
"""onnxruntime builds a tree by calling itself once per level. scikit-learn's trees without max_depth are 50 deep."""
_MAX_ID: Final = 1 << 31
"""Ids are narrowed to 32 bits."""

Positions = npt.NDArray[np.int64]


def check_trees(attributes: Attributes, width: int, kind: str, targets: int) -> None:
    """width: of the rows. kind: how the attributes of leaves begin, `class` or `target`. targets: how many there
    are."""
    modes = attributes.strings("nodes_modes")
    count = len(modes)
    demand(count > 0, "has no nodes")
    demand(_MODES.issuperset(modes), "a node compares in an unknown way")
    trees, ids, features, true, false = (
        attributes.ints(f"nodes_{name}") for name in ("treeids", "nodeids", "featureids", "truenodeids", "falsenodeids")
    )
    for name, values in {"treeids": trees, "nodeids": ids, "featureids": features, "children": true}.items():
        demand(len(values) == count, f"{name} are not as many as its {count} nodes")
    demand(len(false) == count, f"children are not as many as its {count} nodes")
    demand(len(attributes.floats("nodes_values")) == count, f"values are not as many as its {count} nodes")
    demand(
        len(attributes.ints("nodes_missing_value_tracks_true")) in {0, count},
        "has not one way of missing values per node",
    )
    demand(len(attributes.floats("nodes_hitrates")) in {0, count}, "has not one hit rate per node")
    _within(trees, _MAX_ID, "a tree's number")
    _within(ids, _MAX_ID, "a node's number")
    inner = np.array([mode != _LEAF for mode in modes])
    _within(features[inner], width, "a node asks for a feature that")
    _within(features, _MAX_ID, "a feature's number")
    place = _Places(trees, ids)
    children = np.full((2, count), -1)
    for side, numbers in enumerate((true, false)):
        _within(numbers[inner], _MAX_ID, "a child's number")
        children[side, inner] = place.of(trees[inner], numbers[inner], "a node's child")
    _check_forest(trees, inner, children)
    _check_leaves(attributes, kind, targets, inner, place)


class _Places:
    """Where a node of a tree stands."""

    def __init__(self, trees: Positions, ids: Positions) -> None:
        keys = (trees << 32) | ids
        self._order = np.argsort(keys, kind="stable")
        self._sorted = keys[self._order]
        demand(bool((self._sorted[1:] != self._sorted[:-1]).all()), "a node stands twice")

    def of(self, trees: Positions, ids: Positions, what: str) -> Positions:
        keys = (trees << 32) | ids
        found = np.minimum(np.searchsorted(self._sorted, keys), len(self._sorted) - 1)
        demand(bool((self._sorted[found] == keys).all()), f"{what} does not exist")
        return self._order[found]


def _check_forest(trees: Positions, inner: npt.NDArray[np.bool_], children: npt.NDArray[np.int64]) -> None:
    count = len(trees)
    first = np.concatenate([[True], trees[1:] != trees[:-1]])
    demand(int(first.sum()) == len(np.unique(trees)), "the nodes of a tree do not stand together")
    parents = np.bincount(children[:, inner].ravel(), minlength=count)
    demand(bool((parents == ~first).all()), "a node is not the child of exactly one other, or a root is a child")
    level, reached, depth = np.flatnonzero(first), 0, 0
    while len(level):
        reached += len(level)
        depth += 1
        demand(depth <= MAX_DEPTH, f"a tree is deeper than {MAX_DEPTH} nodes")
        level = children[:, level[inner[level]]].ravel()
    demand(reached == count, "a node is reached from no root")


def _check_leaves(
    attributes: Attributes, kind: str, targets: int, inner: npt.NDArray[np.bool_], place: _Places
) -> None:
    trees, ids, chosen = (attributes.ints(f"{kind}_{name}") for name in ("treeids", "nodeids", "ids"))
    weights = attributes.floats(f"{kind}_weights")
    demand(len(trees) == len(ids) == len(chosen) == len(weights), "leaves have not one target and weight each")
    demand(0 < targets < _MAX_ID, f"has {targets} targets")
    _within(trees, _MAX_ID, "a leaf's tree")
    _within(ids, _MAX_ID, "a leaf's number")
    _within(chosen, targets, f"a leaf's {kind}")
    found = place.of(trees, ids, "a leaf")
    answered = inner.copy()
    answered[found] = True  # weights of inner nodes, which old converters write, are ignored
    demand(bool(answered.all()), "a leaf has no weight")


def _within(values: Any, end: int, what: str) -> None:
    demand(not values.size or 0 <= int(values.min()) <= int(values.max()) < end, f"{what} is outside 0..{end - 1}")
