"""Changes of the operator's memory: how rollouts begin, end and are remembered, as functions Status -> Status."""

from datetime import datetime, timedelta
from typing import Any

from sluice.api.names import Reason
from sluice.api.status import (
    HISTORY_LIMIT,
    RETIRING_LIMIT,
    CandidateStatus,
    HistoryStatus,
    RejectedStatus,
    RetiringStatus,
    StableStatus,
    StageStatus,
    Status,
)
from sluice.core.revision import Inputs
from sluice.core.stages import Stage

TEXT_LIMIT = 1000


def _with(status: Status, **changes: Any) -> Status:
    return status.model_copy(update=changes)


def enter(candidate: CandidateStatus, index: int, stage: Stage, now: datetime, **changes: Any) -> CandidateStatus:
    """The candidate at the beginning of a stage: nothing of it is live yet."""
    mark = StageStatus(index=index, name=stage.name, entered_at=now)
    return candidate.model_copy(update={"stage": mark, **changes})


def restarted(stage: StageStatus, now: datetime) -> StageStatus:
    """The same stage from its beginning."""
    return stage.model_copy(update={"entered_at": now, "live_since": None, "live_for": timedelta(), "set_at": None})


def begin(status: Status, inputs: Inputs, first: Stage, now: datetime) -> Status:
    """A rollout starts, in the slot that stable does not hold."""
    slot = 1 - status.stable.slot if status.stable else 0
    candidate = CandidateStatus(
        revision=inputs.revision,
        slot=slot,
        model=inputs.model,
        started_at=now,
        stage=StageStatus(index=0, name=first.name, entered_at=now),
    )
    return _with(
        status,
        candidate=candidate,
        retiring=tuple(r for r in status.retiring if r.revision != inputs.revision),
    )


def retire(status: Status, revision: str, now: datetime) -> Status:
    """A revision without traffic waits for its requests under way. Waiting twice does not start the wait anew."""
    if len(status.retiring) >= RETIRING_LIMIT or any(entry.revision == revision for entry in status.retiring):
        return status
    return _with(status, retiring=(RetiringStatus(revision=revision, since=now), *status.retiring))


def end(status: Status, outcome: str, reason: Reason, message: str, now: datetime) -> Status:
    """The rollout of the candidate is over; it keeps no place of its own."""
    candidate = status.candidate
    if candidate is None:
        return status
    entry = HistoryStatus(
        revision=candidate.revision,
        outcome=outcome,
        reason=reason,
        message=message[:TEXT_LIMIT],
        started_at=candidate.started_at,
        ended_at=now,
    )
    ended = _with(status, candidate=None, history=(entry, *status.history)[:HISTORY_LIMIT])
    return retire(ended, candidate.revision, now)


def promote(status: Status, now: datetime) -> Status:
    """The candidate is stable from now on; the old stable waits to be removed."""
    candidate = status.candidate
    if candidate is None:
        return status
    old = status.stable
    promoted = end(status, "Promoted", Reason.PROMOTED, "", now)
    promoted = _with(
        promoted,
        stable=StableStatus(revision=candidate.revision, slot=candidate.slot, model=candidate.model),
        retiring=tuple(r for r in promoted.retiring if r.revision != candidate.revision),
    )
    return retire(promoted, old.revision, now) if old else promoted


def reject(status: Status, revision: str, reason: str, message: str, now: datetime) -> Status:
    """Remember that this revision gets no traffic again; remembered already: nothing changes."""
    if any(entry.revision == revision for entry in status.rejected):
        return status
    entry = RejectedStatus(revision=revision, reason=reason, message=message[:TEXT_LIMIT], at=now)
    return _with(status, rejected=(entry, *status.rejected)[:HISTORY_LIMIT])


def forgive(status: Status, revision: str) -> Status:
    """Forget a rejection."""
    return _with(status, rejected=tuple(entry for entry in status.rejected if entry.revision != revision))


def handled(status: Status, **verbs: str) -> Status:
    """Remember the verbs that were acted on."""
    return _with(status, last_handled=status.last_handled.model_copy(update=verbs))
