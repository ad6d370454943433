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

MIRRORED_REQUESTS_TOTAL: Final = "sluice_mirrored_requests_total"
"""Those of REQUESTS_TOTAL that were mirrored copies, by HTTP status, label `code`: their answers reach nobody."""

BATCH_ROWS: Final = "sluice_batch_rows"
"""Histogram of the rows in one call of the model."""

BATCH_BOUNDS_ROWS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 1024)
"""Upper bounds of the batch histogram."""

FEATURE_VALUE: Final = "sluice_feature_value"
"""Histogram of a numeric input's values on the bins of its profile, label `feature`. It has no sum: after one request
that would be somebody's value."""

FEATURE_MISSING_TOTAL: Final = "sluice_feature_missing_total"
"""Counter of rows without a value, label `feature`."""

FEATURE_OUT_OF_RANGE_TOTAL: Final = "sluice_feature_out_of_range_total"
"""Counter of numbers below the least or above the greatest of the profile's data, label `feature`."""

FEATURE_CATEGORY_TOTAL: Final = "sluice_feature_category_total"
"""Counter of a text input's values, labels `feature` and `category`; `__other__` for all without a series."""

FEATURE_UNSEEN_TOTAL: Final = "sluice_feature_unseen_total"
"""Counter of text values that the profile's data did not have, label `feature`."""

FEATURE_REFERENCE_ROWS: Final = "sluice_feature_reference_rows"
"""Gauge: how many rows of the profile's data had a number of at most `le`, or that `category`; label `feature`."""

PREDICTION_SCORE: Final = "sluice_prediction_score"
"""Histogram of the score of each answered row on the bins of the profile. No sum, as FEATURE_VALUE."""

PREDICTION_CLASS_TOTAL: Final = "sluice_prediction_class_total"
"""Counter of answered rows by the class answered, label `class`."""

PREDICTION_NULL_TOTAL: Final = "sluice_prediction_null_total"
"""Counter of answered rows whose answer is no finite number or no label."""

PREDICTION_REFERENCE_ROWS: Final = "sluice_prediction_reference_rows"
"""Gauge: how many rows of the profile's data had a score of at most `le`, or that `class`."""

SLICE_ROWS_TOTAL: Final = "sluice_slice_rows_total"
"""Counter of rows by slice, labels `slice` (the column), `value` and `outcome` (`answered` or `failed`)."""
