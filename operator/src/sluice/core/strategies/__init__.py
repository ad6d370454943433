"""Strategies compile their settings into stages. A new strategy is one file and one row here."""

from collections.abc import Callable
from typing import Final

from sluice.api.v1alpha1 import Spec
from sluice.core.stages import PROMOTE, Stage
from sluice.core.strategies import canary

COMPILERS: Final[dict[str, Callable[[Spec], tuple[Stage, ...]]]] = {"Canary": canary.stages}


def stages_of(spec: Spec) -> tuple[Stage, ...]:
    """All stages of a rollout by this spec, the promotion last."""
    return (*COMPILERS[spec.strategy.type](spec), PROMOTE)
