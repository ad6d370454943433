"""What did stable do in the hour before the rollout? Counts by pod and block, for the overdispersion."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from sluice.core.analysis.counters import Counters
from sluice.core.analysis.eprocess import Floats
from sluice.core.analysis.exposure import Exposures, by_pod
from sluice.core.analysis.overdispersion import BLOCK_SECONDS, HISTORY_SECONDS
from sluice.core.analysis.questions import bucket_matcher, pod_matchers, selected
from sluice.core.metrics import Series


def history_query(metric: str, namespace: str, deployment: str, bounds: Iterable[float] = ()) -> str:
    """PromQL for the value of a counter of these pods at the end of each block of an hour: 31 points a series.

    bounds: of a histogram's buckets only these. A subquery takes the newest sample of before each of them, so the
    blocks are exact to one scrape.
    """
    matchers = [pod_matchers(namespace, deployment), *bucket_matcher(bounds)]
    return f"{selected(metric, matchers)}[{HISTORY_SECONDS + BLOCK_SECONDS:.0f}s:{BLOCK_SECONDS:.0f}s]"


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """Counts by pod and block, oldest block first: requests (pods, blocks), losses (pods, blocks, ways)."""

    requests: Floats
    losses: Floats

    @property
    def seconds(self) -> float:
        """Length of all blocks together."""
        return float(self.requests.shape[1] * BLOCK_SECONDS)

    def shares(self) -> Floats | None:
        """Share of losses, (ways,); None where there was no request."""
        total = self.requests.sum()
        return np.asarray(self.losses.sum(axis=(0, 1)) / total) if total > 0 else None


def past_of(exposures: Exposures, ways: int, answer: Sequence[Series]) -> Past:
    """What an answer to the history's query tells; blocks of which no pod tells are left out."""
    deltas = Counters().absorb(answer, lambda pod, target, time: False)
    first = min((series.points[0][0] for series in answer if series.points), default=0.0)
    cells = {pod: {e.time: e for e in own if e.time > first} for pod, own in by_pod(exposures, deltas).items()}
    at = {time: k for k, time in enumerate(sorted({time for by_time in cells.values() for time in by_time}))}
    requests, losses = np.zeros((len(cells), len(at))), np.zeros((len(cells), len(at), ways))
    for k, pod in enumerate(sorted(cells)):
        for time, exposure in cells[pod].items():
            requests[k, at[time]], losses[k, at[time]] = exposure.requests, exposure.losses
    return Past(requests, losses)
