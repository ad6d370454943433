"""Which requests say something about latency? Not the first ones of a pod: caches are empty and code is not compiled.

A pod is left out until it has answered REQUESTS and some time has passed since the first of them, whichever is later,
and at most LONGEST times as long. Without that a revision with younger pods looks slower: with 30% more time for the
first requests an equal candidate was rolled back in 56% of simulated rollouts, and in 41% with "whichever is first".
Errors count from the first request: a cold pod may be slow, but it may not fail.
"""

from dataclasses import dataclass, field
from typing import Final

from sluice.core.analysis.exposure import Exposure
from sluice.core.analysis.saved import Saved

REQUESTS: Final = 200
"""Requests that a pod must have answered."""
LONGEST: Final = 10
"""Multiple of that time after which it counts in any case: with a request each few seconds nothing is ever warm."""


@dataclass(slots=True)
class _Pod:
    """first: when its first request was seen, seconds since the epoch. requests: that it has answered."""

    first: float
    requests: float


@dataclass(slots=True)
class WarmUp:
    """The pods of one revision. seconds: since a pod's first request; 0: every request counts."""

    seconds: float
    _pods: dict[str, _Pod] = field(default_factory=dict)

    def save(self) -> Saved:
        """All that it knows."""
        saved = Saved(words={"pods": tuple(self._pods)})
        saved.note("pods", [(pod.first, pod.requests) for pod in self._pods.values()])
        return saved

    def restore(self, saved: Saved) -> None:
        """Goes on from what was saved."""
        rows = zip(saved.words["pods"], saved.table("pods", 2), strict=True)
        self._pods = {name: _Pod(first, requests) for name, (first, requests) in rows}

    def is_over(self, pod: str, exposure: Exposure) -> bool:
        """Whether all that this scrape tells of was answered by a warm pod. Asked once for each scrape, in order."""
        if self.seconds <= 0:
            return True
        known = self._pods.get(pod)
        if known is None:
            old = exposure.uncounted >= REQUESTS  # it was at work before anybody looked
            known = self._pods[pod] = _Pod(float("-inf") if old else exposure.time, exposure.uncounted)
        lasted = exposure.began - known.first
        enough = known.requests >= REQUESTS
        over = lasted >= (self.seconds if enough else LONGEST * self.seconds)
        known.requests += exposure.requests
        return over
