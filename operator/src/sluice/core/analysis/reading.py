"""How is the metrics store's history read? In pieces that overlap, each answer sorted by the rollout it is about."""

from collections import defaultdict
from collections.abc import Sequence
from math import ceil
from typing import Final

from sluice.core.metrics import Series

OVERLAP: Final = 10.0
"""Seconds that each answer repeats: a scrape carries the time it began and arrives when it has ended."""
PIECE: Final = 300.0
"""Longest stretch of history in one answer, in seconds."""


def window(since: float, until: float) -> int:
    """Seconds of samples to ask for, so that none between these two times (seconds since the epoch) is missed."""
    return ceil(max(until - since, 0) + OVERLAP)


def by_pods(answer: Sequence[Series]) -> dict[tuple[str, str], list[Series]]:
    """Series by (namespace, Deployment): the name of a pod without its last two parts is that of its Deployment."""
    found: dict[tuple[str, str], list[Series]] = defaultdict(list)
    for series in answer:
        deployment = series.labels.get("pod", "").rsplit("-", 2)[0]
        found[(series.labels.get("namespace", ""), deployment)].append(series)
    return found
