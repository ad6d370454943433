"""The runtime table: name -> image, port, probes, metrics. Shipped as a ConfigMap; administrators add rows."""

from typing import Annotated, Any, Final

from pydantic import ConfigDict, Field

from sluice.api.v1alpha1 import Schema
from sluice.core.metrics import MetricPreset

VERSION_PLACEHOLDER: Final = "$(version)"


class Runtime(Schema):
    """How one model server is run."""

    model_config = ConfigDict(extra="forbid")

    image: str
    """Image of the server; `$(version)` stands for spec.runtime.version."""
    fetcher: str
    """Image of the init container that fetches and verifies the model; `$(version)` as above."""
    args: tuple[str, ...] = ()
    port: Annotated[int, Field(ge=1, le=65535)] = 8080
    ready_path: str = "/v2/health/ready"
    live_path: str = "/v2/health/live"
    metrics_path: str = "/metrics"
    metrics_port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """Where Prometheus scrapes; absent: where requests are served."""
    metrics: MetricPreset
    env: dict[str, str] = {}
    resources: dict[str, Any] = {}

    def image_for(self, version: str) -> str:
        """The server's image at this version."""
        return self.image.replace(VERSION_PLACEHOLDER, version)

    def fetcher_for(self, version: str) -> str:
        """The fetcher's image at this version."""
        return self.fetcher.replace(VERSION_PLACEHOLDER, version)
