"""Is a cluster of your own asked for, and what must be told of it? All of it comes from the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sluice_dev.cluster.errors import ClusterError, NotRunning

GUIDE = "docs/how-to/own-cluster.md"
ONLY_EMBEDDED = f"which only the embedded cluster has: use the same command without USE_EXISTING_CLUSTER ({GUIDE})"
NEEDS_REGISTRY = (
    "images reach a cluster of your own through a registry: add REGISTRY=host/path, to which you may push and from "
    f"which its nodes may pull ({GUIDE})"
)
NEEDS_PROMETHEUS = (
    f"the operator asks a Prometheus: add SLUICE_PROMETHEUS_URL=http://..., as pods of the cluster reach it ({GUIDE})"
)


def uses_existing() -> bool:
    """Whether a cluster of your own is meant: USE_EXISTING_CLUSTER is 1, true or yes."""
    return os.environ.get("USE_EXISTING_CLUSTER", "").strip().lower() in {"1", "true", "yes"}


def kubeconfig() -> Path:
    """The file that KUBECONFIG names. Raises NotRunning."""
    chosen = os.environ.get("KUBECONFIG", "")
    if not chosen or not Path(chosen).is_file():
        found = f"{chosen} is not one" if chosen else "it is not set"
        raise NotRunning(f"USE_EXISTING_CLUSTER=1 needs KUBECONFIG, the path of one file: {found} ({GUIDE})")
    return Path(chosen).resolve()


@dataclass(frozen=True, slots=True)
class OwnSettings:
    """What Sluice needs to be installed in a cluster of your own.

    registry: host/path to push to and pull from. base: image for the Dockerfiles' BASE, empty for their own.
    prometheus_url: as the cluster's pods reach it.
    """

    registry: str
    base: str
    prometheus_url: str

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ) -> OwnSettings:
        """From REGISTRY, BASE and SLUICE_PROMETHEUS_URL. Raises ClusterError with all that is missing."""
        found = cls(*(environment.get(name, "") for name in ("REGISTRY", "BASE", "SLUICE_PROMETHEUS_URL")))
        needs = {NEEDS_REGISTRY: found.registry, NEEDS_PROMETHEUS: found.prometheus_url}
        if missing := [words for words, given in needs.items() if not given]:
            raise ClusterError("; ".join(missing))
        return found
