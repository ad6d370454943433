"""The cluster's story: what a person would look at to understand why something did not happen."""

from __future__ import annotations

from sluice_dev.cluster import Cluster, CommandFailed
from sluice_dev.scene.install import NAMESPACE as OPERATOR_NAMESPACE

COMMANDS = (
    ("get", "modeldeployments,deployments,pods,services,httproutes,controllerrevisions", "-n", "{ns}", "-o", "wide"),
    ("get", "modeldeployments", "-n", "{ns}", "-o", "yaml"),
    ("get", "httproutes", "-n", "{ns}", "-o", "yaml"),
    ("get", "events", "-n", "{ns}", "--sort-by=.lastTimestamp"),
    ("logs", "-n", OPERATOR_NAMESPACE, "-l", "app.kubernetes.io/name=sluice-operator", "--tail=150", "--prefix"),
)


def story(cluster: Cluster, namespace: str) -> str:
    """Objects, Events and the operator's last words about a namespace."""
    parts = []
    for command in COMMANDS:
        words = [word.format(ns=namespace) for word in command]
        try:
            said = cluster.kubectl(*words, timeout=60)
        except CommandFailed as failed:
            said = str(failed)
        if command[0] == "logs":
            said = "\n".join(line for line in said.splitlines() if namespace in line or '"level": "error"' in line)
        parts.append(f"$ kubectl {' '.join(words)}\n{said.rstrip()}")
    return "\n\n".join(parts)
