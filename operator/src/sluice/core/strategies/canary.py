"""Canary: rising shares of the live traffic."""

from sluice.api.v1alpha1 import Canary, Spec
from sluice.core.stages import Stage


def stages(spec: Spec) -> tuple[Stage, ...]:
    """One stage per step; a step without a name is called by its place, from 1."""
    steps = (spec.strategy.canary or Canary()).steps
    return tuple(
        Stage(
            name=step.name or f"step-{number}",
            weight=step.weight,
            min_duration=step.min_duration,
            min_samples=step.min_samples,
        )
        for number, step in enumerate(steps, start=1)
    )
