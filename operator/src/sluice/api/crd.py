"""The CustomResourceDefinition of ModelDeployment, built from the pydantic models.

`make generate` writes it to crds/; a test fails when the two differ.
"""

from typing import Any, Final

from sluice.api.names import API_VERSION, GROUP, KIND, PLURAL, VERSION
from sluice.api.rules import cel
from sluice.api.schema import NAME_LIMIT, NAME_PATTERN
from sluice.api.status import Status
from sluice.api.structural import structural
from sluice.api.v1alpha1 import Spec

SHORT_NAME: Final = "mdep"

DESCRIPTION: Final = (
    "ModelDeployment declares which model serves and how the next version of it takes over. Sluice rolls a change of "
    "model, runtime or template out in steps of live traffic, watches Prometheus, and promotes it or rolls it back by "
    "itself. The spec is never written by the operator: what happened is in status."
)

NAME_RULE: Final = cel(
    f"self.metadata.name.size() <= {NAME_LIMIT} && self.metadata.name.matches(r'{NAME_PATTERN}')",
    f"metadata.name must be at most {NAME_LIMIT} characters: lower-case letters, digits and '-', beginning with a "
    "letter and ending with a letter or digit; longer names make Kubernetes cut the names of pods",
)

COLUMNS: Final = (
    ("Stable", "string", ".status.stable.revision", "Revision that was promoted last"),
    ("Candidate", "string", ".status.candidate.revision", "Revision that is being rolled out"),
    # Stable comes first in status.traffic, so the second entry is the candidate's; without one the column is empty.
    ("Weight", "integer", ".status.candidate.weight", "Percent of the live requests that the candidate serves"),
    ("Status", "string", ".status.summary", "The rollout in a few words"),
    ("Age", "date", ".metadata.creationTimestamp", "Time since the object was created"),
)
"""Printer columns: name, type, JSONPath, description."""


def schema() -> dict[str, Any]:
    """The structural schema of one ModelDeployment."""
    return {
        "description": DESCRIPTION,
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"description": f"Version of the schema: {API_VERSION}.", "type": "string"},
            "kind": {"description": f"Kind of the object: {KIND}.", "type": "string"},
            "metadata": {"type": "object"},
            "spec": structural(Spec, defaults=True),
            "status": structural(Status, defaults=False),
        },
        "x-kubernetes-validations": [NAME_RULE],
    }


def custom_resource_definition() -> dict[str, Any]:
    """The whole CRD, ready to be applied."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": KIND.lower(),
                "shortNames": [SHORT_NAME],
                "categories": ["sluice"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {
                        "status": {},
                        "scale": {
                            "specReplicasPath": ".spec.replicas",
                            "statusReplicasPath": ".status.replicas",
                            "labelSelectorPath": ".status.selector",
                        },
                    },
                    "additionalPrinterColumns": [
                        {"name": name, "type": kind, "jsonPath": path, "description": description}
                        for name, kind, path, description in COLUMNS
                    ],
                    "schema": {"openAPIV3Schema": schema()},
                }
            ],
        },
    }
