"""Names other parts of Sluice rely on: metrics, their labels and bounds, headers. A contract test holds them equal."""

from typing import Final

REQUESTS_TOTAL: Final = "sluice_requests_total"
"""Counter of answered inference requests by HTTP status, label `code`. Probes and scrapes never count."""

REQUEST_DURATION_SECONDS: Final = "sluice_request_duration_seconds"
"""Histogram of inference requests, seconds from the complete request to its answer, whatever its status."""

REQUESTS_IN_FLIGHT: Final = "sluice_requests_in_flight"
"""Gauge of inference requests taken and not answered yet."""

MODEL_INFO: Final = "sluice_model_info"
"""Gauge that is always 1, labels `name`, `version`, `digest` and `format`."""

CODES_BORN_AT_START: Final = ("200", "500")
"""Series that exist at 0 from the first scrape on, so that the first failure is seen as an increase, not a birth."""

LATENCY_BOUNDS_SECONDS: Final = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.35, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 10.0,
)  # fmt: skip
"""Upper bounds of the duration histogram. A latency objective must be one of them. As `le` Prometheus sees them as
Python's repr of the float ("0.001" ... "0.75", "1.0", "1.5", "2.5", "5.0", "10.0") and "+Inf"."""

REVISION_HEADER: Final = b"x-sluice-revision"
"""Set by the gateway to the revision that serves the live request. A mirrored copy keeps the other arm's name."""

REQUEST_ID_HEADER: Final = b"x-request-id"
"""Set by the gateway; a mirrored copy keeps it. It is the answer's `id` when the request names none."""
