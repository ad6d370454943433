"""Was more counted than happened? What a rollout's statuses told against what the gateway logged."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sluice_dev.load.accesslog import GatewayRequest
from sluice_dev.scene.timeline import Timeline, seconds

COUNTS = re.compile(r"([0-9]+) of ([0-9]+) requests failed(?: \([0-9.]+%\))?(?:, stable ([0-9]+) of ([0-9]+))?")


@dataclass(frozen=True, slots=True)
class Told:
    """What a status said was counted: requests, and of them those that failed. at: when it said so, since the epoch."""

    at: float
    candidate: int
    candidate_failed: int
    stable: int = 0
    stable_failed: int = 0


def told_counts(timeline: Timeline, revision: str, rejection: dict[str, Any] | None) -> list[Told]:
    """Every count of its requests that a status told, oldest first; the rejection's at the moment of the decision."""
    told = [
        (at, check.get("message", ""))
        for at, status in timeline.statuses
        if status.get("candidate", {}).get("revision") == revision
        for check in status.get("checks", ())
    ]
    if rejection is not None:
        told.append((seconds(rejection["at"]), rejection["message"]))
    found = [(at, COUNTS.search(message)) for at, message in told]
    return sorted(
        (
            Told(at, int(match[2]), int(match[1]), int(match[4] or 0), int(match[3] or 0))
            for at, match in found
            if match is not None
        ),
        key=lambda one: one.at,
    )


def counted_twice(told: Sequence[Told], requests: Sequence[GatewayRequest], candidate: str, stable: str) -> list[str]:
    """What a status told that the gateway had not logged by then, in words. requests: since the rollout began."""
    wrong = []
    for one in told:
        for arm, what, counted, failed in (
            (candidate, "candidate", one.candidate, one.candidate_failed),
            (stable, "stable", one.stable, one.stable_failed),
        ):
            logged = [r for r in requests if r.revision == arm and r.start + r.duration <= one.at]
            lost = sum(r.failed for r in logged)
            if counted > len(logged) or failed > lost:
                wrong.append(f"{what}: {failed} of {counted} counted, {lost} of {len(logged)} logged at {one.at:.2f}")
    return wrong


def counted_part(told: Sequence[Told], requests: Sequence[GatewayRequest], candidate: str) -> float:
    """Of the requests that the candidate had answered when a status told of it last, those that were counted."""
    if not told:
        return 0.0
    logged = sum(r.revision == candidate and r.start + r.duration <= told[-1].at for r in requests)
    return round(told[-1].candidate / logged, 3) if logged else 0.0
