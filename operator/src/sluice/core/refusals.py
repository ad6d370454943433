"""What did the API server refuse a moment ago? It is not sent again at once."""

from datetime import timedelta
from typing import Final

from sluice.core.snapshot import Snapshot

REFUSAL_REPEAT: Final = timedelta(minutes=1)
"""What the API server refused is sent again after this time: quotas and webhooks change their minds."""


def refused(s: Snapshot, kind: str, name: str, what: str) -> bool:
    """Did the API server refuse just this a moment ago? what: DELETING or MARKING."""
    refusal = s.refusals.get((kind, name))
    return refusal is not None and refusal.digest == what and s.now - refusal.at < REFUSAL_REPEAT
