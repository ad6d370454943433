"""What people see: a table, a page, a line, a document."""

import io
from collections.abc import Callable
from datetime import timedelta
from re import split

import pytest
from rich.console import Console

from sluice.api.names import Condition, Reason
from sluice.api.status import CheckStatus, Verdict
from sluice.cli.bars import bar
from sluice.cli.show.document import document
from sluice.cli.show.line import line
from sluice.cli.show.page import nearness, page
from sluice.cli.show.table import listing
from sluice.cli.spans import age
from sluice.cli.views import LivePage
from sluice.core.analysis.wording import evidence
from unit.operator.cli.rollouts import (
    CANDIDATE,
    FAILED,
    NOW,
    STABLE,
    WAITS,
    Object,
    held,
    mdep,
    printed,
    rolled_back,
    rolling,
    rollout,
    serving,
    spec_of,
    status_of,
    told,
    unanswered,
)

Make = Callable[..., Object]


def lines(make: Make, width: int = 100) -> list[str]:
    return [said.rstrip() for said in printed(page(rollout(make), NOW), width).splitlines()]


# --- list -----------------------------------------------------------------------------------------------------------


def named(found: Object, name: str, namespace: str = "shop") -> Object:
    found["metadata"].update(name=name, namespace=namespace)
    return found


def test_the_table() -> None:
    found = [named(rolling(), "flights"), named(serving(), "bikes"), named(rolled_back(), "alpha", "yard")]
    table = [
        split("  +", said.rstrip()) for said in printed(listing(found, NOW, all_namespaces=True), 300).splitlines()
    ]
    assert table == [
        ["NAMESPACE", "NAME", "STABLE", "CANDIDATE", "WEIGHT", "STAGE", "WAITS FOR", "AGE"],
        ["shop", "bikes", STABLE, "Serving", "3d"],
        ["shop", "flights", STABLE, CANDIDATE, "25%", "2/4 quarter", WAITS, "3d"],
        ["yard", "alpha", STABLE, f"RolledBack: revision {CANDIDATE} was rolled back: {FAILED}", "3d"],
    ]


def test_where_it_is_narrow_only_the_reason_is_cut() -> None:
    table = printed(listing([rolled_back(), unanswered()], NOW, all_namespaces=False), 80).splitlines()
    assert [len(said) for said in table] == [80] * 3
    assert table[1].startswith(f"flights  {STABLE} ")
    assert "RolledBack: revision " in table[1]
    assert table[1].rstrip().endswith("…   3d")


def test_an_object_of_another_version_does_not_hide_the_others() -> None:
    broken = named(rolling(), "broken")
    broken["status"]["checks"][0]["verdict"] = "Perhaps"
    table = printed(listing([broken, rolling()], NOW, all_namespaces=False), 300)
    assert "was written by another version of Sluice" in table
    assert WAITS in table


# --- status ---------------------------------------------------------------------------------------------------------


def test_the_page_of_a_rollout() -> None:
    assert lines(rolling) == [
        "flights in shop, generation 3: rolling out",
        "",
        f"  Available    True   Serving  stable revision {STABLE} has 4 ready pods",
        "  Ready        False  Rolling",
        f"  Reconciling  True   Rolling  {WAITS}",
        "  Stalled      False  Rolling",
        "Traffic",
        f"  stable     {STABLE}  ███████████████·····  75%  https://models.example/flights/a",
        f"  candidate  {CANDIDATE}  █████···············  25%  https://models.example/flights/b",
        "Stage 2 of 4: quarter, 25%   1% > [25%] > 50% > 100%",
        "  live      █████████···········  2m10s of 5m",
        "  requests  ████████████········  3120 of 5000, 23s ago",
        "Checks: how near to a failure",
        "  errors  Undecided  █████·····  14 of 200                   on failure: Rollback",
        "    31 of 3120 requests failed (0.99%), at most 5% allowed; 2 of 20 to be Certified",
        "  clicks  Undecided  ███·······  1 of 3 failed measurements  on failure: Pause",
        "    0.041, at least 0.03 allowed",
        "    measured  0.02 failed  no value  0.041",
        "What you can do",
        "  take the traffic back from the candidate and reject it:",
        "    kubectl sluice abort flights -n shop",
        "  hold it where it is:",
        """    kubectl patch modeldeployment flights -n shop --type merge -p '{"spec":{"paused":true}}'""",
    ]


def test_the_page_of_a_rollback_says_why_once_in_the_conditions_and_once_in_the_history() -> None:
    said = " ".join(" ".join(lines(rolled_back)).split())
    assert "generation 3: stalled" in said
    assert said.count("check errors failed: 16 of 240 requests failed (6.67%)") == 2
    assert f"Rejected {CANDIDATE} CheckFailed 5m ago History {CANDIDATE} RolledBack 5m ago took 2m10s" in said
    assert "kubectl sluice retry flights -n shop" in said


def test_the_page_of_what_serves_is_short() -> None:
    assert lines(serving)[0] == "flights in shop, generation 3: serving"
    assert lines(serving)[-2:] == ["History", f"  {STABLE}  Promoted  60m ago  took 1h"]


@pytest.mark.parametrize(
    ("make", "title"),
    [
        (unanswered, "the operator has not answered yet"),
        (lambda: mdep(status_of(observed_generation=2)), "the operator has not seen generation 3 yet"),
        (lambda: mdep(status_of(), spec_of(strategy={"type": "Rainbow"})), "its spec cannot be read by this version"),
        (held, "stalled"),
    ],
)
def test_the_title(make: Make, title: str) -> None:
    assert title in lines(make, 200)[0]


def test_the_page_says_what_happened_to_the_candidate() -> None:
    candidate = status_of().candidate
    assert candidate is not None
    trouble = candidate.model_copy(update={"retreated": "Blind", "exits_under_weight": 1})
    said = "\n".join(lines(lambda: rolling(candidate=trouble)))
    assert "its traffic was taken back without rejecting it: Blind" in said
    assert "container exits under live traffic: 1; the second one rejects it" in said


def test_markup_in_messages_is_no_markup() -> None:
    said = (told(Condition.STALLED, "True", Reason.INVALID_TEMPLATE, "containers[model].image: [red]no[/red] [/]"),)
    assert "containers[model].image: [red]no[/red] [/]" in "\n".join(lines(lambda: rolling(conditions=said)))
    assert "[red]no[/red] [/]" in printed(listing([rolling(conditions=said)], NOW, all_namespaces=False), 200)


@pytest.mark.parametrize(
    ("said", "near"),
    [
        (evidence(0.0, 200), 0.0),
        (evidence(-3.2, 200), 0.0),
        (evidence(2.649, 200), 0.5),
        (evidence(30.0, 100), 1.0),
        ("1 of 3 failed measurements", 1 / 3),
        ("3 of 3 failed measurements", 1.0),
        ("", None),
        ("nobody knows", None),
    ],
)
def test_how_near_a_check_is_to_failing(said: str, near: float | None) -> None:
    """E-values in factors, measurements by their number; other words have no bar."""
    found = nearness(CheckStatus(name="c", verdict=Verdict.UNDECIDED, evidence=said))
    assert found == (None if near is None else pytest.approx(near, abs=0.01))


# --- lines and documents --------------------------------------------------------------------------------------------


def test_a_line_tells_all_that_changes() -> None:
    assert str(line(rollout(rolling), NOW)) == (
        f"flights: candidate {CANDIDATE} 25%, stage 2/4 quarter: {WAITS}; errors Undecided 14 of 200; "
        "clicks Undecided 1 of 3 failed measurements"
    )
    assert str(line(rollout(serving), NOW)) == f"flights: stable {STABLE}: Serving"


def test_a_line_is_the_same_while_nothing_happens() -> None:
    found = rollout(rolling)
    assert line(found, NOW) == line(found, NOW + timedelta(seconds=30))


def test_the_document() -> None:
    told = document(rollout(rolling), NOW)
    assert told["outcome"] == "Rolling"
    assert told["stage"] == {
        "number": 2,
        "of": 4,
        "name": "quarter",
        "weight": 25,
        "liveSeconds": 130.0,
        "minDurationSeconds": 300.0,
        "requests": 3120,
        "minSamples": 5000,
    }
    assert told["status"] == rolling()["status"]
    assert told["next"][0]["command"] == "kubectl sluice abort flights -n shop"
    assert document(rollout(serving), NOW)["stage"] is None


def test_on_a_terminal_the_page_is_drawn_in_its_place() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=100, height=60, legacy_windows=False)
    with LivePage(console) as view:
        view.show(rollout(rolling), NOW)
        view.lost("the server does not answer")
        view.end(rollout(serving), NOW)
    assert isinstance(console.file, io.StringIO)
    said = console.file.getvalue()
    for words in ("rolling out", "the server does not answer", "trying again", "serving"):
        assert words in said
    assert "\x1b[2K" in said  # the lines before are taken away


# --- small words ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("share", "drawn"),
    [(0, "····"), (0.001, "█···"), (0.5, "██··"), (0.99, "███·"), (1, "████"), (7, "████"), (-1, "····")],
)
def test_a_bar_is_empty_only_at_nothing_and_full_only_at_all(share: float, drawn: str) -> None:
    assert bar(share, 4) == drawn


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-5, "0s"), (0, "0s"), (119, "119s"), (120, "2m"), (7199, "119m"), (7200, "2h"), (172800, "2d")],
)
def test_ages_as_kubectl_says_them(seconds: int, words: str) -> None:
    assert age(timedelta(seconds=seconds)) == words
