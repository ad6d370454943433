"""Cells played in batches, each kept as it is done: a campaign that was interrupted goes on where it was."""

from __future__ import annotations

import gc
import json
from collections import defaultdict
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
from sluice.core.forecast.worlds import Floats, Rollouts
from sluice_dev.decisions.cells import Cell
from sluice_dev.decisions.reading import judge_scraped
from sluice_dev.decisions.scraped import ScrapedTraffic
from sluice_dev.decisions.slices import SlicedTraffic, judge_slices

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


def worlds_of(cell: Cell) -> str:
    """Two questions about one regression are asked of the same worlds: cells with the same of these words."""
    return cell.name.partition(": how ")[0]


def play(cells: Sequence[Cell], batch: int, worlds: int = BATCH) -> list[Played]:
    """One batch of cells that are about the same worlds; the same number gives the same ones."""
    first, *others = cells
    for other in others:
        if (worlds_of(other), replace(other, name=first.name, question=first.question, limit=first.limit)) != (
            worlds_of(first),
            first,
        ):
            raise ValueError(f"{other.name} is not about the same worlds as {first.name}: give it a name of its own")
    judged = _judged(first, worlds, crc32(worlds_of(first).encode()) + batch)
    return [_played(cell, judged, worlds) for cell in cells]


def _played(cell: Cell, judged: Judged, worlds: int) -> Played:
    if cell.question.startswith("certified"):
        values = [float(v) / 60 for v in judged.certified_at if isfinite(v)]
    elif cell.question == "bad":
        values = [float(v) for v, at in zip(judged.bad, judged.failed_at, strict=True) if isfinite(at)]
    else:
        values = [float(at) for at in judged.failed_at if isfinite(at)]
    return Played(worlds, len(values), values)


def _judged(cell: Cell, worlds: int, seed: int) -> Judged:
    traffic, certify = cell.traffic, cell.question.startswith("certified")
    if isinstance(traffic, LatencyTraffic):
        return judge_latency(traffic, worlds, seed, cell.length, SlownessRule(cell.at), certify=certify)
    if isinstance(traffic, ScrapedTraffic):
        return _judged_at(judge_scraped(traffic, worlds, seed, cell.length, cell.at))
    if isinstance(traffic, SlicedTraffic):
        return _judged_at(judge_slices(traffic, worlds, seed, cell.length, cell.at))
    if cell.question == "certified-worse":
        # the same seed has the same history, so this is the margin that `judge` takes
        margin = margin_of(traffic, float(np.median(noise_of(Rollouts(traffic, worlds, seed)))))
        traffic = replace(traffic, failing=TOLERATED_RATIO * traffic.base + (margin or 0.0))
    return judge(Rollouts(traffic, worlds, seed), cell.length, Rule(cell.at), certify=certify)


def _judged_at(failed_at: Floats) -> Judged:
    """Of what tells only when it failed: what else there is to know is NaN."""
    unknown = np.full(failed_at.shape, np.nan)
    return Judged(failed_at, unknown, unknown, unknown)


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
    """Of the code that the results depend on: folders and files."""
    files = sorted(file for one in sources for file in (one.rglob("*.py") if one.is_dir() else (one,)))
    return sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


def campaign(cells: Sequence[Cell], worlds: int, store: Store) -> Iterator[tuple[Cell, Played]]:
    """Each cell with what became of `worlds` rollouts of it, in order, on all cores."""
    batches = -(-worlds // BATCH)
    together: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        together[worlds_of(cell)].append(cell)
    # without the collector of cycles, which there are none of: it takes a tenth of the time
    with ProcessPoolExecutor(initializer=gc.disable) as pool:
        open_batches = {
            (name, batch): pool.submit(play, group, batch)
            for name, group in together.items()
            for batch in range(batches)
            if any(store.get(cell, batch) is None for cell in group)
        }
        for cell in cells:
            total, group = Played(), together[worlds_of(cell)]
            for batch in range(batches):
                running = open_batches.get((worlds_of(cell), batch))
                played = running.result()[group.index(cell)] if running else store.get(cell, batch)
                if played is None:
                    raise RuntimeError(f"batch {batch} of {cell.name} was neither played nor stored")
                store.put(cell, batch, played)
                total.add(played)
            yield cell, total
