"""From a user's inputs and a row of the runtime table to a pod template. Done once per revision, then kept."""

from collections.abc import Mapping
from typing import Any, Final

from sluice.api import names
from sluice.core import model_source
from sluice.core.model_source import MODEL_DIR
from sluice.core.revision import Inputs
from sluice.core.runtimes import Runtime

SERVER: Final = "model"
"""Name of the container that serves: a user's template refers to it."""
FETCHER: Final = "fetch-model"
DRAIN_SECONDS: Final = 10
"""preStop sleep: a pod goes on answering while gateways and kube-proxy learn that it leaves."""
GRACE_SECONDS: Final = 60

_MERGE_KEYS: Final = {
    "containers": "name",
    "initContainers": "name",
    "volumes": "name",
    "env": "name",
    "ports": "containerPort",
    "volumeMounts": "mountPath",
    "imagePullSecrets": "name",
    "topologySpreadConstraints": "topologyKey",
}
"""Lists that Kubernetes merges by key (patchMergeKey in its API); all other lists replace the base's."""

_RESTRICTED: Final = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
_SMALL: Final = {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}}


def merge(base: Any, over: Any, key: str = "") -> Any:
    """Strategic merge of `over` into `base`: objects by field, the lists of _MERGE_KEYS by their key, None removes."""
    if isinstance(base, Mapping) and isinstance(over, Mapping):
        merged = dict(base)
        for name, value in over.items():
            if value is None:
                merged.pop(name, None)
            else:
                merged[name] = merge(base[name], value, name) if name in base else value
        return merged
    if isinstance(base, list) and isinstance(over, list) and key in _MERGE_KEYS:
        identity = _MERGE_KEYS[key]
        if not all(isinstance(item, Mapping) and isinstance(item.get(identity), str | int) for item in over):
            return over  # not what Kubernetes takes there: the API server says so better
        patches = {item.get(identity): item for item in over}
        kept = [merge(item, patches.pop(item.get(identity), {})) for item in base]
        return kept + list(patches.values())
    return over


def pod_template(owner: str, inputs: Inputs, runtime: Runtime) -> dict[str, Any]:
    """The pod template of a revision of the ModelDeployment `owner`."""
    mount = {"name": "model", "mountPath": MODEL_DIR}
    probe = {"timeoutSeconds": 2}
    base = {
        "metadata": {
            "annotations": {
                "prometheus.io/scrape": "true",
                "prometheus.io/port": str(runtime.metrics_port or runtime.port),
                "prometheus.io/path": runtime.metrics_path,
            }
        },
        "spec": {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": GRACE_SECONDS,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65532,
                "runAsGroup": 65532,
                "fsGroup": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "initContainers": [
                {
                    "name": FETCHER,
                    "image": runtime.fetcher_for(inputs.runtime.version),
                    "args": model_source.fetch_arguments(inputs.model),
                    "securityContext": _RESTRICTED,
                    "resources": _SMALL,
                    "volumeMounts": [mount, *model_source.mounts(inputs.model)],
                    "terminationMessagePolicy": "FallbackToLogsOnError",
                }
            ],
            "containers": [
                {
                    "name": SERVER,
                    "image": runtime.image_for(inputs.runtime.version),
                    "args": list(runtime.args),
                    "env": [
                        {"name": "SLUICE_REVISION", "value": inputs.revision},
                        *({"name": name, "value": value} for name, value in sorted(runtime.env.items())),
                    ],
                    "ports": [{"name": "http", "containerPort": runtime.port}],
                    "readinessProbe": {
                        "httpGet": {"path": runtime.ready_path, "port": "http"},
                        "periodSeconds": 2,
                        "failureThreshold": 3,
                        **probe,
                    },
                    "livenessProbe": {
                        "httpGet": {"path": runtime.live_path, "port": "http"},
                        "periodSeconds": 10,
                        "failureThreshold": 6,
                        **probe,
                    },
                    "lifecycle": {"preStop": {"sleep": {"seconds": DRAIN_SECONDS}}},
                    "securityContext": _RESTRICTED,
                    "resources": runtime.resources,
                    "volumeMounts": [{**mount, "readOnly": True}, {"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 - the pod's own emptyDir
                    "terminationMessagePolicy": "FallbackToLogsOnError",
                }
            ],
            "volumes": [
                {"name": "model", "emptyDir": {}},
                {"name": "tmp", "emptyDir": {}},
                *model_source.volumes(inputs.model),
            ],
        },
    }
    own = {
        "metadata": {
            "labels": {
                names.LABEL_NAME: owner,
                names.LABEL_REVISION: inputs.revision,
                names.LABEL_MANAGED_BY: names.MANAGED_BY,
            }
        }
    }
    # ours last: a template that changed these labels would hide its pods from the Services and from this operator
    rendered: dict[str, Any] = merge(merge(base, inputs.template), own)
    return rendered
