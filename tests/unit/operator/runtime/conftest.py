"""What the tests of the runtime share: a clock that is moved by hand, and small Kubernetes objects."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

NAME, MANAGED = "sluice.dev/name", "app.kubernetes.io/managed-by"


class HandClock:
    """Moves only when told to."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def make() -> Any:
    """make(name, version, owner=..., **body): an object in namespace `shop`."""

    def build(name: str, version: int, *, owner: str | None = None, **body: Any) -> dict[str, Any]:
        labels = {NAME: owner, MANAGED: "sluice"} if owner else {}
        metadata = {"namespace": "shop", "name": name, "uid": f"uid-{name}", "resourceVersion": str(version)}
        return {"metadata": {**metadata, "labels": labels}, **body}

    return build
