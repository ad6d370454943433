"""Whose address is it? Pods come and go, and addresses are given out again."""

from collections import defaultdict
from dataclasses import dataclass, field


@dataclass(slots=True)
class Addresses:
    """Which pod had which address, and since when (seconds since the epoch)."""

    _pods: dict[str, dict[str, float]] = field(default_factory=lambda: defaultdict(dict))

    def learn(self, address: str, pod: str, since: float) -> None:
        """A pod has an address; the earliest moment that is told counts. No address is nothing learnt."""
        if address:
            pods = self._pods[address]
            pods[pod] = min(since, pods.get(pod, since))

    def pod(self, address: str, time: float) -> str | None:
        """The pod that had an address then: of several the youngest one that was there, else the first that came.

        A pod may be known only some time after it began to answer, from its first scrape, so the first one has had the
        address before, too.
        """
        pods = self._pods.get(address)
        if not pods:
            return None
        there = [(since, pod) for pod, since in pods.items() if since <= time]
        return max(there)[1] if there else min((since, pod) for pod, since in pods.items())[1]
