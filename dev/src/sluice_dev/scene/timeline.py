"""What happened, in the order in which it could be seen from outside: weights, decisions, statuses, pods."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sluice.api.names import REVISION_HEADER


@dataclass(frozen=True, slots=True)
class Weights:
    """at: seconds since the epoch when the API server told of it. percent: by revision, zeros left out."""

    at: float
    percent: dict[str, int]


@dataclass(frozen=True, slots=True)
class Told:
    """An Event on the ModelDeployment. at: the operator's own time of the decision, seconds since the epoch."""

    at: float
    type: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class PodChange:
    """what: appeared, ready, unready, restarted, leaving, gone."""

    at: float
    pod: str
    revision: str
    what: str


@dataclass(slots=True)
class Timeline:
    """Grows while it is recorded."""

    weights: list[Weights] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    statuses: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    pods: list[PodChange] = field(default_factory=list)

    def weight_zero(self, revision: str, after: float) -> float | None:
        """When the route took the revision's traffic away for the last time after `after`; None if it never did."""
        had, ended = 0, None
        for moment in self.weights:
            has = moment.percent.get(revision, 0)
            if had and not has and moment.at >= after:
                ended = moment.at
            had = has
        return ended

    def changes(self) -> list[float]:
        """Moments at which a weight or a pod changed."""
        return sorted([w.at for w in self.weights] + [p.at for p in self.pods])


def seconds(timestamp: str) -> float:
    """`2026-01-31T12:00:00.123456Z` -> seconds since the epoch."""
    return datetime.fromisoformat(timestamp).timestamp()


def weights_of(route: dict[str, Any]) -> dict[str, int]:
    """Percent by revision of an HTTPRoute of ours, zeros left out."""
    percent: dict[str, int] = {}
    for rule in route["spec"]["rules"]:
        for backend in rule.get("backendRefs", ()):
            if backend.get("weight", 1):
                percent[_revision(backend)] = percent.get(_revision(backend), 0) + backend.get("weight", 1)
    return percent


def _revision(backend: dict[str, Any]) -> str:
    for told in backend.get("filters", ()):
        for header in told.get("requestHeaderModifier", {}).get("set", ()):
            if header["name"] == REVISION_HEADER:
                return str(header["value"])
    return str(backend["name"]).rpartition("-")[2]


def told_of(event: dict[str, Any]) -> Told:
    """An Event of events.k8s.io/v1."""
    at = event.get("eventTime") or event.get("deprecatedLastTimestamp") or event["metadata"]["creationTimestamp"]
    return Told(seconds(at), event.get("type", ""), event.get("reason", ""), event.get("note", ""))
