"""A candidate on its way, as the questions about it see it, and what they can answer."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Final

from sluice.api.names import Reason
from sluice.api.status import CandidateStatus, Verdict
from sluice.api.v1alpha1 import OnFail, Spec
from sluice.core.analysis.verdicts import CheckResult
from sluice.core.snapshot import RevisionFacts, RouteState, Snapshot
from sluice.core.stages import Stage


class Move(Enum):
    """What may happen to the candidate's weight."""

    GO = auto()
    """It may rise to its stage's, and the stage may be left."""
    HOLD = auto()
    """It stays where it is."""
    RETREAT = auto()
    """To 0, without rejecting: the same stage starts again by itself."""
    REJECT = auto()
    """To 0, for good."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Answer of one question. stalled: it will not pass by itself, a person is needed."""

    move: Move
    reason: Reason
    message: str
    stalled: bool = False


CLEAR: Final = Finding(Move.GO, Reason.ROLLING, "")


@dataclass(frozen=True, slots=True)
class Trial:
    """A candidate on its way, as the questions see it."""

    snapshot: Snapshot
    spec: Spec
    candidate: CandidateStatus
    stage: Stage
    first: bool
    """There is no stable revision yet."""
    proving: bool = False
    """The next stage gives it all traffic: the last one in which it can be compared with anything."""

    @property
    def facts(self) -> RevisionFacts:
        """The candidate's objects."""
        return self.snapshot.revision(self.candidate.revision)

    @property
    def weight(self) -> int:
        """Percent of the live requests that it gets now."""
        return self.snapshot.weight(self.candidate.revision)

    @property
    def capacity(self) -> int:
        """Pods that its stage needs."""
        return self.stage.capacity(self.spec.replicas or 1)

    @property
    def live(self) -> bool:
        """Its stage's weight is what the gateways carry, by their own word."""
        route = self.snapshot.route
        return route is not None and route.state is RouteState.VERIFIED and self.weight == self.stage.weight

    @property
    def since(self) -> datetime:
        """Beginning of what is judged in this stage."""
        return self.candidate.stage.live_since or self.candidate.stage.entered_at

    @property
    def overdue(self) -> bool:
        """It has had longer than progressDeadline to get ready for its stage, and is not there."""
        return not self.live and self.snapshot.now - self.candidate.stage.entered_at >= self.spec.progress_deadline

    @property
    def live_for(self) -> timedelta:
        """Time in its stage with the stage's weight live."""
        mark = self.candidate.stage
        return mark.live_for + (self.snapshot.now - mark.live_since if mark.live_since else timedelta())

    @property
    def unproven(self) -> tuple[CheckResult, ...]:
        """Required checks that have data and are not certified, where they have to be."""
        checks = self.snapshot.observation.checks if self.proving else ()
        return tuple(c for c in checks if c.required and c.verdict is Verdict.UNDECIDED)

    def failing(self, on_fail: OnFail) -> CheckResult | None:
        """The first check that says Fail and has this consequence."""
        return next(
            (c for c in self.snapshot.observation.checks if c.verdict is Verdict.FAIL and c.on_fail is on_fail), None
        )
