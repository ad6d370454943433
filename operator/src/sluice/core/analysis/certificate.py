"""Is the candidate shown to be good enough? The promotion's e-process, and how small a difference it can exclude.

H0: p1 >= 1.25 * p0 + margin at some fixed margin. The certificate is given when the evidence against it reaches 20: a
candidate that is worse than the margin is certified with a probability of at most 5%, however often one looks. Every
required check must be certified, so several checks need no share of that 5% each (intersection-union; Berger 1982): a
candidate that is bad in one respect must fool the check that looks at it.

How fast a certificate comes depends on the traffic. So the margin is chosen before the rollout, as small as half an
hour of it allows, fixed, and shown to people: "certified within 1.25x + 0.75 points".

Worked example: 200 requests/s, largest weight 50%, p = 1%, phi = 1: n1 = n0 = 180,000. With d = 0.2 points
g = .25 * .01 + .002 = .0045, pb = .01 + .0045 / 2 = .01225, and g^2 / (2 pb (1/n1 + 1.5625/n0)) = 58 >= 7: the smallest
margin is enough.
"""

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

TOLERATED_RATIO: Final = 1.25
"""Ratio of losses to stable's up to which a candidate is good enough."""
CERTIFIED_AT: Final = 20.0
"""e-value of the certificate: 1 / 5%."""
MARGINS: Final = (0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05)
"""Margins on top of the ratio that may be chosen, as shares of the requests."""
HORIZON_SECONDS: Final = 1800.0
"""Time at the largest weight in which the certificate should be had."""
UNKNOWN_MARGIN: Final = 0.01
"""The margin where stable has no history from which one could be chosen."""
_INFORMATION: Final = 7.0
"""Nats that the horizon must bring on average: ln 20 = 3, ln 16 for the mixture = 2.8, and something for bad luck."""


def certifiable_margin(candidate_rate: float, stable_rate: float, share: float, phi: float) -> float | None:
    """The smallest margin that half an hour at the largest weight can certify; None: not even the largest.

    candidate_rate, stable_rate: requests/s that each arm gets at the largest weight. share: of losses that stable has,
    by its history, 0..1. phi: overdispersion, >= 1.
    """
    n1, n0 = candidate_rate * HORIZON_SECONDS, stable_rate * HORIZON_SECONDS
    if n1 <= 0 or n0 <= 0:
        return None
    for margin in MARGINS:
        gap = (TOLERATED_RATIO - 1) * share + margin
        between = share + gap / 2
        variance = between * (1 / n1 + TOLERATED_RATIO**2 / n0)
        if gap**2 / (2 * phi * variance) >= _INFORMATION:
            return margin
    return None


def promotion_margin(requests: ArrayLike, losses: ArrayLike, seconds: float, share: float, phi: float) -> float:
    """The margin of a rollout whose largest weight is `share`, from stable's history.

    requests, losses: counts of stable in `seconds` before the rollout, of any shape. share: of the requests, above 0
    and below 1. Where half an hour certifies not even the largest margin, that one is taken: it comes later.
    """
    total = float(np.sum(requests))
    if total <= 0 or seconds <= 0:
        return UNKNOWN_MARGIN
    rate = total / seconds
    margin = certifiable_margin(rate * share, rate * (1 - share), float(np.sum(losses)) / total, phi)
    return MARGINS[-1] if margin is None else margin
