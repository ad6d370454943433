"""Do the parts of a loaded model fit together where native code does not look?

Everything reachable from the model is visited once; what has a check in the table is checked with the model that holds
it. Attributes that hide a method are refused: an estimator is to act as its class does.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from scipy import sparse
from scipy.interpolate import interp1d
from sklearn._loss import _loss as losses
from sklearn.base import BaseEstimator
from sklearn.tree._tree import Tree
from sklearn.utils.validation import check_array

from sluice_model_server.errors import UntrustedModel
from sluice_model_server.review.checks import CHECKS, Refusal
from sluice_model_server.review.table import REVIEWED

_PLAIN = frozenset({type(None), bool, int, float, str, slice, type, np.ufunc, Tree})
# interp1d is never in a file: IsotonicRegression makes its own of its checked arrays when it is loaded.
_LOSSES = tuple(thing for name, thing in vars(losses).items() if name.startswith("Cy") and isinstance(thing, type))
_CONTAINERS = (list, tuple, set, frozenset)
_NAMED = 200
"""Characters of a file's own text in an error."""


def check_model(model: object) -> None:
    """Raises UntrustedModel, which names the part and what is wrong with it."""
    if not isinstance(model, BaseEstimator):
        raise UntrustedModel(f"holds a {type(model).__name__}; save the fitted estimator or pipeline itself")
    for part in _parts(model):
        if isinstance(part, np.ndarray | np.generic):
            _check_numbers(part)
        elif type(part).__module__.startswith("sklearn.") and not isinstance(part, (Tree, *_LOSSES)):
            _check_part(part)


def without_pools(model: object) -> None:
    """Every part of the model works in the thread that asks it.

    One row is not worth handing to a pool: slower, and pools outlive a drain. Fitted parts are not among get_params.
    """
    for part in _parts(model):
        if getattr(part, "n_jobs", None) is not None:
            part.n_jobs = 1


def _check_part(part: Any) -> None:
    kind = type(part)
    review = REVIEWED.get(f"{kind.__module__}.{kind.__qualname__}")
    if review is None:
        raise UntrustedModel(f"{kind.__module__}.{kind.__qualname__} is not among the reviewed types")
    for name in getattr(part, "__dict__", {}):
        if callable(getattr(kind, name, None)):
            raise UntrustedModel(f"{kind.__name__}: the file hides the method {name[:_NAMED]}")
    if review.check is None:
        return
    marker, check = CHECKS[review.check]
    if not hasattr(part, marker):
        return  # never fitted: native code would need just this, and asking for it raises AttributeError
    try:
        check(part)
    except Refusal as refusal:
        raise UntrustedModel(f"{kind.__name__}: {str(refusal)[:_NAMED]}") from None
    except Exception as error:  # an attribute is missing or of another type than scikit-learn writes
        raise UntrustedModel(
            f"{kind.__name__}: {type(error).__name__} while it was checked: {error}"[:_NAMED]
        ) from error


def _check_numbers(array: Any) -> None:
    if array.dtype.hasobject and array.dtype != object:
        raise UntrustedModel("an array has fields of Python objects")


def _parts(model: object) -> Iterator[Any]:
    seen: set[int] = set()
    stack: list[Any] = [model]
    while stack:
        part = stack.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if type(part) in _PLAIN or isinstance(part, np.dtype | interp1d):
            continue
        if isinstance(part, type):
            _check_type(part)
            continue
        yield part
        stack.extend(_inside(part))


def _inside(part: Any) -> Iterator[Any]:
    kind = type(part)
    if isinstance(part, dict):
        yield from part.keys()
        yield from part.values()
    elif isinstance(part, _CONTAINERS):
        yield from part
    elif isinstance(part, np.ndarray):
        if part.dtype == object:
            yield from part.ravel()
    elif isinstance(part, np.random.RandomState | np.random.Generator):
        _check_random(part)
    elif isinstance(part, sparse.csr_matrix | sparse.csr_array):
        _check_csr(part)
    elif isinstance(part, (np.generic, *_LOSSES)):
        return
    elif kind is partial:
        _check_partial(part)
    elif kind.__module__.startswith("sklearn."):
        yield from vars(part).values()
    else:
        raise UntrustedModel(f"{kind.__module__}.{kind.__qualname__} is not among the reviewed types")


def _check_partial(call: Any) -> None:
    # Histogram boosting with categories leaves its numbers as they are by check_array; nothing else needs a partial.
    if call.func is not check_array or call.args or not set(call.keywords) <= {"dtype", "ensure_all_finite"}:
        raise UntrustedModel("functools.partial: admitted of check_array only")


def _check_type(kind: type) -> None:
    # A parameter such as dtype=float64.
    if not issubclass(kind, np.generic | int | float | str):
        raise UntrustedModel(f"{kind.__module__}.{kind.__qualname__} stands where a type of numbers belongs")


def _check_random(source: np.random.RandomState | np.random.Generator) -> None:
    # The Mersenne Twister reads its 624 words at `pos` without looking.
    generator = source._bit_generator if isinstance(source, np.random.RandomState) else source.bit_generator
    if isinstance(generator, np.random.MT19937):
        if not 0 <= int(generator.state["state"]["pos"]) <= 624:
            raise UntrustedModel("a random state points outside itself")
    elif not isinstance(generator, np.random.PCG64):
        raise UntrustedModel(f"{type(generator).__name__} is not among the reviewed random generators")


def _check_csr(matrix: Any) -> None:
    try:
        matrix.check_format(full_check=True)
    except ValueError as error:
        raise UntrustedModel(f"a sparse matrix points outside itself: {error}") from error
    if matrix.indices.size and not 0 <= int(matrix.indices.min()) <= int(matrix.indices.max()) < matrix.shape[1]:
        raise UntrustedModel("a sparse matrix points outside itself")
