"""ModelDeployments of the flight model: which version, behaving how, rolled out in which steps."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sluice.api.names import API_VERSION, KIND
from sluice.api.v1alpha1 import Spec
from sluice.core.rendering import FETCHER
from sluice.core.revision import inputs_of
from sluice_dev.scene.api import Object
from sluice_dev.scene.store import model_uri


@dataclass(frozen=True, slots=True)
class Step:
    """One canary step. seconds: minDuration. samples: minSamples."""

    weight: int
    seconds: int = 5
    samples: int = 50

    def manifest(self) -> Object:
        return {
            "name": f"weight-{self.weight}",
            "weight": self.weight,
            "minDuration": f"{self.seconds}s",
            "minSamples": self.samples,
        }


CHECKS: tuple[Object, ...] = (
    {"name": "errors", "type": "Rate", "rate": {"preset": "errors", "max": "5%"}},
    {"name": "latency", "type": "Latency", "latency": {"slo": "500ms", "maxShareAbove": "5%", "warmUp": "0s"}},
)
"""v3 fails half of its requests, v4 takes 0.6 s for each. The server is ready only once its model has answered:
there is nothing to warm up."""


@dataclass(frozen=True, slots=True)
class Flight:
    """A ModelDeployment of the flight model.

    index: index.json of the demo's models. more: fields of the spec, over the ones made here.
    """

    namespace: str
    index: Mapping[str, Any]
    name: str = "flight-delay"
    replicas: int = 1
    steps: Sequence[Step] = (Step(10), Step(50))
    checks: Sequence[Object] = CHECKS
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def host(self) -> str:
        """Host header of its requests."""
        return f"{self.name}.{self.namespace}.example"

    def manifest(self, version: str, faults: Mapping[str, float] | None = None, **more: Any) -> Object:
        """The object that asks for a version. faults: absent means those that the version is known for.

        more: fields of the spec, over all others.
        """
        known = self.index["versions"][version]
        wanted = known["faults"] if faults is None else faults
        container: Object = {"name": "model", "resources": {"requests": {"cpu": "20m", "memory": "128Mi"}}}
        # A pod needs as much as the largest of both: at its usual 50m two cores would not hold dozens of pods.
        fetcher: Object = {"name": FETCHER, "resources": {"requests": {"cpu": "20m"}}}
        if wanted:
            container["env"] = [{"name": "SLUICE_MODEL_FAULTS", "value": json.dumps(dict(wanted), sort_keys=True)}]
        return {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": {"name": self.name, "namespace": self.namespace},
            "spec": {
                "replicas": self.replicas,
                "model": {"uri": model_uri(version), "digest": known["digest"]},
                "runtime": {"name": "sluice-sklearn", "version": "0.1.0"},
                "template": {"spec": {"initContainers": [fetcher], "containers": [container]}},
                "traffic": {
                    "gateway": {
                        "parentRefs": [{"name": "public", "namespace": "gateway"}],
                        "hostnames": [self.host],
                    }
                },
                "strategy": {"type": "Canary", "canary": {"steps": [step.manifest() for step in self.steps]}},
                "analysis": {"checks": list(self.checks)},
                **self.more,
                **more,
            },
        }


def revision_of(manifest: Object) -> str:
    """The revision that a ModelDeployment asks for, as the operator will name it."""
    return inputs_of(Spec.model_validate(manifest["spec"])).revision
