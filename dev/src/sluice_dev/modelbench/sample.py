"""A fitted model of a family, with rows to ask it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sluice_dev.modelbench.families import Family
from sluice_model_server.manifest import Column

_CARRIERS = np.array(["AA", "B6", "DL", "UA"], dtype=object)


@dataclass(frozen=True, slots=True)
class Sample:
    """model: fitted. rows: rows x columns as the server gets them. columns: of the manifest."""

    model: Any
    rows: Any
    columns: tuple[Column, ...]


def targets(score: Any) -> dict[str, Any]:
    """What the families learn, from a number per row."""
    low, middle, high = np.quantile(score, [0.33, 0.5, 0.67])
    return {
        "class": (score > middle).astype(int),
        "classes": np.digitize(score, [low, high]),
        "words": np.where(score > middle, "late", "on time"),
        "number": score,
        "count": np.floor(5 * (score - score.min())),
        "positive": score - score.min() + 0.1,
    }


def sample(family: Family, rows: int, seed: int) -> Sample:
    """A model of four numbers, the first of them 0..4, with a carrier before them where the family wants text."""
    random = np.random.default_rng(seed)
    numbers = random.random((rows, 4))
    numbers[:, 0] = np.floor(numbers[:, 0] * 5)
    carriers = _CARRIERS[random.integers(len(_CARRIERS), size=rows)]
    target = targets(numbers[:, 1] + numbers[:, 2] + 0.1 * (carriers == "AA") + 0.05 * random.random(rows))
    columns = tuple(Column(name=f"x{number}") for number in range(4))
    if family.mixed:
        asked = np.empty((rows, 5), dtype=object)
        asked[:, 0], asked[:, 1:] = carriers, numbers
        columns = (Column(name="carrier", datatype="BYTES"), *columns)
    else:
        asked = numbers
        if family.missing:
            asked = numbers.copy()
            asked[3::7, 1] = np.nan
    return Sample(family.make().fit(asked, target[family.target]), asked, columns)
