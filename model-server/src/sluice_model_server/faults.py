"""Which requests shall fail on purpose?

A way to try out rollouts and alarms with a server that misbehaves for real. Off unless SLUICE_MODEL_FAULTS or
SLUICE_MODEL_BACKGROUND_ERROR_SHARE is set; the server then warns at start.
"""

import random
from math import exp
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

LONGEST_DELAY: Final = 60.0
"""Seconds."""


class FaultPlan(BaseModel):
    """SLUICE_MODEL_FAULTS, a JSON object.

    error_share: share of inference requests answered 500, 0..1.
    delay_seconds: added before each answer; the server stays responsive meanwhile.
    delay_sigma: with it delay_seconds is the median of a lognormal delay, and this the standard deviation of its
        logarithm.
    exit_after: the process exits with status 1 after answering its n-th live request (mirrored copies do not count).
    seed: makes the choice of failing requests repeatable for one host name; absent means different each time, and
        pods differ among each other either way, so that replicas do not fail in step.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    error_share: Annotated[float, Field(ge=0, le=1)] = 0.0
    delay_seconds: Annotated[float, Field(ge=0, le=LONGEST_DELAY)] = 0.0
    delay_sigma: Annotated[float, Field(ge=0, le=3)] = 0.0
    exit_after: Annotated[int, Field(ge=1)] | None = None
    seed: int | None = None


class Faults:
    """A fault plan and how far it has come in this process."""

    def __init__(self, plan: FaultPlan, *, background_error_share: float, host: str) -> None:
        self._delay_seconds, self._delay_sigma = plan.delay_seconds, plan.delay_sigma
        # Two independent causes: 0.5 and 0.01 fail 1 - 0.5 * 0.99 = 0.505 of the requests.
        self.error_share = 1 - (1 - plan.error_share) * (1 - background_error_share)
        self._exit_after = plan.exit_after
        self._live = 0
        self._random = random.Random() if plan.seed is None else random.Random(f"{plan.seed}/{host}")  # noqa: S311

    @property
    def active(self) -> bool:
        return self.error_share > 0 or self._delay_seconds > 0 or self._exit_after is not None

    def delay(self) -> float:
        """Seconds by which the next answer is delayed; at most a minute."""
        if not self._delay_sigma:
            return self._delay_seconds
        return min(self._delay_seconds * exp(self._random.gauss(0.0, self._delay_sigma)), LONGEST_DELAY)

    def fails(self) -> bool:
        """Whether the next request is answered 500."""
        return self.error_share > 0 and self._random.random() < self.error_share

    def must_exit(self, *, mirrored: bool) -> bool:
        """Counts one answered request; true when it was the live one that ends the process."""
        if self._exit_after is None or mirrored:
            return False
        self._live += 1
        return self._live == self._exit_after
