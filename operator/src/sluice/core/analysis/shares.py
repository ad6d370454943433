"""Does the candidate see or say other things than stable: another mix of feature values, another mix of predictions?

H0: of every category, in every poll, share1 <= r0 * share0 + delta. What becomes rarer makes something else more
frequent, so a bet on "more" in each category sees every change. Each category is a test of rates.py with the category's
requests as losses, and the evidence is the mean of the categories' e-values: an e-value whatever the dependence between
them (Vovk, Wang 2021), which a sum over categories of one multinomial has plenty of.

Worked example: 100 candidate and 900 stable requests, three categories, r0 = 1.1. Stable answers (50, 40, 10)%, the
candidate (50, 20, 30)%. Grid point 2.5 on the third category: r0 n1 / (r0 n1 + n0) = 10.9%, under the alternative
23.4%: a = 2.15, b = .859. 30 of the candidate and 90 of stable: 30 * .765 - 90 * .151 - 100 * .0005 * 1.15 = 9.3 nats.
It held a half (the first epoch) of 1/16, and a third of the mean is its own: 9.3 - ln 2 - ln 16 - ln 3 = 4.7, so the
e-value is above 111.
"""

import numpy as np
from numpy.typing import ArrayLike

from sluice.core.analysis.eprocess import Floats, log_evidence, nothing_bet
from sluice.core.analysis.rates import MARGIN, two_sample_bet


def no_shares_bet(categories: int, shape: tuple[int, ...] = ()) -> Floats:
    """log wealth before the first bet, (..., categories, grid); eprocess.open_epoch adds mass to it."""
    return nothing_bet((*shape, categories))


def bet_on_shares(
    log_wealth: Floats, x1: ArrayLike, x0: ArrayLike, r0: ArrayLike, delta: ArrayLike = MARGIN, phi: ArrayLike = 1.0
) -> Floats:
    """log wealth after one poll; one in which an arm had no request changes nothing.

    log_wealth: (..., categories, grid). x1, x0: requests of the candidate and of stable by category, counts,
    (..., categories): a request is in exactly one. r0, phi: tolerated ratio of shares (> 0) and overdispersion (>= 1),
    (...); delta: margin, a share.
    """
    candidate, stable = np.asarray(x1, dtype=float), np.asarray(x0, dtype=float)
    n1, n0 = (np.broadcast_to(x.sum(axis=-1, keepdims=True), x.shape) for x in (candidate, stable))
    ratio, margin, noise = (np.asarray(a, dtype=float)[..., None] for a in (r0, delta, phi))
    return two_sample_bet(log_wealth, n1, candidate, n0, stable, ratio, margin, noise)


def category_evidence(log_wealth: Floats, k: int) -> Floats:
    """ln of each category's e-value after k epochs, (..., categories): which one it is."""
    return log_evidence(log_wealth, k)


def shares_evidence(log_wealth: Floats, k: int) -> Floats:
    """ln of the mean of the categories' e-values after k epochs, (...)."""
    each = category_evidence(log_wealth, k)
    mean: Floats = np.logaddexp.reduce(each, axis=-1) - np.log(each.shape[-1])
    return mean
