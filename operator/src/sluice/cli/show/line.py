"""`status --watch` where there is no terminal: one line per change."""

from datetime import datetime

from rich.text import Text

from sluice.cli.rollout import Rollout
from sluice.cli.show.table import stage
from sluice.cli.show.words import VERDICTS, waits_for


def line(rollout: Rollout, now: datetime) -> Text:
    """Candidate, weight, stage, what it waits for, and what the checks say. Without the time, so that equal states give
    equal lines."""
    candidate, stable = rollout.status.candidate, rollout.status.stable
    text = Text(f"{rollout.name}: ")
    if candidate:
        text.append(f"candidate {candidate.revision} {candidate.weight}%, stage {stage(rollout, now)}: ")
    elif stable:
        text.append(f"stable {stable.revision}: ")
    text.append(waits_for(rollout))
    for check in rollout.status.checks:
        text.append(f"; {check.name} ")
        text.append(str(check.verdict), style=VERDICTS[check.verdict])
        text.append(f" {check.evidence}" if check.evidence else "")
    return text
