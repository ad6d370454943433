"""How do many series with fixed labels become Prometheus text at once?

prometheus_client writes one sample at a time: 30 histograms of 11 buckets take it 5 ms, in which no request is
answered. Here all labels are written once, at start, and a scrape only puts the numbers behind them.
Format: Prometheus text 0.0.4, https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Literal

from prometheus_client.utils import floatToGoString

from sluice_model_server.profile import Numeric

_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})


def le(bound: float) -> str:
    """A bound as prometheus_client writes it: `0.5`, `1.0`, `1e+06`, `+Inf`."""
    return str(floatToGoString(bound))  # type: ignore[no-untyped-call]


def series(name: str, **labels: str) -> str:
    """`name{label="value"}`; in `class_` and the like the last underscore is Python's, not the label's."""
    inside = ",".join(f'{label.rstrip("_")}="{value.translate(_ESCAPES)}"' for label, value in labels.items())
    return f"{name}{{{inside}}}" if inside else name


def histogram_series(name: str, numeric: Numeric, labels: dict[str, str]) -> list[str]:
    """The buckets of a histogram and its count, with these labels."""
    buckets = [series(f"{name}_bucket", **labels, le=le(bound)) for bound in (*numeric.bounds, float("inf"))]
    return [*buckets, series(f"{name}_count", **labels)]


def reference_series(name: str, numeric: Numeric, labels: dict[str, str]) -> list[tuple[str, int]]:
    """A gauge of the rows at or below each bound, with what the profile says of them."""
    lines = [series(name, **labels, le=le(bound)) for bound in (*numeric.bounds, float("inf"))]
    return list(zip(lines, accumulate(numeric.counts), strict=True))


class Family:
    """A metric's series, known from the start. help: one line. names: `series(...)` of each."""

    def __init__(
        self, name: str, kind: Literal["counter", "gauge", "histogram"], help: str, names: Iterable[str]
    ) -> None:
        text = help.replace("\\", r"\\").replace("\n", r"\n")
        self._head = f"# HELP {name} {text}\n# TYPE {name} {kind}\n"
        self._names = [f"{name} " for name in names]

    def render(self, values: Sequence[float]) -> str:
        """values: of each series, in the order of names. Empty text without series: a head alone says nothing."""
        if not self._names:
            return ""
        lines = [f"{name}{value}" for name, value in zip(self._names, values, strict=True)]
        return self._head + "\n".join(lines) + "\n"
