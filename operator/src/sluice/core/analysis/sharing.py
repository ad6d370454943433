"""How do several checks, and several slices of one, share one chance of a false rollback?

The rollout's evidence is the weighted mean of the checks' e-values, sum of w_m E_m with the w summing to 1: again an
e-value, whatever the dependence between the checks. It is at least w_m E_m, so one check alone reaches the limit at
E_m >= 1/(alpha w_m), and several weak ones reach it together. Checks of one rollout use the weights only, each against
its own limit (see limits_of).

Source: Vovk, Wang 2021 (merging e-values by their mean); Wang, Ramdas 2022 (e-BH).

Worked example: errors (.4) and latency (.2) alone: the weights become 2/3 and 1/3, at alpha 1% errors fail at 150 and
latency at 300 by themselves; at 80 and 180 both together reach 2/3 * 80 + 1/3 * 180 = 113 >= 100.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from sluice.api.v1alpha1 import Check
from sluice.core.analysis.eprocess import Floats

GROUP_SHARES: Final[Mapping[str, float]] = {"errors": 0.4, "latency": 0.2, "outputs": 0.2, "rest": 0.2}
"""Share of alpha of each group of checks, before those that are not in use give theirs away."""


def weights_of(groups: Sequence[str]) -> tuple[float, ...]:
    """Weight of each check, by the group it belongs to, in the same order; they sum to 1.

    Checks of one group share its part evenly. Raises KeyError for a group that is not in GROUP_SHARES.
    """
    parts = [GROUP_SHARES[group] / groups.count(group) for group in groups]
    return tuple(part / sum(parts) for part in parts)


def limit(alpha: float, weight: float) -> float:
    """e-value at which a check of this weight fails alone: 1 / (alpha * weight)."""
    return 1.0 / (alpha * weight)


def group_of(check: Check) -> str | None:
    """The group of GROUP_SHARES that a check on requests belongs to; None for one that has no e-value."""
    if check.rate is not None:
        return "errors"
    return "latency" if check.latency is not None else None


def limits_of(checks: Iterable[Check], alpha: float) -> dict[str, float]:
    """e-value at which each check on requests fails, by the check's name.

    Each fails by itself, at its own weight: the chance that any of them fails a good candidate is at most the sum of
    their parts, alpha. Their sum `combined` is no trigger, as its peak would depend on the moments of the looks
    and a restarted operator could come to another verdict.
    """
    groups = {check.name: group for check in checks if (group := group_of(check)) is not None}
    weights = weights_of(tuple(groups.values()))
    return {name: limit(alpha, weight) for name, weight in zip(groups, weights, strict=True)}


def combined(log_e: Sequence[float] | Floats, weights: Sequence[float] | Floats) -> float:
    """ln of the weighted mean of e-values. log_e, weights: one per check; without any, 0."""
    if not len(log_e):
        return 0.0
    total: float = np.logaddexp.reduce(np.log(np.asarray(weights, dtype=float)) + np.asarray(log_e, dtype=float))
    return float(total)


def with_slices(aggregate: ArrayLike, slices: ArrayLike) -> Floats:
    """ln of a check's e-value: half the aggregate's, half the mean of its slices'. All in ln.

    aggregate: (...), rollouts, none for one alone. slices: (..., slices). Without any slice the aggregate's itself.
    """
    whole, parts = np.asarray(aggregate, dtype=float), np.asarray(slices, dtype=float)
    if not parts.shape[-1]:
        return whole
    mean = np.logaddexp.reduce(parts, axis=-1) - np.log(parts.shape[-1])
    total: Floats = np.logaddexp(whole, mean) - np.log(2.0)
    return total


def discoveries(log_e: Sequence[float], alpha: float) -> tuple[int, ...]:
    """e-BH: positions of the slices that are called bad, with a false discovery rate of at most alpha.

    The k largest, for the largest k with e_(k) >= K / (k alpha), K the number of slices. log_e: ln of e-values that may
    depend on each other in any way.
    """
    order = np.argsort(-np.asarray(log_e, dtype=float), kind="stable")
    total = len(log_e)
    found = 0
    for k, position in enumerate(order, start=1):
        if log_e[position] >= np.log(total / (k * alpha)):
            found = k
    return tuple(sorted(int(i) for i in order[:found]))
