"""Which annotation a wish becomes, and what is said about what came of it."""

from collections.abc import Callable

import pytest

from sluice.api.names import VERB_ABORT, VERB_RETRY, Reason
from sluice.api.status import HistoryStatus, RejectedStatus
from sluice.cli import verbs
from sluice.cli.errors import Refused
from unit.operator.cli.rollouts import (
    CANDIDATE,
    NOW,
    OTHER,
    STABLE,
    TOKEN,
    Object,
    conditions,
    handled,
    held,
    mdep,
    rolled_back,
    rolling,
    rollout,
    serving,
    spec_of,
    status_of,
)

Make = Callable[..., Object]
REJECTED = RejectedStatus(revision=CANDIDATE, reason="Aborted", at=NOW)


def ended(outcome: str) -> tuple[HistoryStatus, ...]:
    return (HistoryStatus(revision=CANDIDATE, outcome=outcome, started_at=NOW, ended_at=NOW),)


def forgiven_while_stable_is_wanted() -> Object:
    """The spec asks for stable; an old rejection lies around."""
    return serving(rejected=(REJECTED,))


# --- what is written ------------------------------------------------------------------------------------------------


def test_abort_names_the_candidate() -> None:
    wish = verbs.abort(rollout(rolling), TOKEN)
    assert (wish.annotation, wish.value) == (VERB_ABORT, f"{CANDIDATE}/{TOKEN}")
    assert wish.words == (
        f"take the traffic back from candidate {CANDIDATE} of shop/flights (25% of the live requests) and reject it"
    )


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (serving, f"shop/flights has no candidate, so there is nothing to abort: stable {STABLE} serves"),
        (rolled_back, f"stable {STABLE} serves. RolledBack: revision {CANDIDATE} was rolled back"),
        (lambda: mdep(None), "nothing serves yet. the operator has not answered yet"),
    ],
)
def test_without_a_candidate_there_is_nothing_to_abort(make: Make, words: str) -> None:
    with pytest.raises(Refused) as refused:
        verbs.abort(rollout(make), TOKEN)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("make", "named", "revision", "words"),
    [
        (rolled_back, None, CANDIDATE, "forget the rejection"),
        (rolled_back, CANDIDATE, CANDIDATE, "forget the rejection"),
        (held, None, CANDIDATE, "begin the evidence on candidate"),
        (rolling, CANDIDATE, CANDIDATE, "begin the evidence on candidate"),
        (forgiven_while_stable_is_wanted, None, CANDIDATE, "forget the rejection"),
        (lambda: rolled_back(rejected=(), history=()), None, CANDIDATE, "forget the rejection"),
    ],
    ids=["rejected", "named", "held by a check", "candidate by name", "rejected last", "rejected long ago"],
)
def test_what_retry_means(make: Make, named: str | None, revision: str, words: str) -> None:
    wish = verbs.retry(rollout(make), named, TOKEN)
    assert (wish.annotation, wish.value) == (VERB_RETRY, f"{revision}/{TOKEN}")
    assert words in wish.words


def test_the_rejected_revision_that_the_spec_asks_for_goes_before_a_newer_rejection() -> None:
    newer = RejectedStatus(revision=OTHER, reason="Aborted", at=NOW)
    assert verbs.retry(rollout(rolled_back, rejected=(newer, REJECTED)), None, TOKEN).revision == CANDIDATE


@pytest.mark.parametrize(
    ("make", "named", "words"),
    [
        (rolling, None, f"kubectl sluice retry flights {CANDIDATE} -n shop"),
        (serving, None, "shop/flights has no rejected revision and no candidate, so there is nothing to retry"),
        (rolled_back, OTHER, f"{OTHER} is neither a rejected revision of shop/flights nor its candidate; rejected: "),
        (rolling, OTHER, "rejected: none"),
    ],
)
def test_what_cannot_be_retried(make: Make, named: str | None, words: str) -> None:
    with pytest.raises(Refused) as refused:
        verbs.retry(rollout(make), named, TOKEN)
    assert words in str(refused.value)


# --- what came of it ------------------------------------------------------------------------------------------------


def test_a_wish_is_handled_when_the_status_says_so() -> None:
    abort, retry = verbs.abort(rollout(rolling), TOKEN), verbs.retry(rollout(rolled_back), None, TOKEN)
    assert not abort.handled(rollout(rolling))
    assert not abort.handled(rollout(rolling, last_handled=handled(abort=f"{CANDIDATE}/older", retry=abort.value)))
    assert abort.handled(rollout(rolling, last_handled=handled(abort=abort.value)))
    assert retry.handled(rollout(rolled_back, last_handled=handled(retry=retry.value)))


ABORT = verbs.Wish(VERB_ABORT, CANDIDATE, f"{CANDIDATE}/{TOKEN}", "")
RETRY = verbs.Wish(VERB_RETRY, CANDIDATE, f"{CANDIDATE}/{TOKEN}", "")
NO_STABLE = conditions(
    "False", "False", "True", Reason.STABLE_UNAVAILABLE, "stable has no ready pod to take the traffic"
)


@pytest.mark.parametrize(
    ("wish", "make", "granted", "words"),
    [
        (ABORT, rolled_back, True, f"revision {CANDIDATE} is rejected and has no traffic; stable {STABLE} serves"),
        (
            ABORT,
            lambda: rolling(rejected=(REJECTED,), conditions=NO_STABLE),
            True,
            f"revision {CANDIDATE} is rejected, but not out yet: StableUnavailable: stable has no ready pod",
        ),
        (ABORT, lambda: serving(history=ended("Promoted")), False, "its rollout had ended: Promoted"),
        (ABORT, serving, False, f"the operator did not abort revision {CANDIDATE}: it was not the candidate any more"),
        (RETRY, rolling, True, f"revision {CANDIDATE} is the candidate, and its evidence begins anew"),
        (RETRY, rolled_back, False, f"revision {CANDIDATE} is still rejected: RolledBack"),
        (RETRY, serving, True, f"the spec asks for {STABLE}, so it rolls out when the spec asks for it again"),
        (
            RETRY,
            lambda: mdep(status_of(candidate=None, conditions=NO_STABLE), spec_of("b")),
            True,
            f"the rejection of revision {CANDIDATE} is forgotten, and it may roll out again: StableUnavailable",
        ),
    ],
)
def test_what_came_of_it(wish: verbs.Wish, make: Make, granted: bool, words: str) -> None:
    came = verbs.result(wish, rollout(make))
    assert came.granted is granted
    assert words in came.words
