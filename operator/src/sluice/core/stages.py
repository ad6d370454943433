"""A stage: the one notion every strategy is made of."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from math import ceil


@dataclass(frozen=True, slots=True)
class Stage:
    """One share of the traffic, held until its gates are open.

    weight: percent of the live requests for the candidate, 0..100.
    min_duration: least time with this weight live.
    min_samples: least requests that the candidate answered meanwhile.
    """

    name: str
    weight: int
    min_duration: timedelta
    min_samples: int

    def capacity(self, replicas: int) -> int:
        """Pods of the candidate that this stage needs, of `replicas` that serve all traffic.

        3 replicas: weight 10 needs ceil(0.3) = 1, weight 50 needs 2, weight 100 needs 3. Never less than 1, as the
        candidate must be ready before its weight rises.
        """
        return max(1, ceil(replicas * self.weight / 100))


def largest_share(stages: Iterable[Stage]) -> float:
    """The largest share of the live requests, 0..1, that a candidate gets while stable has some too; 0.5 of none."""
    return max((stage.weight for stage in stages if 0 < stage.weight < 100), default=50) / 100


PROMOTE = Stage(name="promote", weight=100, min_duration=timedelta(), min_samples=0)
"""The last stage of every rollout: all traffic, nothing more to wait for than the gateway's word."""

INITIAL = (Stage(name="initial", weight=100, min_duration=timedelta(), min_samples=0),)
"""The way of the first revision of all: there is no other that could serve."""
