"""What the planner learns about a candidate: can it be seen, and what do its checks say."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sluice.api.status import MeasurementStatus, Verdict
from sluice.api.v1alpha1 import OnFail


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check says now.

    evidence: distance from a decision, in words ("0.4 of 100").
    message: the counts behind it, in words ("31 of 10200 failed").
    """

    name: str
    verdict: Verdict
    on_fail: OnFail
    evidence: str = ""
    message: str = ""
    required: bool = False
    """The candidate gets all traffic only once it is Certified."""
    certificate: str = ""
    """Distance from being certified, in words; empty where that is not wanted."""
    near_failing: float = 0.0
    """How far it is on its way to failing: 0 no evidence, 1 it fails."""
    near_certified: float | None = None
    """The same for its certificate; None where none is wanted."""
    holds: bool = False
    """Its newest value is inconclusive: the stage is not left."""
    measurements: tuple[MeasurementStatus, ...] = ()
    """The newest of a plain query that count, oldest first."""
    lacks_stable: bool = False
    """It knows nothing because stable tells nothing, though the candidate does."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What the metrics store told about one candidate.

    caught_up: the history since the rollout's start has been read; before that no weight may rise.
    seen: pods with at least two fresh samples of up == 1.
    newest: per pod, the time of its newest sample of up == 1, as far as all its metrics have been read: if the
    store answers for `up` but not for the requests, nobody sees how the pod does.
    scrape_interval: learnt from the distances of those samples.
    requests: requests that the candidate answered since its stage was entered.
    checks: in the order of the spec.
    """

    caught_up: bool = False
    seen: frozenset[str] = frozenset()
    newest: Mapping[str, datetime] = field(default_factory=dict)
    scrape_interval: timedelta = timedelta(seconds=15)
    stable_newest: datetime | None = None
    """Time of stable's newest sample of up == 1; None: nothing is compared with it, or it was never seen."""
    compares: bool = False
    """Whether a check compares with stable."""
    requests: int = 0
    checks: tuple[CheckResult, ...] = ()
    problem: str = ""
    """The provider's own words when the last question failed, else empty."""


NOTHING_KNOWN = Observation()
