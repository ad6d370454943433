"""What may an administrator set? Environment variables beginning with SLUICE_, listed in docs/reference/settings.md."""

import re
import socket
import uuid
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, AnyHttpUrl, BeforeValidator, Field, TypeAdapter
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

_URL: Final = TypeAdapter(AnyHttpUrl)
_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def _listed(value: Any) -> Any:
    """`a, b` -> ("a", "b")."""
    if isinstance(value, str):
        return tuple(word for part in value.split(",") if (word := part.strip()))
    return value


def _labels(value: tuple[str, ...]) -> tuple[str, ...]:
    for word in value:
        if not _LABEL.fullmatch(word):
            raise ValueError(f"{word!r} is not the name of a namespace")
    return value


def _url(value: str) -> str:
    _URL.validate_python(value)
    return value.rstrip("/")


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)]


class Settings(BaseSettings):
    """Read once at the start; a value that cannot be read ends the start with its name and the reason."""

    model_config = SettingsConfigDict(env_prefix="SLUICE_", frozen=True, env_ignore_empty=True)

    prometheus_url: Annotated[str, AfterValidator(_url)] = "http://prometheus.monitoring:9090"
    """Base URL of the Prometheus-compatible store that scrapes the model servers."""
    prometheus_timeout: Annotated[float, Field(gt=0, le=60)] = 3.0
    """Seconds until a question to it counts as not answered."""
    prometheus_access_path: Path = Path("/etc/sluice/prometheus")
    """Directory with token, username and password, ca.crt, tls.crt and tls.key, headers.yaml: the mounted Secret
    sluice-prometheus, which may be missing."""
    query_scope: Literal["Namespace", "Any"] = "Namespace"
    """What plain queries of ModelDeployments may read. Namespace: metrics of their own namespace only, by the label
    `namespace`. Any: every metric, for stores whose metrics have no such label."""
    namespaces: Annotated[Words, AfterValidator(_labels)] = ()
    """Namespaces to serve, comma-separated; empty: all of them. Gateways are looked for in the same ones."""
    runtimes_path: Path = Path("/etc/sluice/runtimes")
    """Directory with one YAML file per runtime: the mounted ConfigMap sluice-runtimes."""
    allowed_model_hosts: Words = ()
    """Hosts (host or host:port, comma-separated) from which models may be fetched over plain http."""
    workers: Annotated[int, Field(ge=1, le=64)] = 4
    """ModelDeployments that are worked on at the same time."""
    relist_seconds: Annotated[float, Field(ge=20, le=3600)] = 300.0
    """Time between two full listings of a kind, spread by a fifth."""
    lease_namespace: str = "sluice-system"
    """Namespace of the Lease, and of the operator."""
    lease_name: str = "sluice-operator"
    """Name of the Lease that one replica holds."""
    pod_name: Annotated[str, Field(default_factory=socket.gethostname)]
    """This replica's name, for the Lease and Events."""
    host: str = "0.0.0.0"  # noqa: S104  # the pod's own address: the kubelet and Prometheus must reach it
    """Address of /healthz, /readyz and /metrics."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    """Port of them."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Least severity that is logged."""
    log_format: Literal["json", "text"] = "json"
    """json: one object per line. text: for people."""
    failpoint: str | None = None
    """For tests only: kills the process at the named boundaries between two actions. Never set it in production."""
    failpoint_marker: Path | None = None
    """For tests only: notes what was reached, so that each point kills once, also over restarts."""

    @cached_property
    def identity(self) -> str:
        """Name of this process in the Lease: also different from the same pod's container before a restart."""
        return f"{self.pod_name}_{uuid.uuid4()}"
