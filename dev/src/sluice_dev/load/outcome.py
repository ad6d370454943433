"""What became of one request? The line that the generator writes for it, and reads back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

QUERY = "request"
"""Query parameter that carries a request's id to the gateway's log."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One request.

    number: its place in the schedule, from 0. due: when it was to be sent; start: when it was; end: when the whole
    answer was there or the failure was known (seconds since the epoch). code: HTTP status, 0 if there was no answer.
    error: `timeout`, `refused`, `reset` or the name of the client's exception, else empty. version: the model_version
    of the answer's body, empty if it has none. keep_alive: sent on a connection that is used again.
    """

    number: int
    due: float
    start: float
    end: float
    code: int
    error: str
    version: str
    keep_alive: bool
    request_id: str

    @property
    def failed(self) -> bool:
        """Anything but a complete answer 200 is a loss to the client."""
        return self.code != 200

    @property
    def latency(self) -> float:
        """Seconds from when it was due: what a user waits, also for a client or server that fell behind."""
        return self.end - self.due

    @property
    def took(self) -> float:
        """Seconds from when it was sent: without the generator's own delay."""
        return self.end - self.start

    @property
    def lag(self) -> float:
        """Seconds by which the generator itself was late."""
        return self.start - self.due

    def line(self) -> bytes:
        """Itself as one line of JSON."""
        return orjson.dumps(asdict(self), option=orjson.OPT_APPEND_NEWLINE)


def read_outcomes(path: Path) -> Iterator[Outcome]:
    """The requests of a results file in the order of their ends. A last line cut off by a kill is left out."""
    with path.open("rb") as lines:
        for line in lines:
            if line.endswith(b"\n"):
                yield Outcome(**orjson.loads(line))


def follow_outcomes(path: Path) -> Callable[[], list[Outcome]]:
    """Each call returns the whole lines that were written since the call before; the file may not exist yet."""
    position = 0

    def news() -> list[Outcome]:
        nonlocal position
        if not path.exists():
            return []
        with path.open("rb") as lines:
            lines.seek(position)
            content = lines.read()
        whole = content[: content.rfind(b"\n") + 1]
        position += len(whole)
        return [Outcome(**orjson.loads(line)) for line in whole.splitlines()]

    return news
