"""A metrics store behind the API server's proxy, and a runtime table, for commands that read history."""

import asyncio
from datetime import UTC, datetime
from typing import Any, Final

import yaml

from sluice.core.metrics import Series
from unit.operator.analysis.conftest import PRESET, Store
from unit.operator.cli.fake_api import FakeApi

PROXY: Final = "/api/v1/namespaces/monitoring/services/prometheus:9090/proxy/api/v1/query"
TABLE: Final = "/api/v1/namespaces/sluice-system/configmaps/sluice-runtimes"


def serve(api: FakeApi, store: Store) -> None:
    """As Prometheus' HTTP API gives it, and the ConfigMap beside it."""

    def answer(query: dict[str, str]) -> dict[str, Any]:
        at = datetime.fromtimestamp(float(query["time"]), UTC)
        found: tuple[Series, ...] = asyncio.run(store.query(query["query"], at))
        result = [{"metric": dict(s.labels), "values": [[t, str(v)] for t, v in s.points]} for s in found]
        return {"status": "success", "data": {"resultType": "matrix", "result": result}}

    row = {"image": "i", "fetcher": "f", "metrics": {"requests": PRESET.requests, "latency": PRESET.latency}}
    api.pages[PROXY] = answer
    api.pages[TABLE] = lambda _: {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "sluice-runtimes"},
        "data": {"sluice-sklearn.yaml": yaml.safe_dump(row), "broken.yaml": "image: ["},
    }
