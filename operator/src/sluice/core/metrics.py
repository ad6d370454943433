"""What is read from a metrics store, and where a runtime keeps its numbers."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, ConfigDict, Field

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


class MetricPreset(Schema):
    """Names under which a runtime exposes requests and latency. A field that is not known is a mistake, as no API
    server looks at a row."""

    model_config = ConfigDict(extra="forbid")

    requests: MetricName
    """Counter of answered requests, one series per code."""
    code_label: LabelName = "code"
    failure_pattern: Annotated[str, AfterValidator(_compiles)] = "5.."
    """Regular expression (anchored) on the code label: these answers are errors."""
    latency: MetricName
    """Histogram of the time to answer, without the `_bucket` suffix."""
    latency_unit: Literal["s", "ms"] = "s"
    """Unit in which that histogram counts, and so the unit of its label `le`."""
    bounds: tuple[float, ...] = LATENCY_BOUNDS
    """Bucket bounds of that histogram, in seconds whatever its unit: a latency check's slo must be one of them."""

    def le_of(self, seconds: float) -> float:
        """The number that the label `le` of the bucket with this bound has."""
        return seconds * 1000 if self.latency_unit == "ms" else seconds


def pod_pattern(deployment: str) -> str:
    """Anchored regular expression for the pods of a Deployment: `<deployment>-<pod template hash>-<5 characters>`."""
    return f"{deployment}-[a-z0-9]+-[a-z0-9]{{5}}"
