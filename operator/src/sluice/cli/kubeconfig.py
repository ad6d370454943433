"""Which cluster is meant, and which namespace of it? Found as kubectl finds them.

One difference of the client library is made good here: of several files the *first* that names a current context
decides (kubernetes.io, "Organizing Cluster Access Using kubeconfig Files"); the library takes the last.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from sluice.cli.errors import NoCluster

VARIABLE: Final = "KUBECONFIG"
SERVICE_ACCOUNT_NAMESPACE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
DEFAULT_NAMESPACE: Final = "default"


@dataclass(frozen=True, slots=True)
class Choice:
    """What the kubeconfig says.

    files: those that exist and say anything, in order; none of them: the pod's own ServiceAccount.
    context: its name; empty for the ServiceAccount. namespace: the context's.
    """

    files: tuple[Path, ...]
    context: str
    namespace: str


def choose(
    kubeconfig: Path | None,
    context: str | None,
    *,
    environment: Mapping[str, str] = os.environ,
    home: Path | None = None,
) -> Choice:
    """kubeconfig, context: as named on the command line, if they were. Raises NoCluster."""
    candidates = _candidates(kubeconfig, environment, home or Path.home())
    documents = {path: document for path in candidates if (document := _read(path))}
    if not documents:
        if kubeconfig is None and environment.get("KUBERNETES_SERVICE_HOST"):
            return Choice((), "", _own_namespace())
        named = ", ".join(str(path) for path in candidates) or f"${VARIABLE}"
        raise NoCluster(f"no kubeconfig: {named} is missing or empty; set {VARIABLE} or give --kubeconfig")
    chosen = context or next((str(d["current-context"]) for d in documents.values() if d.get("current-context")), "")
    if not chosen:
        raise NoCluster(
            f"{_together(documents)} names no current context; give --context, or run `kubectl config use-context NAME`"
        )
    contexts = _contexts(documents)
    if chosen not in contexts:
        known = ", ".join(contexts) or "none"
        raise NoCluster(f"{_together(documents)} has no context {chosen}; it has: {known}")
    return Choice(tuple(documents), chosen, str(contexts[chosen].get("namespace") or DEFAULT_NAMESPACE))


def _candidates(kubeconfig: Path | None, environment: Mapping[str, str], home: Path) -> tuple[Path, ...]:
    if kubeconfig is not None:
        if not kubeconfig.exists():
            raise NoCluster(f"--kubeconfig: there is no file {kubeconfig}")
        return (kubeconfig,)
    if listed := environment.get(VARIABLE):
        return tuple(Path(part).expanduser() for part in listed.split(os.pathsep) if part)
    return (home / ".kube" / "config",)


def _read(path: Path) -> dict[str, Any]:
    """The document, empty if there is no file or nothing in it."""
    try:
        document = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise NoCluster(f"the kubeconfig {path} cannot be read: {' '.join(str(error).split())}") from error
    if document is not None and not isinstance(document, dict):
        raise NoCluster(f"{path} is no kubeconfig: it holds a {type(document).__name__}, not an object")
    return document or {}


def _contexts(documents: Mapping[Path, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """By name; what the first file says about one counts."""
    found: dict[str, dict[str, Any]] = {}
    for document in documents.values():
        for entry in document.get("contexts") or ():
            found.setdefault(str(entry.get("name")), entry.get("context") or {})
    return found


def _own_namespace() -> str:
    try:
        return SERVICE_ACCOUNT_NAMESPACE.read_text().strip() or DEFAULT_NAMESPACE
    except OSError:
        return DEFAULT_NAMESPACE


def _together(documents: Mapping[Path, dict[str, Any]]) -> str:
    return os.pathsep.join(str(path) for path in documents)
