"""Is a model file safe to load and to ask, whoever wrote it?

In this order: `archive` (the zip and its arrays are what they say), `schema` (every type in it is in the table), then
skops loads it, then `objects` (every structure that native code follows without bounds checks stays within bounds).
"""

from sluice_model_server.review.archive import check_archive
from sluice_model_server.review.objects import check_model, without_pools
from sluice_model_server.review.schema import check_schema

__all__ = ["check_archive", "check_model", "check_schema", "without_pools"]
