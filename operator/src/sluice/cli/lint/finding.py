"""One thing that is said about a manifest."""

from dataclasses import dataclass
from enum import StrEnum

Place = tuple[str | int, ...]
"""Where in the object: ("spec", "strategy", "canary", "steps", 2, "weight")."""


class Severity(StrEnum):
    """How bad it is."""

    ERROR = "error"
    """The API server would refuse it, or the operator could not act on it."""
    ADVICE = "advice"
    """It works, but not as well as it could."""


@dataclass(frozen=True, slots=True)
class Finding:
    """words: what is wrong and what to do, without the place."""

    severity: Severity
    place: Place
    words: str

    @property
    def field(self) -> str:
        """`spec.strategy.canary.steps[2].weight`"""
        path = ""
        for part in self.place:
            path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
        return path

    def __str__(self) -> str:
        return f"{self.severity}: {self.field}: {self.words}" if self.place else f"{self.severity}: {self.words}"


def error(place: Place, words: str) -> Finding:
    """The API server would refuse it."""
    return Finding(Severity.ERROR, place, words)


def advise(words: str, *place: str | int) -> Finding:
    """It works, but. place: within spec."""
    return Finding(Severity.ADVICE, ("spec", *place), words)
