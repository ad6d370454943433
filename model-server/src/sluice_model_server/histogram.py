"""How often did a number lie below each bound, counted one at a time?

Plain integers: everything is counted and read in the event loop's thread, and prometheus_client's lock for each number
costs a request more than the counting.
"""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

from sluice_model_server.exposition import Family, le, series


class Histogram:
    """A Prometheus histogram without labels. bounds: rising; a value equal to one counts at it."""

    def __init__(self, name: str, help: str, bounds: Sequence[float]) -> None:
        self._bounds = tuple(map(float, bounds))
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0
        buckets = [series(f"{name}_bucket", le=le(bound)) for bound in (*self._bounds, float("inf"))]
        self._family = Family(name, "histogram", help, [*buckets, f"{name}_count", f"{name}_sum"])

    def observe(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def render(self) -> str:
        at_most = list(accumulate(self._counts))
        return self._family.render([*at_most, at_most[-1], self._sum])
