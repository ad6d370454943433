"""What may be set from outside? Environment variables, all with the prefix SLUICE_MODEL_ but the two noted."""

from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from sluice_model_server.faults import FaultPlan


class Settings(BaseSettings):
    """Settings of `sluice-model serve`.

    keep_alive_seconds: idle time after which the server closes a connection. It must be longer than the idle time of
        whatever stands in front, else a request races with the close and is lost; Envoy's default is one hour.
    drain_seconds: time between SIGTERM (not ready from then on) and the end of accepting connections.
    finish_seconds: time given to requests still running after that.
    request_seconds: time of one inference request, the upload of its body included.
    max_in_flight: inference requests at once, each with a body in memory.
    max_rows: rows of one request; a predict of many rows keeps all others waiting.
    token_file: tokens of those who may ask, one a line; absent: everybody may.
    log_requests: one line per inference request, never its data.
    compiled: answer without scikit-learn's overhead where that gives the same bits.
    batch_wait_seconds: how long a request waits for others to share a call of the model with. 0: for those that came in
        the same turn of the event loop only, which costs nothing.
    """

    model_config = SettingsConfigDict(env_prefix="SLUICE_MODEL_", frozen=True, populate_by_name=True)

    host: str = "0.0.0.0"  # noqa: S104 - a pod's own address; the gateway must reach it
    keep_alive_seconds: Annotated[int, Field(ge=1)] = 3900
    drain_seconds: Annotated[float, Field(ge=0, le=600)] = 0.0
    finish_seconds: Annotated[int, Field(ge=1, le=600)] = 20
    max_body_bytes: Annotated[int, Field(ge=1)] = 4 << 20
    max_rows: Annotated[int, Field(ge=1)] = 4096
    max_in_flight: Annotated[int, Field(ge=1)] = 512
    request_seconds: Annotated[float, Field(gt=0, le=3600)] = 30.0
    token_file: Path | None = None
    log_requests: bool = False
    max_model_bytes: Annotated[int, Field(ge=1)] = 2 << 30
    compiled: bool = True
    batch_wait_seconds: Annotated[float, Field(ge=0, le=0.1)] = 0.0
    load_seconds: Annotated[int, Field(ge=1)] = 120
    log_level: str = "INFO"
    faults: FaultPlan = FaultPlan()
    background_error_share: Annotated[float, Field(ge=0, le=1)] = 0.0
    revision: Annotated[str, Field(validation_alias="SLUICE_REVISION")] = ""
    """SLUICE_REVISION: this pod's revision; a request that carries another one's name is a mirrored copy."""
    hostname: Annotated[str, Field(validation_alias="HOSTNAME")] = ""
    """HOSTNAME, set by Kubernetes to the pod's name."""
