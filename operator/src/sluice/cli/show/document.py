"""`status -o json`: the same for programs."""

from datetime import datetime
from typing import Any

from sluice.cli.next_steps import next_steps
from sluice.cli.progress import progress
from sluice.cli.rollout import Rollout


def document(rollout: Rollout, now: datetime) -> dict[str, Any]:
    """outcome: Serving, Stalled or Rolling. stage: None without a candidate. status: as in the API."""
    place = progress(rollout, now)
    return {
        "namespace": rollout.namespace,
        "name": rollout.name,
        "generation": rollout.generation,
        "desired": rollout.desired,
        "outcome": str(rollout.outcome),
        "waitsFor": rollout.waits_for,
        "stage": None
        if place is None
        else {
            "number": place.index + 1,
            "of": len(place.stages),
            "name": place.stage.name,
            "weight": place.stage.weight,
            "liveSeconds": round(place.live_for.total_seconds(), 1),
            "minDurationSeconds": place.stage.min_duration.total_seconds(),
            "requests": place.requests,
            "minSamples": place.stage.min_samples,
        },
        "next": [{"words": step.words, "command": step.command} for step in next_steps(rollout)],
        "status": rollout.status.model_dump(mode="json", by_alias=True, exclude_none=True),
    }
