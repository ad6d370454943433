"""Which colour has a word, and which word a measurement?"""

from typing import Final

from rich.text import Text

from sluice.api.status import MeasurementOutcome, Verdict
from sluice.cli.rollout import Outcome, Rollout

OUTCOMES: Final = {Outcome.SERVING: "green", Outcome.ROLLING: "cyan", Outcome.STALLED: "red"}
VERDICTS: Final = {
    Verdict.FAIL: "red",
    Verdict.CERTIFIED: "green",
    Verdict.UNDECIDED: "cyan",
    Verdict.NO_DATA: "yellow",
    Verdict.PROVIDER_ERROR: "yellow",
    Verdict.QUERY_ERROR: "red",
}
MEASURED: Final = {
    MeasurementOutcome.PASSED: ("", "green"),
    MeasurementOutcome.FAILED: ("failed", "red"),
    MeasurementOutcome.INCONCLUSIVE: ("inconclusive", "yellow"),
    MeasurementOutcome.NO_VALUE: ("no value", "yellow"),
}
ENDINGS: Final = {"Promoted": "green", "RolledBack": "red", "Superseded": "dim", "Cancelled": "dim"}


def waits_for(rollout: Rollout) -> Text:
    """The sentence about what is not as it should be, in the colour of the outcome; `Serving` when nothing is."""
    return Text(rollout.waits_for or str(rollout.outcome), style=OUTCOMES[rollout.outcome])
