"""ModelDeployment v1alpha1: what the operator answers (status).

Status is the operator's memory between two passes: everything in it is either derived anew each pass or written in
the same pass that acted on it.
"""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from sluice.api.quantities import Duration, Time
from sluice.api.v1alpha1 import ModelSource, Schema

HISTORY_LIMIT = 20
"""Newest entries kept in status.rejected and status.history."""
RETIRING_LIMIT = 8
"""Most revisions that are kept until their requests have finished; any more go at once."""
MEASUREMENTS = 10
"""Newest measurements of a plain query that are kept."""
VERB_LIMIT = 256
"""Characters of a verb's value that are kept."""
CHECKPOINT_LIMIT = 65_536
"""Most characters of a checkpoint: an object may have 1.5 MB in etcd, and all who watch it are sent all of it."""

RevisionName = Annotated[
    str,
    Field(
        max_length=8,
        pattern=r"^[0-9a-f]{8}$",
        description="The revision: a hash of model, runtime and template, 8 hexadecimal characters.",
    ),
]
Slot = Annotated[int, Field(ge=0, le=1, description="Backend of the route that the revision keeps for life: 0 or 1.")]


class Verdict(StrEnum):
    """What a check can say. The last three are the unknowns."""

    FAIL = "Fail"
    CERTIFIED = "Certified"
    UNDECIDED = "Undecided"
    NO_DATA = "NoData"
    PROVIDER_ERROR = "ProviderError"
    QUERY_ERROR = "QueryError"

    @property
    def unknown(self) -> bool:
        """Not knowing is not failing: these never reject a revision, and never let it pass."""
        return self in (Verdict.NO_DATA, Verdict.PROVIDER_ERROR, Verdict.QUERY_ERROR)


class StableStatus(Schema):
    """The revision promoted last."""

    revision: RevisionName
    slot: Slot
    model: Annotated[ModelSource, Field(description="The model that it serves.")]
    moved_to: Annotated[
        str | None,
        Field(max_length=2048, description="Other address of this model that the spec names; an Event told of it."),
    ] = None


class StageStatus(Schema):
    """Where the candidate is on its way."""

    index: Annotated[int, Field(ge=0, description="Position in the list of stages, from 0.")]
    name: Annotated[str, Field(max_length=32, description="Name of the stage.")]
    entered_at: Annotated[Time, Field(description="When the stage was entered or started again.")]
    live_since: Annotated[Time | None, Field(description="Since when the gateway has carried the stage's weight.")] = (
        None
    )
    live_for: Annotated[Duration, Field(description="Time with the stage's weight live, before liveSince.")] = (
        timedelta()
    )
    set_at: Annotated[
        Time | None, Field(description="Since when the gateway has had to confirm the stage's weight.")
    ] = None


class CandidateStatus(Schema):
    """The revision that is being rolled out."""

    revision: RevisionName
    slot: Slot
    model: Annotated[ModelSource, Field(description="The model that it serves.")]
    started_at: Annotated[Time, Field(description="When its rollout began. Evidence counts from here.")]
    weight: Annotated[int, Field(ge=0, le=100, description="Percent of the live requests that the route gives it.")] = 0
    exposed_at: Annotated[Time | None, Field(description="When its weight last rose from 0.")] = None
    exits_under_weight: Annotated[
        int, Field(ge=0, description="Container exits while it had live traffic; the second one rejects it.")
    ] = 0
    last_exit_at: Annotated[Time | None, Field(description="When the last counted exit was.")] = None
    retreated: Annotated[
        str | None,
        Field(max_length=64, description="Why its traffic was taken back without rejecting it."),
    ] = None
    checks: Annotated[
        str | None,
        Field(max_length=8, description="Digest of the checks that judge it: with others, failures are judged anew."),
    ] = None
    checkpoint: Annotated[
        str | None,
        Field(
            max_length=CHECKPOINT_LIMIT,
            description="The evidence some minutes ago, for the operator alone: after a restart it goes on from here "
            "and need not read all samples since startedAt again.",
        ),
    ] = None
    stage: Annotated[StageStatus, Field(description="Where it is on its way.")]


class RetiringStatus(Schema):
    """A revision without traffic that is kept until requests under way have finished."""

    revision: RevisionName
    since: Annotated[Time, Field(description="When it lost its place.")]


class TrafficStatus(Schema):
    """Share of the live requests that the route gives a revision."""

    revision: RevisionName
    weight: Annotated[int, Field(ge=0, le=100, description="Percent of the live requests.")]


class MeasurementOutcome(StrEnum):
    """What one measurement of a plain query says."""

    PASSED = "Passed"
    FAILED = "Failed"
    INCONCLUSIVE = "Inconclusive"
    NO_VALUE = "NoValue"


class MeasurementStatus(Schema):
    """One measurement of a plain query."""

    at: Annotated[Time, Field(description="The moment that was measured.")]
    value: Annotated[str, Field(max_length=32, description="What the query yielded; empty if no number.")] = ""
    outcome: Annotated[
        MeasurementOutcome,
        Field(
            description="Passed, Failed: within min and max, or not. Inconclusive: beyond holdBelow or holdAbove only. "
            "NoValue: an error, no data or NaN."
        ),
    ]


class CheckStatus(Schema):
    """What a check says now."""

    name: Annotated[str, Field(max_length=32, description="Name of the check.")]
    verdict: Annotated[
        Verdict,
        Field(
            description="Fail: the candidate is worse than allowed. Certified: shown to be good enough. Undecided: not "
            "enough evidence yet. NoData: no fresh metrics. ProviderError: Prometheus does not answer. QueryError: it "
            "refuses the query."
        ),
    ]
    evidence: Annotated[str, Field(max_length=1024, description="How far from failing, e.g. 0.4 of 200.")] = ""
    certificate: Annotated[
        str, Field(max_length=1024, description="How far from being Certified, e.g. 3.1 of 20; empty if not required.")
    ] = ""
    message: Annotated[str, Field(max_length=1024, description="The counts behind it, in words.")] = ""
    measurements: Annotated[
        tuple[MeasurementStatus, ...],
        Field(max_length=MEASUREMENTS, description="The newest of a plain query that count, oldest first."),
    ] = ()


class RejectedStatus(Schema):
    """A revision that gets no traffic again without a retry."""

    revision: RevisionName
    reason: Annotated[str, Field(max_length=64, description="Why, in one word, e.g. CheckFailed.")]
    message: Annotated[str, Field(max_length=1024, description="The evidence, in words.")] = ""
    at: Annotated[Time, Field(description="When it was rejected.")]


class HistoryStatus(Schema):
    """How a rollout ended."""

    revision: RevisionName
    outcome: Annotated[
        Literal["Promoted", "RolledBack", "Superseded", "Cancelled"],
        Field(
            description="Promoted: it became stable. RolledBack: it was rejected. Superseded: a newer spec came. "
            "Cancelled: the spec went back to stable."
        ),
    ]
    reason: Annotated[str, Field(max_length=64, description="Why, in one word, e.g. CheckFailed.")] = ""
    message: Annotated[str, Field(max_length=1024, description="The evidence, in words.")] = ""
    started_at: Annotated[Time, Field(description="When the rollout began.")]
    ended_at: Annotated[Time, Field(description="When it ended.")]


class HandledVerbs(Schema):
    """Last value of each verb annotation that was acted on."""

    abort: Annotated[
        str | None, Field(max_length=VERB_LIMIT, description="Of sluice.dev/abort: <revision>/<token>.")
    ] = None
    retry: Annotated[
        str | None, Field(max_length=VERB_LIMIT, description="Of sluice.dev/retry: <revision>/<token>.")
    ] = None


class ConditionStatus(Schema):
    """A condition as the Kubernetes API conventions define it."""

    type: Annotated[
        str,
        Field(
            max_length=316,
            description="Available: stable serves. Ready: what the spec asks for serves all traffic. Reconciling: a "
            "rollout is under way. Stalled: rolled back, or cannot go on without a person.",
        ),
    ]
    status: Annotated[Literal["True", "False", "Unknown"], Field(description="Whether it holds.")]
    reason: Annotated[str, Field(max_length=1024, min_length=1, description="Why, in one word, e.g. RolledBack.")]
    message: Annotated[str, Field(max_length=32768, description="Why, in a sentence.")] = ""
    observed_generation: Annotated[int, Field(ge=0, description="Generation of the spec that it speaks of.")] = 0
    last_transition_time: Annotated[Time, Field(description="When its status last changed.")]


class Status(Schema):
    """What the operator knows and does."""

    observed_generation: Annotated[int, Field(ge=0, description="Generation of the spec this status speaks of.")] = 0
    replicas: Annotated[int, Field(ge=0, description="Number of stable's pods, for the scale subresource.")] = 0
    selector: Annotated[
        str, Field(max_length=512, description="Label selector of stable's pods, for the scale subresource.")
    ] = ""
    summary: Annotated[
        str, Field(max_length=256, description="The rollout in a few words, as kubectl get shows them.")
    ] = ""
    stable: Annotated[StableStatus | None, Field(description="The revision promoted last.")] = None
    candidate: Annotated[CandidateStatus | None, Field(description="The revision that is being rolled out.")] = None
    retiring: Annotated[
        tuple[RetiringStatus, ...], Field(max_length=RETIRING_LIMIT, description="Revisions about to be removed.")
    ] = ()
    traffic: Annotated[
        tuple[TrafficStatus, ...],
        Field(
            max_length=2,
            description="Shares of the live requests as seen on the route: stable first, then the candidate.",
        ),
    ] = ()
    checks: Annotated[tuple[CheckStatus, ...], Field(max_length=32, description="What the checks say.")] = ()
    rejected: Annotated[
        tuple[RejectedStatus, ...], Field(max_length=HISTORY_LIMIT, description="Rejected revisions, newest first.")
    ] = ()
    history: Annotated[
        tuple[HistoryStatus, ...], Field(max_length=HISTORY_LIMIT, description="Ended rollouts, newest first.")
    ] = ()
    last_handled: Annotated[HandledVerbs, Field(description="Verbs that were acted on.")] = HandledVerbs()
    conditions: Annotated[
        tuple[ConditionStatus, ...],
        Field(
            max_length=8,
            description="The usual conditions: Available, Ready, Reconciling, Stalled.",
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
        ),
    ] = ()
