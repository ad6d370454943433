"""Which weights may a route never have had during one rollout?"""

from __future__ import annotations

from collections.abc import Sequence

from sluice_dev.scene.timeline import Timeline


def wrong_weights(
    timeline: Timeline, stable: str, candidate: str, steps: Sequence[int], rejected_at: float | None = None
) -> list[str]:
    """What is wrong with what the route was seen to have, in words; empty when all is legal.

    steps: weights of the candidate's stages, percent; 100 follows. rejected_at: seconds since the epoch; once it has no
    weight after that, it must never have any again. Legal is: only these two revisions, their sum 100, the candidate's
    weight one of the steps, never skipping one, and only to fall to 0.

    Steps 10, 50: 0 -> 10 -> 50 -> 100 and 0 -> 10 -> 50 -> 0 -> 50 are legal; 0 -> 50, 50 -> 10 are not.
    """
    ladder = [0, *steps, 100]
    wrong: list[str] = []
    highest = before = 0
    over = False
    for moment in timeline.weights:
        shares, at = moment.percent, f"{moment.percent} at {moment.at:.2f}"
        if not shares and not before and not highest:
            continue  # no route yet
        weight = shares.get(candidate, 0)
        if set(shares) - {stable, candidate} or sum(shares.values()) != 100:
            wrong.append(f"{at}: not 100% of {stable} and {candidate}")
        if weight not in ladder:
            wrong.append(f"{at}: no stage has this weight")
        elif 0 < weight < before:
            wrong.append(f"{at}: fell from {before}, but not to 0")
        elif ladder.index(weight) > ladder.index(highest) + 1:
            wrong.append(f"{at}: a stage was left out, the highest before was {highest}")
        if over and weight:
            wrong.append(f"{at}: weight for a rejected revision")
        if rejected_at is not None and moment.at >= rejected_at and not weight:
            over = True
        if weight in ladder:
            highest = max(highest, weight)
        before = weight
    return wrong
