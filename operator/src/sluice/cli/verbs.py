"""Which annotation does a person's wish become, and what came of it?"""

from dataclasses import dataclass

from sluice.api.names import VERB_ABORT, VERB_RETRY
from sluice.cli.errors import Refused
from sluice.cli.rollout import Rollout


@dataclass(frozen=True, slots=True)
class Wish:
    """One annotation to write. value: `<revision>/<token>`. words: what it will do."""

    annotation: str
    revision: str
    value: str
    words: str

    def handled(self, rollout: Rollout) -> bool:
        """Whether the operator has acted on it."""
        done = rollout.status.last_handled
        return self.value == (done.abort if self.annotation == VERB_ABORT else done.retry)


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a wish. granted: as it was meant."""

    granted: bool
    words: str


def abort(rollout: Rollout, token: str) -> Wish:
    """Take the candidate back. token: unlike that of any wish before. Raises Refused without a candidate."""
    candidate, label = rollout.status.candidate, f"{rollout.namespace}/{rollout.name}"
    if candidate is None:
        serves = f"stable {rollout.status.stable.revision} serves" if rollout.status.stable else "nothing serves yet"
        raise Refused(
            f"{label} has no candidate, so there is nothing to abort: {serves}. {rollout.waits_for}".rstrip(". ")
        )
    weight = f" ({candidate.weight}% of the live requests)" if candidate.weight else ""
    words = f"take the traffic back from candidate {candidate.revision} of {label}{weight} and reject it"
    return Wish(VERB_ABORT, candidate.revision, f"{candidate.revision}/{token}", words)


def retry(rollout: Rollout, revision: str | None, token: str) -> Wish:
    """Roll a rejected revision out again, or begin the candidate's evidence anew.

    revision: None means the rejected one that the spec asks for; else the candidate that a check holds; else, with no
    candidate on its way, the one rejected last. Raises Refused when nothing can be retried.
    """
    label, chosen = f"{rollout.namespace}/{rollout.name}", revision or _retried(rollout)
    candidate = rollout.status.candidate
    if not rollout.rejected(chosen) and not (candidate and candidate.revision == chosen):
        known = ", ".join(entry.revision for entry in rollout.status.rejected) or "none"
        raise Refused(f"{chosen} is neither a rejected revision of {label} nor its candidate; rejected: {known}")
    if candidate and candidate.revision == chosen:
        words = f"begin the evidence on candidate {chosen} of {label} anew"
    else:
        words = f"forget the rejection of revision {chosen} of {label}"
    return Wish(VERB_RETRY, chosen, f"{chosen}/{token}", words)


def _retried(rollout: Rollout) -> str:
    """The revision that is meant when none is named."""
    label, candidate = f"{rollout.namespace}/{rollout.name}", rollout.status.candidate
    if rollout.desired and rollout.rejected(rollout.desired):
        return rollout.desired
    if candidate and rollout.held_by_check:
        return candidate.revision
    if candidate:
        raise Refused(
            f"no check holds candidate {candidate.revision} of {label}; to begin its evidence anew all the same: "
            f"kubectl sluice retry {rollout.name} {candidate.revision} -n {rollout.namespace}"
        )
    if not rollout.status.rejected:
        raise Refused(f"{label} has no rejected revision and no candidate, so there is nothing to retry")
    return rollout.status.rejected[0].revision


def result(wish: Wish, rollout: Rollout) -> Result:
    """What came of a wish, by the status in which it is handled."""
    return _of_abort(wish, rollout) if wish.annotation == VERB_ABORT else _of_retry(wish, rollout)


def _of_abort(wish: Wish, rollout: Rollout) -> Result:
    candidate, stable = rollout.status.candidate, rollout.status.stable
    if rollout.rejected(wish.revision):
        if candidate and candidate.revision == wish.revision:
            return Result(True, f"revision {wish.revision} is rejected, but not out yet: {rollout.waits_for}")
        serves = f"stable {stable.revision} serves" if stable else "nothing serves"
        return Result(True, f"revision {wish.revision} is rejected and has no traffic; {serves}")
    ended = rollout.ended(wish.revision)
    why = f"its rollout had ended: {ended.outcome}" if ended else "it was not the candidate any more"
    return Result(False, f"the operator did not abort revision {wish.revision}: {why}")


def _of_retry(wish: Wish, rollout: Rollout) -> Result:
    candidate = rollout.status.candidate
    if rollout.rejection(wish.revision) is not None:
        return Result(False, f"revision {wish.revision} is still rejected: {rollout.waits_for}")
    if candidate and candidate.revision == wish.revision:
        return Result(True, f"revision {wish.revision} is the candidate, and its evidence begins anew")
    if rollout.desired != wish.revision:
        return Result(
            True,
            f"the rejection of revision {wish.revision} is forgotten; the spec asks for {rollout.desired}, so it rolls "
            "out when the spec asks for it again",
        )
    waits = f": {rollout.waits_for}" if rollout.waits_for else ""
    return Result(True, f"the rejection of revision {wish.revision} is forgotten, and it may roll out again{waits}")
