"""What is to be expected of a rollout, as data."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import numpy as np

from sluice.core.forecast.judging import Judged


@dataclass(frozen=True, slots=True)
class StageOutlook:
    """One stage. rate: requests/s of the candidate. seconds: until it can be left, inf if never. by: what it waits
    for. of: the check whose certificate that is."""

    name: str
    weight: int
    pods: int
    rate: float
    seconds: float
    by: str
    of: str = ""


@dataclass(frozen=True, slots=True)
class Regression:
    """A candidate that is worse. share: of its requests that fail or are slower. found: share of rollouts that are
    rolled back.

    seconds: median from the first stage on, of those found. stage: in which most are found, "" if none is. bad,
    bad_most: what the candidate answers until then, whether it is found or not, median and 90%: requests that fail; of
    a slow-down all of its requests.
    """

    name: str
    share: float
    found: float
    seconds: float
    stage: str
    bad: float
    bad_most: float


@dataclass(frozen=True, slots=True)
class Outlook:
    """What to expect.

    regressions: of errors. slowdowns: of latency; none where no check on latency rolls back. false_rollback: share of
    rollouts of an equal candidate that are rolled back. advice: in words.
    """

    stages: tuple[StageOutlook, ...]
    regressions: tuple[Regression, ...]
    false_rollback: float
    advice: tuple[str, ...]
    slowdowns: tuple[Regression, ...] = ()

    @property
    def seconds(self) -> float:
        """Of all stages together."""
        return sum(stage.seconds for stage in self.stages)


def regression(name: str, share: float, judged: Judged, stages: Sequence[str]) -> Regression:
    """What became of one kind of candidate. stages: names, in the order of the legs."""
    found = np.isfinite(judged.failed_at)
    where = np.bincount(judged.leg[found].astype(int), minlength=len(stages))
    return Regression(
        name=name,
        share=share,
        found=float(found.mean()),
        seconds=float(np.median(judged.failed_at[found])) if found.any() else inf,
        stage=stages[int(where.argmax())] if found.any() else "",
        bad=float(np.median(judged.bad)),
        bad_most=float(np.quantile(judged.bad, 0.9)),
    )
