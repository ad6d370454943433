"""Which rounds of a long benchmark were played before? Each is kept as it ends: one that was broken off goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import sluice
import sluice_dev
import sluice_model_server
from sluice_dev.decisions.campaign import code_key

Round = dict[str, Any]


def programs_key() -> str:
    """Of the code of operator, model server and benchmarks: figures of different programs must not be mixed."""
    folders = [Path(package.__path__[0]) for package in (sluice, sluice_model_server)]
    development = Path(sluice_dev.__path__[0])
    return code_key([*folders, *(development / name for name in ("bench", "load", "scene"))])


class Kept:
    """A file with a line of JSON for the key and one for each round.

    key: rounds that were kept under another one are thrown away with the first that is kept under this.
    """

    def __init__(self, path: Path, key: str) -> None:
        self._path = path
        self._key = json.dumps({"key": key})
        lines = path.read_text().splitlines(keepends=True) if path.exists() else []
        # what a kill cut off has no end
        whole = [line for line in lines if line.endswith("\n")]
        known = bool(whole) and whole[0].strip() == self._key
        self.rounds: list[Round] = [json.loads(line) for line in whole[1:]] if known else []
        """In the order in which they ended."""

    def add(self, played: Round) -> None:
        """Keeps one more, for good once this returns."""
        self.rounds.append(played)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_suffix(".new")
        draft.write_text("".join(f"{line}\n" for line in (self._key, *map(json.dumps, self.rounds))))
        draft.replace(self._path)

    def forget(self) -> None:
        """The benchmark has been played whole: the next one starts anew."""
        self._path.unlink(missing_ok=True)
