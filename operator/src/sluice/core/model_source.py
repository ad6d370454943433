"""How does the init container reach the model? Arguments, volumes and mounts by the scheme of spec.model.uri.

Secrets and claims are named here and mounted by the kubelet: the operator reads neither.
"""

from typing import Any, Final
from urllib.parse import urlsplit

from sluice.api.v1alpha1 import ModelSource

MODEL_DIR: Final = "/mnt/model"
PVC_DIR: Final = "/mnt/pvc"
"""Claims are mounted below it by their names, where the fetcher looks for them."""
CREDENTIALS_DIR: Final = "/mnt/credentials"
_CLAIM: Final = "model-source"
_CREDENTIALS: Final = "model-credentials"
_GROUP_READS: Final = 0o440
"""The fetcher is no root; the pod's fsGroup is the group of what is mounted."""


def fetch_arguments(model: ModelSource) -> list[str]:
    """Arguments of the init container. The administrator's list was asked before a rollout began, so a host that is
    reached over plain http here is one of it; the fetcher wants each by name."""
    address = urlsplit(model.uri)
    allowed = ["--allow-host", address.hostname] if address.scheme == "http" and address.hostname else []
    credentials = ["--credentials", CREDENTIALS_DIR] if model.secret_ref else []
    return ["fetch", "--uri", model.uri, "--digest", model.digest, "--into", MODEL_DIR, *allowed, *credentials]


def volumes(model: ModelSource) -> list[dict[str, Any]]:
    """Volumes of the pod beyond that of the model itself."""
    found: list[dict[str, Any]] = []
    if claim := _claim(model):
        found.append({"name": _CLAIM, "persistentVolumeClaim": {"claimName": claim, "readOnly": True}})
    if model.secret_ref:
        # Optional, so that a Secret that is missing is said in one line by the fetcher, with what to do: the kubelet
        # would leave the pod waiting without a word in its status.
        secret = {"secretName": model.secret_ref.name, "optional": True, "defaultMode": _GROUP_READS}
        found.append({"name": _CREDENTIALS, "secret": secret})
    return found


def mounts(model: ModelSource) -> list[dict[str, Any]]:
    """Where the init container, and no other one, sees them."""
    found: list[dict[str, Any]] = []
    if claim := _claim(model):
        found.append({"name": _CLAIM, "mountPath": f"{PVC_DIR}/{claim}", "readOnly": True})
    if model.secret_ref:
        found.append({"name": _CREDENTIALS, "mountPath": CREDENTIALS_DIR, "readOnly": True})
    return found


def _claim(model: ModelSource) -> str | None:
    address = urlsplit(model.uri)
    return address.netloc if address.scheme == "pvc" else None
