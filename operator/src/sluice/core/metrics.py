"""What is read from a metrics store, and where a runtime keeps its numbers."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from sluice.api.v1alpha1 import Schema

LATENCY_BOUNDS: Final = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.35, 0.5, 0.75, 1, 1.5, 2.5, 5, 10,
)  # fmt: skip
"""Bucket bounds of the latency histogram of Sluice's own model server, in seconds."""


@dataclass(frozen=True, slots=True)
class Series:
    """Raw samples of one time series, as scraped: never resampled, never rated.

    labels: the series' labels, `__name__` included.
    points: (time of the scrape in seconds since the epoch, value), oldest first.
    """

    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]


def _compiles(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{pattern!r} is not a regular expression: {error}") from error
    return pattern


MetricName = Annotated[str, Field(pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]*$")]
"""A name that can stand in PromQL as it is."""
LabelName = Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$")]
Pattern = Annotated[str, AfterValidator(_compiles)]
"""A regular expression, as Python reads it; it must match the whole of a label."""


class MetricPreset(Schema):
    """Names under which a runtime exposes requests and latency. A field that is not known is a mistake, as no API
    server looks at a row.

    Failed requests are told in one of three ways: by a code (requests, codeLabel, failurePattern), as what is missing
    to all of them (requests, successes), or by a counter of their own (successes, failures).
    """

    model_config = ConfigDict(extra="forbid")

    requests: MetricName | None = None
    """Counter of answered requests; one series per code, unless successes is given."""
    successes: MetricName | None = None
    """Counter of those that did not fail."""
    failures: MetricName | None = None
    """Counter of those that failed."""
    code_label: LabelName = "code"
    failure_pattern: Pattern = "5.."
    """Regular expression (anchored) on the code label: these answers are errors."""
    exclude: Mapping[LabelName, Pattern] = {}
    """Label -> regular expression (anchored): series that are no requests of users, e.g. probes. Also of latency."""
    latency: MetricName | None
    """Histogram of the time to answer, without the `_bucket` suffix; null, to be said: the server has none."""
    latency_unit: Literal["s", "ms"] = "s"
    """Unit in which that histogram counts, and so the unit of its label `le`."""
    bounds: tuple[float, ...] = LATENCY_BOUNDS
    """Bucket bounds of that histogram, in seconds whatever its unit: a latency check's slo must be one of them."""

    @model_validator(mode="after")
    def _tells_failures(self) -> Self:
        given = tuple(name is not None for name in (self.requests, self.successes, self.failures))
        if given not in ((True, False, False), (True, True, False), (False, True, True)):
            raise ValueError(
                "name requests (with codeLabel), requests and successes, or successes and failures: any other choice "
                "does not tell which requests failed, or tells it twice"
            )
        return self

    @property
    def counters(self) -> str:
        """The counters of requests, as one name or as alternatives of a regular expression: `good|failed`."""
        return "|".join(name for name in (self.requests, self.successes, self.failures) if name is not None)

    def excludes(self, labels: Mapping[str, str]) -> bool:
        """Whether a series with these labels is left out."""
        return any(
            label in labels and _compiled(pattern).fullmatch(labels[label]) for label, pattern in self.exclude.items()
        )

    def outcome(self, labels: Mapping[str, str]) -> tuple[int, int]:
        """(requests, failures) for each one that a series with these labels counted.

        All requests, less those that succeeded: (1, 1) and (0, -1).
        """
        if self.requests is None:
            failed = labels.get("__name__") == self.failures
        elif self.successes is None:
            failed = _matches(self.failure_pattern, labels.get(self.code_label, ""))
        else:
            return (1, 1) if labels.get("__name__") == self.requests else (0, -1)
        return 1, int(failed)

    def le_of(self, seconds: float) -> float:
        """The number that the label `le` of the bucket with this bound has."""
        return seconds * 1000 if self.latency_unit == "ms" else seconds


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


@lru_cache(maxsize=4096)
def _matches(pattern: str, text: str) -> bool:
    """Whether a code is one of these: there are few of them, and each sample of each pod has one."""
    return bool(_compiled(pattern).fullmatch(text))


def pod_pattern(deployment: str) -> str:
    """Anchored regular expression for the pods of a Deployment: `<deployment>-<pod template hash>-<5 characters>`."""
    return f"{deployment}-[a-z0-9]+-[a-z0-9]{{5}}"
