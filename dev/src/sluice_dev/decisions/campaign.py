"""Cells played in batches, each kept as it is done: a campaign that was interrupted goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from math import isfinite, nan
from pathlib import Path
from zlib import crc32

import numpy as np

from sluice.core.analysis.certificate import TOLERATED_RATIO
from sluice.core.forecast.judging import Judged, Rule, judge, margin_of, noise_of
from sluice.core.forecast.latencies import LatencyTraffic, SlownessRule, judge_latency
from sluice.core.forecast.worlds import Rollouts
from sluice_dev.decisions.cells import Cell

BATCH = 500
"""Worlds that are played together."""


@dataclass(slots=True)
class Played:
    """What became of the rollouts of one cell. hits: that failed, or were certified. values: of the question's unit."""

    rollouts: int = 0
    hits: int = 0
    values: list[float] = field(default_factory=list)

    def add(self, other: Played) -> None:
        """More of the same."""
        self.rollouts += other.rollouts
        self.hits += other.hits
        self.values += other.values

    @property
    def share(self) -> float:
        """Of the rollouts that failed or were certified."""
        return self.hits / self.rollouts if self.rollouts else nan

    @property
    def median(self) -> float:
        """Of the values; a rollout without one counts as infinitely large."""
        missing = [float("inf")] * (self.rollouts - len(self.values))
        return float(np.median([*self.values, *missing])) if self.rollouts else nan


def play(cell: Cell, batch: int, worlds: int = BATCH) -> Played:
    """One batch of a cell; the same number gives the same worlds."""
    # the two questions about one regression are asked of the same worlds
    seed = crc32(cell.name.partition(": how ")[0].encode()) + batch
    judged = _judged(cell, worlds, seed)
    if cell.question.startswith("certified"):
        values = [float(v) / 60 for v in judged.certified_at if isfinite(v)]
    elif cell.question == "soon":
        values = [float(at) for at in judged.failed_at if isfinite(at)]
    else:
        values = [float(v) for v, at in zip(judged.bad, judged.failed_at, strict=True) if isfinite(at)]
    return Played(worlds, len(values), values)


def _judged(cell: Cell, worlds: int, seed: int) -> Judged:
    traffic, certify = cell.traffic, cell.question.startswith("certified")
    if isinstance(traffic, LatencyTraffic):
        return judge_latency(traffic, worlds, seed, cell.length, SlownessRule(cell.at), certify=certify)
    if cell.question == "certified-worse":
        # the same seed has the same history, so this is the margin that `judge` takes
        margin = margin_of(traffic, float(np.median(noise_of(Rollouts(traffic, worlds, seed)))))
        traffic = replace(traffic, failing=TOLERATED_RATIO * traffic.base + (margin or 0.0))
    return judge(Rollouts(traffic, worlds, seed), cell.length, Rule(cell.at), certify=certify)


class Store:
    """A file for each batch, below `folder`, which must be another one for other code: see `code_key`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _path(self, cell: Cell, batch: int) -> Path:
        return self._folder / f"{crc32(cell.name.encode()):08x}-{batch:04d}.json"

    def get(self, cell: Cell, batch: int) -> Played | None:
        """A batch that was played before."""
        path = self._path(cell, batch)
        return Played(**json.loads(path.read_text())) if path.exists() else None

    def put(self, cell: Cell, batch: int, played: Played) -> None:
        """Keeps a batch."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._path(cell, batch)
        path.with_suffix(".new").write_text(json.dumps(asdict(played)))
        path.with_suffix(".new").rename(path)


def code_key(sources: Sequence[Path]) -> str:
    """Of the code that the results depend on."""
    files = sorted(file for folder in sources for file in folder.rglob("*.py"))
    return sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


def campaign(cells: Sequence[Cell], worlds: int, store: Store) -> Iterator[tuple[Cell, Played]]:
    """Each cell with what became of `worlds` rollouts of it, in order, on all cores."""
    batches = -(-worlds // BATCH)
    with ProcessPoolExecutor() as pool:
        open_batches = {
            (cell.name, batch): pool.submit(play, cell, batch)
            for cell in cells
            for batch in range(batches)
            if store.get(cell, batch) is None
        }
        for cell in cells:
            total = Played()
            for batch in range(batches):
                running = open_batches.get((cell.name, batch))
                played = running.result() if running else store.get(cell, batch)
                if played is None:
                    raise RuntimeError(f"batch {batch} of {cell.name} was neither played nor stored")
                store.put(cell, batch, played)
                total.add(played)
            yield cell, total
