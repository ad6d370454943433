"""Which boundaries of a rollout were reached, and at which points must an operator be killed to die at each of them?"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from fnmatch import fnmatchcase

Occurrence = tuple[str, int]
"""A boundary whatever its place in the plan, and the how-many-th time it was reached; from 1."""


class NotReached(Exception):
    """A rollout that nobody disturbed did not do what it was played for; the message says what was missing."""


def pattern_of(boundary: str) -> str:
    """The boundary whatever its place in the plan: `after-3-apply-Service` -> `after-*-apply-Service`."""
    return re.sub(r"^(before|after)-[0-9]+-", r"\1-*-", boundary)


def occurrences(reached: Sequence[str]) -> list[Occurrence]:
    """Each boundary with its turn. reached: what an operator noted, in order."""
    turns: Counter[str] = Counter()
    found = []
    for pattern in map(pattern_of, reached):
        turns[pattern] += 1
        found.append((pattern, turns[pattern]))
    return found


def between(found: Sequence[Occurrence], first: Occurrence, last: Occurrence) -> list[Occurrence]:
    """Those from `first` up to `last`, both included. Raises NotReached."""
    for wanted in (first, last):
        if wanted not in found:
            raise NotReached(f"{wanted[0]} was not reached {wanted[1]} times: {[f'{p}#{turn}' for p, turn in found]}")
    return list(found[found.index(first) : found.index(last) + 1])


def points_of(wanted: Sequence[Occurrence]) -> list[str]:
    """A point (`SLUICE_FAILPOINT`) for each of these boundaries of an undisturbed rollout.

    What is killed *before* an action reaches it once more in its next life, so each such kill moves those that follow:
    turns 1, 2, 3 become 1, 3, 5. What was killed after it has been done: 1, 2, 3 stay.
    """
    killed: Counter[str] = Counter()
    points = []
    for pattern, turn in wanted:
        again = killed[pattern] if pattern.startswith("before") else 0
        points.append(f"{pattern}#{turn + again}")
        killed[pattern] += 1
    return points


def fired(points: Sequence[str], reached: Sequence[str]) -> list[str]:
    """The points at which it was killed, by what was noted."""
    turns = [(point, *point.split("#")) for point in points]
    return [point for point, pattern, turn in turns if sum(fnmatchcase(r, pattern) for r in reached) >= int(turn)]


def spared(wanted: Sequence[Occurrence], killed: Sequence[str]) -> list[Occurrence]:
    """The first of each boundary at which it was never killed. killed: points."""
    died_at = {point.partition("#")[0] for point in killed}
    first: dict[str, Occurrence] = {}
    for occurrence in wanted:
        first.setdefault(occurrence[0], occurrence)
    return [occurrence for pattern, occurrence in first.items() if pattern not in died_at]
