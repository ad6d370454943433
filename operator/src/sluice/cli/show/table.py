"""`list`: one line per rollout."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal

from rich.table import Table
from rich.text import Text

from sluice.cli.errors import Unreadable
from sluice.cli.progress import progress
from sluice.cli.rollout import Rollout, read
from sluice.cli.show.words import waits_for
from sluice.cli.spans import age

WAITS_FOR: Final = "WAITS FOR"
"""The only column that is cut where a terminal is narrow."""
COLUMNS: Final = ("NAMESPACE", "NAME", "STABLE", "CANDIDATE", "WEIGHT", "STAGE", WAITS_FOR, "AGE")


def listing(found: Sequence[Mapping[str, Any]], now: datetime, *, all_namespaces: bool) -> Table:
    """found: objects as the API server lists them. One that cannot be read has a line of its own that says so."""
    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    for name in COLUMNS if all_namespaces else COLUMNS[1:]:
        # Only a column that may wrap is made narrower; its cells then are cut instead.
        justify: Literal["left", "right"] = "right" if name in ("WEIGHT", "AGE") else "left"
        table.add_column(name, no_wrap=name != WAITS_FOR, justify=justify)
    for one in sorted(found, key=lambda item: (item["metadata"]["namespace"], item["metadata"]["name"])):
        table.add_row(*_row(one, now, all_namespaces=all_namespaces))
    return table


def _row(one: Mapping[str, Any], now: datetime, *, all_namespaces: bool) -> list[Text]:
    metadata = one["metadata"]
    namespace = [Text(metadata["namespace"])] if all_namespaces else []
    created = datetime.fromisoformat(metadata["creationTimestamp"])
    return [*namespace, Text(metadata["name"]), *_told(one, now), Text(age(now - created))]


def _told(one: Mapping[str, Any], now: datetime) -> list[Text]:
    try:
        rollout = read(one)
    except Unreadable as error:
        return [Text(""), Text(""), Text(""), Text(""), _cut(Text(str(error), style="red"))]
    stable, candidate = rollout.status.stable, rollout.status.candidate
    return [
        Text(stable.revision if stable else ""),
        Text(candidate.revision if candidate else ""),
        Text(f"{candidate.weight}%" if candidate else ""),
        Text(stage(rollout, now)),
        _cut(waits_for(rollout)),
    ]


def _cut(text: Text) -> Text:
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


def stage(rollout: Rollout, now: datetime) -> str:
    """`2/5 tenth`: the candidate's stage among all of its way, the promotion included; empty without a candidate."""
    candidate, place = rollout.status.candidate, progress(rollout, now)
    if candidate is None:
        return ""
    if place is None:
        return candidate.stage.name
    return f"{place.index + 1}/{len(place.stages)} {place.stage.name}"
