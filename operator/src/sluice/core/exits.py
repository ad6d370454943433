"""Which container exits happened under live traffic?"""

from datetime import timedelta

from sluice.api.status import CandidateStatus
from sluice.core.snapshot import Snapshot


def counted(s: Snapshot, candidate: CandidateStatus) -> CandidateStatus:
    """Count container exits under weight: each once, by its time.

    Exits are told in whole seconds: exposed at 12:00:05.7, an exit at 12:00:05 may be one under weight and counts.
    After a retreat only those from before it count.
    """
    if candidate.exposed_at is None:
        return candidate
    begin = candidate.exposed_at - timedelta(seconds=1)
    finish = s.now if s.weight(candidate.revision) else candidate.stage.entered_at
    count, last = candidate.exits_under_weight, candidate.last_exit_at
    exits = {moment for pod in s.revision(candidate.revision).pods if not pod.deleting for moment in pod.exits}
    for moment in sorted(exits):
        if begin < moment <= finish and (last is None or moment > last):
            count, last = count + 1, moment
    return candidate.model_copy(update={"exits_under_weight": count, "last_exit_at": last})
