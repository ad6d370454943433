"""`status`: all about one rollout, on a page."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from math import log
from typing import Final

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from sluice.api.names import Condition
from sluice.api.status import CheckStatus, ConditionStatus, Verdict
from sluice.cli.bars import bar
from sluice.cli.next_steps import next_steps
from sluice.cli.progress import Progress, progress
from sluice.cli.rollout import Outcome, Rollout
from sluice.cli.show.words import ENDINGS, MEASURED, OUTCOMES, VERDICTS
from sluice.cli.spans import ago, whole

HISTORY: Final = 3
"""Newest ended rollouts that are shown; `kubectl get -o yaml` has up to 20."""
EVIDENCE_WIDTH: Final = 10
TITLES: Final = {Outcome.SERVING: "serving", Outcome.ROLLING: "rolling out", Outcome.STALLED: "stalled"}
GOOD: Final[dict[str, str]] = {
    Condition.AVAILABLE: "True",
    Condition.READY: "True",
    Condition.RECONCILING: "False",
    Condition.STALLED: "False",
}
"""What each condition says when all is well."""
_BETWEEN: Final = re.compile(r"(?:10\^(?P<power>-?\d+)|(?P<value>\d[\d.e+-]*)) of (?P<limit>\d[\d.]*)(?P<rest>.*)")
"""As sluice.core.analysis says evidence; tests hold the two together."""


def page(rollout: Rollout, now: datetime) -> Group:
    """Sections that have nothing to say are left out."""
    return Group(*_sections(rollout, now))


def _sections(rollout: Rollout, now: datetime) -> Iterator[RenderableType]:
    yield _title(rollout)
    for title, rows in (
        (Text(""), [*_conditions(rollout)]),
        (Text("Traffic", style="bold"), [*_traffic(rollout)]),
        (_stage_title(rollout, now), [*_stage(rollout, now)]),
        (Text("Checks: how near to a failure", style="bold"), [*_checks(rollout)]),
        (Text("Rejected", style="bold"), [*_rejected(rollout, now)]),
        (Text("History", style="bold"), [*_history(rollout, now)]),
        (Text("What you can do", style="bold"), [*_steps(rollout)]),
    ):
        if rows:
            yield title
            yield from (Padding(row, (0, 0, 0, 2)) for row in rows)


def _grid(rows: Sequence[Sequence[Text]], right: int | None = None) -> Iterator[Table]:
    """Columns as wide as they need to be, of which the last one wraps; nothing at all without rows.

    right: number of the column that is aligned to the right.
    """
    if not rows:
        return
    table = Table.grid(padding=(0, 2, 0, 0))
    last = len(rows[0]) - 1
    for number in range(last):
        width = max(row[number].cell_len for row in rows)
        table.add_column(min_width=width, no_wrap=True, justify="right" if number == right else "left")
    table.add_column(ratio=1, overflow="fold")
    for row in rows:
        table.add_row(*row)
    yield table


def _title(rollout: Rollout) -> Text:
    outcome = rollout.outcome
    text = Text(rollout.name, style="bold")
    text.append(f" in {rollout.namespace}, generation {rollout.generation}: ", style="not bold")
    if rollout.problem:
        return text.append(f"its spec cannot be read by this version of the plugin: {rollout.problem}", style="red")
    if not rollout.answered:
        return text.append(rollout.waits_for, style="yellow")
    return text.append(TITLES[outcome], style=OUTCOMES[outcome])


def _conditions(rollout: Rollout) -> Iterator[RenderableType]:
    said = rollout.status.conditions
    rows = []
    for number, one in enumerate(said):
        repeated = any(one.message == later.message for later in said[number + 1 :])
        old = "" if one.observed_generation == rollout.generation else f" (of generation {one.observed_generation})"
        rows.append(
            [
                Text(one.type),
                Text(one.status, style=_style(one, rollout)),
                Text(one.reason),
                Text(("" if repeated else one.message) + old),
            ]
        )
    yield from _grid(rows)


def _style(said: ConditionStatus, rollout: Rollout) -> str:
    """Red for what is wrong; what is only not there yet is no trouble."""
    if said.status == GOOD.get(said.type, said.status):
        return "green"
    return "red" if said.type in (Condition.AVAILABLE, Condition.STALLED) else OUTCOMES[rollout.outcome]


def _traffic(rollout: Rollout) -> Iterator[RenderableType]:
    rows = []
    weights = {entry.revision: entry.weight for entry in rollout.status.traffic}
    for role, arm, style in (
        ("stable", rollout.status.stable, "green"),
        ("candidate", rollout.status.candidate, "cyan"),
    ):
        if arm is not None:
            weight = weights.pop(arm.revision, 0)
            drawn = Text(bar(weight / 100), style=style)
            model = arm.model.uri.removesuffix("/manifest.json")
            rows.append([Text(role), Text(arm.revision), drawn, Text(f"{weight}%"), Text(model)])
    for revision, weight in weights.items():  # for a moment between two passes of the operator
        drawn = Text(bar(weight / 100), style="dim")
        rows.append([Text("leaving"), Text(revision), drawn, Text(f"{weight}%"), Text("")])
    yield from _grid(rows, right=3)


def _stage_title(rollout: Rollout, now: datetime) -> Text:
    """`Stage 2 of 4: quarter, 25%   1% > [25%] > 50% > 100%`, what is behind it in green."""
    place = progress(rollout, now)
    if place is None:
        return Text("Candidate", style="bold")
    text = Text(
        f"Stage {place.index + 1} of {len(place.stages)}: {place.stage.name}, {place.stage.weight}%", style="bold"
    )
    for number, stage in enumerate(place.stages):
        text.append(" > " if number else "   ", style="not bold dim")
        if number == place.index:
            text.append(f"[{stage.weight}%]", style="cyan")
        else:
            text.append(f"{stage.weight}%", style="not bold green" if number < place.index else "not bold dim")
    return text


def _stage(rollout: Rollout, now: datetime) -> Iterator[RenderableType]:
    place, candidate = progress(rollout, now), rollout.status.candidate
    if candidate is None:
        return
    rows = []
    if place is not None and place.stage.min_duration:
        live = "" if candidate.stage.live_since else ", its weight is not live now"
        drawn = Text(bar(place.live_for / place.stage.min_duration), style="cyan")
        rows.append([Text("live"), drawn, Text(f"{whole(place.live_for)} of {whole(place.stage.min_duration)}{live}")])
    if place is not None and place.stage.min_samples:
        rows.append([Text("requests"), *_requests(place, rollout, now)])
    yield from _grid(rows)
    if candidate.retreated:
        yield Text(f"its traffic was taken back without rejecting it: {candidate.retreated}", style="yellow")
    if candidate.exits_under_weight:
        exits = candidate.exits_under_weight
        yield Text(f"container exits under live traffic: {exits}; the second one rejects it", style="yellow")


def _requests(place: Progress, rollout: Rollout, now: datetime) -> tuple[Text, Text]:
    wanted = place.stage.min_samples
    if place.requests is None:
        return Text(bar(0), style="dim"), Text(f"not told now; {wanted} are wanted")
    # The operator writes counts at most once a minute: how old this one is belongs to it.
    told = f", {ago(rollout.told_at, now)}" if rollout.told_at else ""
    more = "at least " if place.requests >= wanted else ""
    drawn = Text(bar(place.requests / wanted), style="cyan")
    return drawn, Text(f"{more}{place.requests} of {wanted}{told}")


def _checks(rollout: Rollout) -> Iterator[RenderableType]:
    """A line with the verdict and how far it is from failing, and a line with the counts."""
    checks = rollout.status.checks
    widths = [max((len(part) for part in column), default=0) for column in zip(*map(_check, checks), strict=True)]
    for check in checks:
        name, verdict, evidence = _check(check)
        near, on_fail, style = nearness(check), rollout.on_fail(check.name), VERDICTS[check.verdict]
        text = Text(f"{name:<{widths[0]}}  ")
        text.append(f"{verdict:<{widths[1]}}  ", style=style)
        text.append(f"{'' if near is None else bar(near, EVIDENCE_WIDTH):<{EVIDENCE_WIDTH}}  ", style=style)
        text.append(f"{evidence:<{widths[2]}}")
        text.append(f"  on failure: {on_fail}" if on_fail else "", style="dim")
        yield text
        wanted = check.certificate if check.verdict is Verdict.UNDECIDED else ""
        if words := "; ".join(part for part in (check.message, wanted and f"{wanted} to be Certified") if part):
            yield Padding(Text(words), (0, 0, 0, 2))
        if check.measurements:
            yield Padding(_measured(check), (0, 0, 0, 2))


def _measured(check: CheckStatus) -> Text:
    """The newest values of a plain query, oldest first: `"measured  0.041  0.02 failed  0.04"`."""
    text = Text("measured", style="dim")
    for one in check.measurements:
        words, style = MEASURED[one.outcome]
        text.append(f"  {' '.join(part for part in (one.value, words) if part)}", style=style)
    return text


def _check(check: CheckStatus) -> tuple[str, str, str]:
    return check.name, str(check.verdict), check.evidence


def nearness(check: CheckStatus) -> float | None:
    """How far a check is on its way to failing, 0..1; None if its evidence is no such distance.

    E-values multiply, so the way to them is measured in factors: at 1 of 200 nothing is known, and 14 of 200 is half of
    the way, log(14) / log(200). Failed measurements are counted: 1 of 3 is a third.
    """
    found = _BETWEEN.fullmatch(check.evidence)
    if found is None:
        return None
    limit = float(found["limit"])
    if found["rest"]:
        return min(1.0, float(found["value"] or 0) / limit) if limit else None
    if limit <= 1:
        return None
    value = float(found["power"]) * log(10) if found["power"] else log(max(float(found["value"]), 1.0))
    return min(1.0, max(0.0, value / log(limit)))


def _rejected(rollout: Rollout, now: datetime) -> Iterator[RenderableType]:
    told = {entry.revision for entry in rollout.status.history[:HISTORY]}
    yield from _grid(
        [
            [
                Text(entry.revision),
                Text(entry.reason, style="red"),
                Text(ago(entry.at, now)),
                Text("" if entry.revision in told else entry.message),  # the history below says it
            ]
            for entry in rollout.status.rejected
        ]
    )


def _history(rollout: Rollout, now: datetime) -> Iterator[RenderableType]:
    yield from _grid(
        [
            [
                Text(entry.revision),
                Text(entry.outcome, style=ENDINGS[entry.outcome]),
                Text(ago(entry.ended_at, now)),
                Text(f"took {whole(entry.ended_at - entry.started_at)}"),
                Text(entry.message or ("" if entry.reason == entry.outcome else entry.reason)),
            ]
            for entry in rollout.status.history[:HISTORY]
        ]
    )


def _steps(rollout: Rollout) -> Iterator[RenderableType]:
    for step in next_steps(rollout):
        yield Text(f"{step.words}:\n  ").append(step.command, style="bold")
