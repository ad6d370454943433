"""Reads the runtime table: a directory with one YAML file per runtime, as a mounted ConfigMap is."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import structlog
import yaml
from pydantic import ValidationError

from sluice.core.runtimes import Runtime

log = structlog.get_logger(__name__)

LOOK_EVERY: Final = 5.0
"""Seconds between two looks. The kubelet itself takes up to a minute to bring a changed ConfigMap into the pod."""

SUFFIX: Final = ".yaml"

Stamp = tuple[tuple[str, int, int], ...]


class RuntimeTable:
    """The rows as they are now. One that cannot be read is reported and left out; the others work.

    path: the directory. A file `sluice-sklearn.yaml` is the row `sluice-sklearn`; other files are not looked at.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: Stamp | None = None
        self._rows: dict[str, Runtime] = {}
        self._broken: dict[str, str] = {}

    def rows(self) -> Mapping[str, Runtime]:
        """Name -> runtime, as read last."""
        return self._rows

    def broken(self) -> Mapping[str, str]:
        """Name -> what is wrong with that row."""
        return self._broken

    def refresh(self) -> bool:
        """Read the table again if a file changed. True when it did."""
        stamp = self._look()
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        rows: dict[str, Runtime] = {}
        broken: dict[str, str] = {}
        for file, *_ in stamp:
            name = file.removesuffix(SUFFIX)
            try:
                rows[name] = read_row(self._path / file)
            except BadRow as wrong:
                broken[name] = str(wrong)
                log.warning("runtime cannot be used", runtime=name, error=str(wrong))
        self._rows, self._broken = rows, broken
        log.info("runtimes read", path=str(self._path), names=sorted(rows), broken=sorted(broken))
        return True

    async def run(self, changed: Callable[[], None]) -> None:
        """Look for changes until cancelled; `changed` is called after each."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            if await asyncio.to_thread(self.refresh):
                changed()

    def _look(self) -> Stamp:
        # stat() follows the `..data` link that the kubelet swaps, so a new ConfigMap shows as new inodes and times.
        found = [(file.name, file.stat()) for file in sorted(self._path.glob(f"*{SUFFIX}"))]
        return tuple((name, stat.st_mtime_ns, stat.st_ino) for name, stat in found)


class BadRow(Exception):
    """A row of the runtime table cannot be read; the message names the file, the field and the reason."""


def read_row(file: Path) -> Runtime:
    """One row. Raises BadRow."""
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as wrong:
        raise BadRow(f"{file.name}: {wrong}") from wrong
    try:
        return Runtime.model_validate(content)
    except ValidationError as wrong:
        first = wrong.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise BadRow(f"{file.name}: {where}: {first['msg']}") from wrong
