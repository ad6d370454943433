"""The models that people of a simulated world publish, and how each of them behaves."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum


class Behaviour(StrEnum):
    """What a model does once it has to serve."""

    GOOD = "good"
    ERRORS = "errors"
    """Half of its answers are 500s."""
    SLOW = "slow"
    """Half of its answers take longer than a second."""
    EXITS = "exits"
    """Its container exits after some live requests."""
    NEVER_READY = "never-ready"
    IMAGE_MISSING = "image-missing"
    HANGS = "hangs"
    """Half of its requests are never answered, and so never counted by the server. Only where the gateway is asked."""


@dataclass(frozen=True, slots=True)
class Model:
    """One published version.

    load: seconds from the container's start until it is ready. exits_after: requests, for Behaviour.EXITS.
    """

    name: str
    behaviour: Behaviour = Behaviour.GOOD
    load: float = 1.5
    exits_after: int = 12

    @property
    def digest(self) -> str:
        """As in spec.model.digest."""
        return "sha256:" + hashlib.sha256(self.name.encode()).hexdigest()

    @property
    def failure_share(self) -> float:
        """Share of its answers that are errors; a good one has some too."""
        return 0.5 if self.behaviour is Behaviour.ERRORS else 0.002

    @property
    def hung_share(self) -> float:
        """Share of requests that it never answers."""
        return 0.5 if self.behaviour is Behaviour.HANGS else 0.0

    @property
    def slow_share(self) -> float:
        """Share of its answers above the objective."""
        return 0.5 if self.behaviour is Behaviour.SLOW else 0.004

    @property
    def harmful(self) -> bool:
        """It must be rejected once it gets traffic."""
        return self.behaviour in (Behaviour.ERRORS, Behaviour.SLOW, Behaviour.EXITS, Behaviour.HANGS)

    @property
    def starts(self) -> bool:
        """It can become ready."""
        return self.behaviour not in (Behaviour.NEVER_READY, Behaviour.IMAGE_MISSING)
