"""How far is the candidate in its stage, and which stages come before and after?"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sluice.api.names import Condition, Reason
from sluice.cli.rollout import Rollout
from sluice.core.stages import INITIAL, Stage
from sluice.core.strategies import stages_of

_REQUESTS: Final = r"(?:^|, )(\d+) of {least} requests(?=, |$)"
"""As sluice.core.gates says them; a test holds the two together. Checks may speak of requests in the same sentence."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The candidate's place.

    stages: all of them, the promotion last. index: of the one that it is in, from 0. live_for: time with the stage's
    weight live. requests: answered in this stage when the status was written; None: the operator does not say.
    """

    stages: tuple[Stage, ...]
    index: int
    live_for: timedelta
    requests: int | None

    @property
    def stage(self) -> Stage:
        """The one that it is in."""
        return self.stages[self.index]


def progress(rollout: Rollout, now: datetime) -> Progress | None:
    """None without a candidate, or when the spec cannot be read."""
    candidate = rollout.status.candidate
    if candidate is None or rollout.spec is None:
        return None
    stages = stages_of(rollout.spec) if rollout.status.stable else INITIAL
    mark = candidate.stage
    # The steps may have been edited since: the name is what counts, as for the operator.
    if mark.index < len(stages) and stages[mark.index].name == mark.name:
        index = mark.index
    else:
        index = next((i for i, stage in enumerate(stages) if stage.name == mark.name), 0)
    running = now - mark.live_since if mark.live_since else timedelta()
    return Progress(
        stages=stages,
        index=index,
        live_for=mark.live_for + max(running, timedelta()),
        requests=_requests(rollout, stages[index]),
    )


def _requests(rollout: Rollout, stage: Stage) -> int | None:
    """What the operator waits for is in Reconciling; when it does not wait for requests, they are there."""
    said = rollout.condition(Condition.RECONCILING)
    candidate = rollout.status.candidate
    if said is None or candidate is None or candidate.stage.live_since is None or said.reason != Reason.ROLLING:
        return None
    if found := re.search(_REQUESTS.format(least=stage.min_samples), said.message):
        return int(found[1])
    return stage.min_samples
