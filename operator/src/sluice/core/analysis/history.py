"""What did stable do in the hour before the rollout? Counts by pod and block, for the overdispersion."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from sluice.core.analysis.counted import failed_requests
from sluice.core.analysis.counters import Counters
from sluice.core.analysis.eprocess import Floats
from sluice.core.analysis.overdispersion import BLOCK_SECONDS, HISTORY_SECONDS
from sluice.core.analysis.questions import pod_matchers
from sluice.core.metrics import MetricPreset, Series


def history_query(metric: str, namespace: str, deployment: str) -> str:
    """PromQL for the value of a counter of these pods at the end of each block of an hour: 31 points a series.

    A subquery takes the newest sample of before each of them, so the blocks are exact to one scrape.
    """
    matchers = pod_matchers(namespace, deployment)
    return f"{metric}{{{matchers}}}[{HISTORY_SECONDS + BLOCK_SECONDS:.0f}s:{BLOCK_SECONDS:.0f}s]"


def counts_by_block(preset: MetricPreset, answer: Sequence[Series]) -> tuple[Floats, Floats]:
    """(requests, losses), each (pods, blocks), oldest block first; blocks of which no pod tells are left out."""
    deltas = Counters().absorb(answer, lambda pod, target, time: False)
    cells: dict[str, dict[float, tuple[float, float]]] = defaultdict(dict)
    first = min((series.points[0][0] for series in answer if series.points), default=0.0)
    for pod in {delta.labels.get("pod", "") for delta in deltas}:
        own = [delta for delta in deltas if delta.labels.get("pod", "") == pod]
        cells[pod] = {e.time: (e.requests, e.losses) for e in failed_requests(preset, own) if e.time > first}
    blocks = sorted({time for by_time in cells.values() for time in by_time})
    table = np.array([[cells[pod].get(time, (0.0, 0.0)) for time in blocks] for pod in sorted(cells)])
    if not table.size:
        return np.zeros((0, 0)), np.zeros((0, 0))
    return table[:, :, 0], table[:, :, 1]
