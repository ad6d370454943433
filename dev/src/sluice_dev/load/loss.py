"""Which requests were lost, and near what?"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence

from sluice_dev.load.outcome import Outcome

NEAR_SECONDS = 5.0


def near(moment: float, changes: Sequence[float], seconds: float = NEAR_SECONDS) -> bool:
    """Whether a change lies within some seconds before or after. changes: ascending, seconds since the epoch."""
    place = bisect_left(changes, moment - seconds)
    return place < len(changes) and changes[place] <= moment + seconds


def lost_near(outcomes: Iterable[Outcome], changes: Sequence[float]) -> int:
    """How many failed requests were due within 5 s of a change."""
    return sum(outcome.failed and near(outcome.due, changes) for outcome in outcomes)


def kinds(outcomes: Iterable[Outcome]) -> dict[str, int]:
    """Failed requests by error or status, and by kind of connection: `{"503, new connection": 2}`."""
    counted = Counter(
        f"{outcome.error or outcome.code}, {'kept' if outcome.keep_alive else 'new'} connection"
        for outcome in outcomes
        if outcome.failed
    )
    return dict(counted)
