"""`make pictures`: what evidence looks like, drawn by the operator's own bets on simulated rollouts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.figure import Figure

from sluice.core.analysis.certificate import UNKNOWN_MARGIN
from sluice.core.analysis.comparison import WINDOW
from sluice.core.analysis.rate_bets import compare_rates, rate_wealth
from sluice.core.analysis.rates import MARGIN, tolerated_ratio
from sluice.core.analysis.tolerance import Tolerance
from sluice.core.forecast.judging import noise_of
from sluice.core.forecast.worlds import Floats, Rollouts, Traffic
from sluice_dev.cluster.layout import Layout
from sluice_dev.decisions.cells import SHARED, rollout

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SECONDS: Final = 600.0
BASE: Final = 0.01
EQUAL: Final = 40
"""Rollouts of a candidate that is as good as stable."""
WORSE: Final = 8
"""Of one with five times the errors."""
MINUTE: Final = 60.0
"""Seconds over which the threshold beside it takes the error rate."""
THRESHOLD: Final = 0.02
SEED: Final = 8
GOOD, BAD = "#4477aa", "#cc3311"


def paths(traffic: Traffic, worlds: int, seed: int) -> tuple[Floats, Floats, Floats]:
    """(seconds, e-values, error rate of the last minute): (polls,), (polls, worlds), (polls, worlds)."""
    rollouts = Rollouts(traffic, worlds, seed)
    phi, versus = noise_of(rollouts), rate_wealth((worlds,))
    times, evidence, requests, losses = [], [], [], []
    for poll in rollouts.polls(SECONDS):
        ratio = tolerated_ratio(traffic.legs[poll.leg].pods, traffic.stable_pods)
        tolerance, counts = Tolerance(ratio, MARGIN, phi, UNKNOWN_MARGIN), (poll.n1, poll.x1, poll.n0, poll.x0)
        versus = compare_rates(versus, int(poll.begin // WINDOW), *counts, tolerance, certify=False)
        times.append(poll.seconds)
        evidence.append(np.exp(np.minimum(versus.log_e, 20.0)))
        requests.append(poll.n1)
        losses.append(poll.x1)
    width = int(MINUTE / traffic.legs[0].poll)
    n, x = (np.cumsum(np.array(counts), axis=0) for counts in (requests, losses))
    n[width:], x[width:] = n[width:] - n[:-width].copy(), x[width:] - x[:-width].copy()
    return np.array(times), np.array(evidence), x / np.maximum(n, 1)


def draw() -> Figure:
    """Evidence above, a threshold on the same requests below."""
    figure = Figure(figsize=(10, 6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    traffic = rollout(200, BASE)
    for kind, worlds, colour in ((traffic, EQUAL, GOOD), (replace(traffic, factor=5.0), WORSE, BAD)):
        times, evidence, rate = paths(kind, worlds, SEED)
        above.semilogy(times, evidence, color=colour, linewidth=0.7, alpha=0.7)
        below.plot(times, 100 * rate, color=colour, linewidth=0.7, alpha=0.7)
    _limit(above, SHARED, f"rollback at {SHARED:.0f}")
    _limit(below, 100 * THRESHOLD, f"a threshold at {100 * THRESHOLD:g}%")
    above.set_ylim(1e-2, 1e6)
    above.set_ylabel("e-value of the check on errors")
    below.set_ylabel("errors in the last minute, %")
    below.set_xlabel(
        f"seconds; 200 requests/s, 10% to the candidate, stable fails {100 * BASE:g}%. "
        f"Blue: {EQUAL} equal candidates, red: {WORSE} that fail five times as often"
    )
    return figure


def _limit(axes: Axes, value: float, words: str) -> None:
    axes.axhline(value, color="black", linewidth=1)
    axes.annotate(words, (5, value), xytext=(0, 3), textcoords="offset points", fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)


def main() -> None:
    """Draw docs/images/evidence.png."""
    path = Layout.here().checkout / "docs" / "images" / "evidence.png"
    draw().savefig(path, dpi=110, metadata={"Software": None})


if __name__ == "__main__":
    main()
