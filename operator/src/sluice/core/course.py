"""Where a rollout goes next: the memory to keep, the candidate's weight, and what to say about it."""

from dataclasses import dataclass, replace

from sluice.api.names import Reason
from sluice.api.status import Status
from sluice.core.plan import Announce, Mark
from sluice.core.trial import CLEAR, Finding


@dataclass(frozen=True, slots=True)
class Course:
    """Where things go.

    weight: percent of the live requests that the candidate is to have.
    finding: what stands in the way, CLEAR when nothing does.
    waiting: what the stage still waits for, in words.
    """

    status: Status
    desired: str
    weight: int = 0
    finding: Finding = CLEAR
    waiting: str = ""
    events: tuple[Announce, ...] = ()
    marks: tuple[Mark, ...] = ()

    def tell(self, kind: str, reason: Reason, message: str) -> "Course":
        """The same, with one more Event."""
        return replace(
            self, events=(*self.events, Announce("Warning" if kind == "Warning" else "Normal", reason, message))
        )
