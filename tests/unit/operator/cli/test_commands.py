"""The commands as a person calls them, against an API server on loopback whose operator a test plays."""

import json
import subprocess
import sys
from collections.abc import Callable

import pytest

from sluice.api.names import VERB_ABORT, VERB_RETRY
from sluice.api.status import HistoryStatus
from sluice.cli.errors import ExitStatus
from unit.operator.cli.conftest import Run
from unit.operator.cli.fake_api import FakeApi
from unit.operator.cli.rollouts import (
    CANDIDATE,
    NOW,
    STABLE,
    Object,
    handled,
    held,
    mdep,
    rolled_back,
    rolling,
    serving,
    status_of,
    unanswered,
)

DONE, NO, NOT_IN_TIME, UNANSWERED = ExitStatus.DONE, ExitStatus.NO, ExitStatus.NOT_IN_TIME, ExitStatus.UNANSWERED


# --- status ---------------------------------------------------------------------------------------------------------


def test_status_prints_a_page(lab: FakeApi, run: Run) -> None:
    lab.put(rolling())
    code, out, err = run("status", "flights")
    assert (code, err) == (DONE, "")
    assert out.startswith("flights in shop, generation 3: rolling out\n")
    assert "kubectl sluice abort flights -n shop" in out


def test_status_for_programs(lab: FakeApi, run: Run) -> None:
    lab.put(rolled_back())
    code, out, _ = run("status", "flights", "-o", "json")
    assert code == DONE
    told = json.loads(out)
    assert (told["outcome"], told["desired"], told["stage"]) == ("Stalled", CANDIDATE, None)
    assert told["status"]["rejected"][0]["revision"] == CANDIDATE


@pytest.mark.usefixtures("haste")
@pytest.mark.parametrize(
    ("made", "code", "words"),
    [
        (serving, DONE, ""),
        (rolled_back, NO, "error: shop/flights is stalled: RolledBack: revision"),
        (held, NO, "error: shop/flights is stalled: PausedByCheck"),
        (rolling, NOT_IN_TIME, "error: shop/flights came to no end within 1s: 130 s of 5m"),
        (unanswered, NOT_IN_TIME, "error: shop/flights came to no end within 1s: the operator has not answered yet"),
    ],
)
def test_wait_ends_as_the_rollout_did(
    lab: FakeApi, run: Run, made: Callable[[], Object], code: ExitStatus, words: str
) -> None:
    lab.put(made())
    ended, out, err = run("status", "flights", "--wait", "--timeout", "1s")
    assert ended == code
    assert err.startswith(words)
    assert "flights in shop, generation 3" in out


def test_wait_does_not_take_an_older_end_for_the_newest(lab: FakeApi, run: Run) -> None:
    """The object serves its old spec; a moment later the operator begins with the new one, and rolls it back."""
    old = serving()
    old["metadata"]["generation"] = 4
    lab.put(old)

    def end_badly() -> None:
        ended = rolled_back(observed_generation=4)
        ended["metadata"]["generation"] = 4
        for condition in ended["status"]["conditions"]:
            condition["observedGeneration"] = 4
        lab.put(ended)

    lab.when_watched(end_badly)
    code, out, _ = run("status", "flights", "--wait", "--timeout", "20s")
    assert code == NO
    assert out.splitlines()[0].endswith("the operator has not seen generation 4 yet")


def test_wait_writes_a_line_for_each_change(lab: FakeApi, run: Run) -> None:
    lab.put(rolling())
    lab.when_watched(lambda: lab.put(serving()))
    code, out, err = run("status", "flights", "--wait")
    assert (code, err) == (DONE, "")
    first, second, *page = out.splitlines()
    assert f"flights: candidate {CANDIDATE} 25%, stage 2/4 quarter" in first
    assert f"flights: stable {STABLE}: Serving" in second
    assert page[1] == "flights in shop, generation 3: serving"


def test_wait_for_programs_tells_only_the_end(lab: FakeApi, run: Run) -> None:
    lab.put(rolling())
    lab.when_watched(lambda: lab.put(serving()))
    code, out, _ = run("status", "flights", "--wait", "-o", "json")
    assert code == DONE
    assert [json.loads(line)["outcome"] for line in out.splitlines()] == ["Serving"]


@pytest.mark.usefixtures("haste")
def test_watch_for_programs_tells_every_change(lab: FakeApi, run: Run) -> None:
    lab.put(rolling())
    lab.when_watched(lambda: lab.put(serving()))
    code, out, _ = run("status", "flights", "--watch", "--timeout", "8s", "-o", "json")
    assert code == DONE
    assert [json.loads(line)["outcome"] for line in out.splitlines()] == ["Rolling", "Serving"]


def test_watch_says_that_the_server_is_away_and_goes_on(lab: FakeApi, run: Run) -> None:
    lab.put(rolling())

    def come_back() -> None:
        lab.put(serving())
        lab.down = False

    lab.when_watched(lambda: setattr(lab, "down", True))
    lab.when_turned_away(come_back)
    code, out, _ = run("status", "flights", "--wait", "--timeout", "20s")
    assert code == DONE
    assert "does not answer" in out
    assert "trying again" in out


def test_a_rollout_that_is_deleted_is_no_end_of_a_rollout(lab: FakeApi, run: Run) -> None:
    lab.put(rolling())
    lab.when_watched(lambda: lab.remove(rolling()))
    code, _, err = run("status", "flights", "--wait")
    assert (code, err) == (UNANSWERED, "error: shop/flights was deleted\n")


def test_a_wrong_timeout_is_a_wrong_command_line(lab: FakeApi, run: Run) -> None:
    assert run("status", "flights", "--wait", "--timeout", "soon")[0] == ExitStatus.USAGE


@pytest.mark.parametrize("silent", [False, True])
def test_the_process_ends_with_its_status_while_a_watch_is_open(lab: FakeApi, silent: bool) -> None:
    """In a process of its own: an interpreter that ends while a thread reads may abort."""
    lab.put(rolling())
    lab.silent = silent
    command = [sys.executable, "-c", "from sluice.cli.app import main; main()"]
    ended = subprocess.run(
        [*command, "status", "flights", "--wait", "--timeout", "200ms"], capture_output=True, check=False, timeout=60
    )
    assert (ended.returncode, ended.stderr.count(b"\n")) == (NOT_IN_TIME, 1)


# --- abort and retry ------------------------------------------------------------------------------------------------


def plays(lab: FakeApi, verb: str, after: Callable[..., Object]) -> None:
    """An operator that acts on an annotation at once."""

    def act(found: Object) -> None:
        value = found["metadata"]["annotations"][f"sluice.dev/{verb}"]
        lab.put(after(last_handled=handled(**{verb: value})))

    lab.operator = act


def test_abort(lab: FakeApi, run: Run) -> None:
    lab.put(rolling())
    plays(lab, "abort", rolled_back)
    code, out, err = run("abort", "flights", "--yes")
    assert (code, err) == (DONE, "")
    [patch] = lab.patches
    [(annotation, value)] = patch["metadata"]["annotations"].items()
    assert annotation == VERB_ABORT
    assert value.startswith(f"{CANDIDATE}/")
    assert out.splitlines() == [
        f"sluice.dev/abort={value}: asked to take the traffic back from candidate {CANDIDATE} of shop/flights (25% of "
        "the live requests) and reject it",
        f"revision {CANDIDATE} is rejected and has no traffic; stable {STABLE} serves",
    ]


def test_tokens_differ(lab: FakeApi, run: Run) -> None:
    """A value that was acted on once is never acted on again."""
    for _ in range(2):
        lab.put(rolling())
        plays(lab, "abort", rolled_back)
        run("abort", "flights", "--yes")
    first, second = (patch["metadata"]["annotations"][VERB_ABORT] for patch in lab.patches)
    assert first != second


def test_abort_came_too_late(lab: FakeApi, run: Run) -> None:
    lab.put(rolling())
    promoted = HistoryStatus(revision=CANDIDATE, outcome="Promoted", started_at=NOW, ended_at=NOW)
    plays(lab, "abort", lambda **more: serving(history=(promoted,), **more))
    code, _, err = run("abort", "flights", "--yes")
    assert (code, err) == (
        NO,
        f"error: the operator did not abort revision {CANDIDATE}: its rollout had ended: Promoted\n",
    )


def test_abort_without_a_candidate(lab: FakeApi, run: Run) -> None:
    lab.put(serving())
    code, _, err = run("abort", "flights", "--yes")
    assert (code, lab.patches) == (NO, [])
    assert "shop/flights has no candidate, so there is nothing to abort" in err


def test_abort_asks_back(lab: FakeApi, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.put(rolling())
    code, _, err = run("abort", "flights")
    assert (code, lab.patches) == (NO, [])
    assert "give --yes where nobody can be asked" in err

    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("typer.confirm", lambda words: not words.startswith("Really take the traffic back"))
    code, _, err = run("abort", "flights")
    assert (code, lab.patches, err) == (NO, [], "error: nothing was done\n")


@pytest.mark.usefixtures("haste")
def test_abort_of_an_operator_that_does_not_run(lab: FakeApi, run: Run) -> None:
    lab.put(rolling())
    code, _, err = run("abort", "flights", "--yes", "--timeout", "1s")
    assert code == NOT_IN_TIME
    assert "the operator has not acted on sluice.dev/abort=" in err
    assert "within 1s; it will when it runs: kubectl get pods -n sluice-system" in err


def test_retry(lab: FakeApi, run: Run) -> None:
    lab.put(rolled_back())
    plays(lab, "retry", rolling)
    code, out, err = run("retry", "flights")
    assert (code, err) == (DONE, "")
    value = lab.patches[0]["metadata"]["annotations"][VERB_RETRY]
    assert value.startswith(f"{CANDIDATE}/")
    assert out.splitlines()[-1] == f"revision {CANDIDATE} is the candidate, and its evidence begins anew"


def test_retry_of_a_revision_that_is_named(lab: FakeApi, run: Run) -> None:
    lab.put(held())
    plays(lab, "retry", rolling)
    assert run("retry", "flights", CANDIDATE)[0] == DONE
    code, _, err = run("retry", "flights", "00000000")
    assert (code, len(lab.patches)) == (NO, 1)
    assert "00000000 is neither a rejected revision of shop/flights nor its candidate" in err


def test_a_list_for_a_program_is_not_cut(lab: FakeApi, run: Run) -> None:
    lab.put(rolled_back())
    code, out, _ = run("list")
    assert code == DONE
    assert "(4454 of 200)" in out.splitlines()[1]
    assert mdep(status_of())["metadata"]["name"] in out
