"""The operator's memory: how rollouts begin, end and are remembered."""

from datetime import timedelta

import pytest

from sluice.api.names import Reason
from sluice.api.status import HISTORY_LIMIT, Status
from sluice.core import ledger
from sluice.core.revision import inputs_of
from sluice.core.stages import Stage
from unit.operator.core.scenes import CANDIDATE, NOW, STABLE, candidate_status, spec_of, status_of

FIRST = Stage("first", 10, timedelta(minutes=1), 100)


def test_a_rollout_begins_in_the_slot_that_stable_does_not_hold() -> None:
    assert ledger.begin(Status(), inputs_of(spec_of("b")), FIRST, NOW).candidate.slot == 0  # type: ignore[union-attr]
    begun = ledger.begin(status_of(None), inputs_of(spec_of("b")), FIRST, NOW)
    assert begun.candidate is not None
    assert (begun.candidate.revision, begun.candidate.slot, begun.candidate.started_at) == (CANDIDATE, 1, NOW)
    assert (begun.candidate.stage.name, begun.candidate.stage.live_since) == ("first", None)


def test_what_comes_back_is_no_longer_on_its_way_out() -> None:
    leaving = ledger.retire(status_of(None), CANDIDATE, NOW)
    assert ledger.begin(leaving, inputs_of(spec_of("b")), FIRST, NOW).retiring == ()


def test_waiting_twice_does_not_start_the_wait_anew() -> None:
    once = ledger.retire(Status(), CANDIDATE, NOW)
    assert ledger.retire(once, CANDIDATE, NOW + timedelta(seconds=9)) == once


def test_a_promotion_keeps_the_slot_and_retires_the_old_stable() -> None:
    promoted = ledger.promote(status_of(candidate_status(2, "promote")), NOW)
    assert promoted.stable is not None
    assert (promoted.stable.revision, promoted.stable.slot) == (CANDIDATE, 1)
    assert promoted.candidate is None
    assert [(r.revision, r.since) for r in promoted.retiring] == [(STABLE, NOW)]
    assert [(h.revision, h.outcome) for h in promoted.history] == [(CANDIDATE, "Promoted")]


def test_without_a_candidate_nothing_is_promoted_or_ended() -> None:
    idle = status_of(None)
    assert ledger.promote(idle, NOW) == idle
    assert ledger.end(idle, "RolledBack", Reason.ROLLED_BACK, "", NOW) == idle


def test_a_rejection_is_remembered_once_and_can_be_forgotten() -> None:
    once = ledger.reject(Status(), CANDIDATE, "CheckFailed", "31 of 60", NOW)
    assert ledger.reject(once, CANDIDATE, "Aborted", "by hand", NOW) == once
    assert [r.reason for r in once.rejected] == ["CheckFailed"]
    assert ledger.forgive(once, CANDIDATE).rejected == ()
    assert ledger.forgive(once, STABLE) == once


@pytest.mark.parametrize("kind", ["rejected", "history"])
def test_lists_keep_the_newest(kind: str) -> None:
    status = Status()
    for number in range(HISTORY_LIMIT + 5):
        revision = f"{number:08x}"
        if kind == "rejected":
            status = ledger.reject(status, revision, "CheckFailed", "", NOW)
        else:
            rolling = status.model_copy(update={"candidate": candidate_status(revision=revision)})
            status = ledger.end(rolling, "Superseded", Reason.SUPERSEDED, "", NOW)
    kept = [entry.revision for entry in getattr(status, kind)]
    assert kept == [f"{number:08x}" for number in range(HISTORY_LIMIT + 4, 4, -1)]


def test_long_words_are_cut_to_what_the_api_takes() -> None:
    ended = ledger.end(status_of(candidate_status()), "RolledBack", Reason.ROLLED_BACK, "x" * 5000, NOW)
    assert len(ended.history[0].message) == ledger.TEXT_LIMIT
    assert len(ledger.reject(Status(), CANDIDATE, "CheckFailed", "x" * 5000, NOW).rejected[0].message) == 1000


def test_a_stage_begins_with_nothing_live() -> None:
    entered = ledger.enter(candidate_status(), 1, FIRST, NOW)
    assert (entered.stage.index, entered.stage.entered_at) == (1, NOW)
    assert (entered.stage.live_since, entered.stage.live_for) == (None, timedelta())
    assert entered.exposed_at == candidate_status().exposed_at


def test_verbs_are_remembered_apart() -> None:
    status = ledger.handled(ledger.handled(Status(), abort="a/1"), retry="b/2")
    assert (status.last_handled.abort, status.last_handled.retry) == ("a/1", "b/2")
