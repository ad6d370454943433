"""Where does a runtime keep its metrics? Its row of the operator's runtime table."""

from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import ValidationError

from sluice.cli.cluster import Cluster
from sluice.cli.errors import Denied, NotFound, Unreadable
from sluice.core.runtimes import Runtime

NAMESPACE: Final = "sluice-system"
NAME: Final = "sluice-runtimes"
"""The ConfigMap."""


def runtime(name: str, table: Path | None, cluster: Cluster) -> Runtime:
    """The row of this name. table: a manifest of the ConfigMap; None: the cluster's. Raises NotFound, Denied,
    Unreadable."""
    where = str(table) if table else f"ConfigMap {NAMESPACE}/{NAME}"
    rows = _of_file(table) if table else _of_cluster(cluster)
    row = rows.get(f"{name}.yaml")
    if row is None:
        known = ", ".join(sorted(key.removesuffix(".yaml") for key in rows)) or "none"
        raise NotFound(f"{where} has no runtime {name}; it has: {known}")
    try:
        return Runtime.model_validate(yaml.safe_load(row))
    except (yaml.YAMLError, ValidationError) as error:
        raise Unreadable(f"{where}: the row {name} cannot be read: {' '.join(str(error).split())[:300]}") from error


def _of_cluster(cluster: Cluster) -> dict[str, str]:
    try:
        return cluster.config_map(NAMESPACE, NAME)
    except (Denied, NotFound) as error:
        raise type(error)(f"{error}; give the runtime table as a file, --runtimes") from error


def _of_file(path: Path) -> dict[str, str]:
    try:
        documents: list[Any] = list(yaml.safe_load_all(path.read_text()))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise Unreadable(f"--runtimes: {path} cannot be read: {' '.join(str(error).split())}") from error
    data = [one["data"] for one in documents if isinstance(one, dict) and isinstance(one.get("data"), dict)]
    if not data:
        raise Unreadable(f"--runtimes: {path} is no manifest of the ConfigMap {NAME}")
    return {str(key): str(row) for rows in data for key, row in rows.items()}
