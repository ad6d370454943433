"""ModelDeployment v1alpha1: what a user writes (spec).

Each class is one object of the schema, each field's description is what `kubectl explain` prints. Rules that a
structural schema cannot say stand beside their field as CEL; `crd.py` turns all of it into crds/.
"""

from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import ConfigDict, Field

from sluice.api.analysis import (
    DEFAULT_CHECKS,
    Analysis,
    Check,
    LatencyCheck,
    OnDeadline,
    OnFail,
    PrometheusCheck,
    RateCheck,
    SlowerThanStable,
    VersusStable,
)
from sluice.api.quantities import Duration
from sluice.api.rules import cel, form, positive, validated
from sluice.api.schema import NAME_PATTERN, SUBDOMAIN_PATTERN, Schema
from sluice.api.strategy import Canary, CanaryStep, Strategy
from sluice.api.traffic import Gateway, ParentRef, PathMatch, RouteMatch, Traffic

__all__ = [
    "DEFAULT_CHECKS",
    "Analysis",
    "Canary",
    "CanaryStep",
    "Check",
    "Gateway",
    "LatencyCheck",
    "ModelSource",
    "OnDeadline",
    "OnFail",
    "ParentRef",
    "PathMatch",
    "PrometheusCheck",
    "RateCheck",
    "RouteMatch",
    "RuntimeRef",
    "Schema",
    "SlowerThanStable",
    "Spec",
    "Strategy",
    "Traffic",
    "VersusStable",
]

URI_PATTERN: Final = (
    r"^(https?://[^/\s?#@]+|s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]|pvc://[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?)"
    r"/[^\s?#]*manifest\.json$"
)
DIGEST_PATTERN: Final = r"^sha256:[0-9a-f]{64}$"


class SecretRef(Schema):
    """A Secret of the same namespace, by its name. The operator never reads it: the pod mounts it."""

    name: Annotated[
        str,
        Field(
            min_length=1,
            max_length=253,
            pattern=SUBDOMAIN_PATTERN,
            description="Name of the Secret. Keys: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, "
            "AWS_REGION, AWS_ENDPOINT_URL for s3; token, or username and password, for https; ca.crt for a store "
            "with a certificate authority of its own.",
        ),
    ]


class ModelSource(Schema):
    """Where the model comes from, and the digest that it must have."""

    model_config = ConfigDict(
        json_schema_extra=validated(
            cel(
                "!has(self.secretRef) || self.uri.startsWith('https://') || self.uri.startsWith('s3://')",
                "secretRef is for https and s3: a claim needs none, and over http it could be read on the way; "
                "remove it or correct uri",
            )
        )
    )

    uri: Annotated[
        str,
        Field(
            max_length=2048,
            pattern=URI_PATTERN,
            description="Address of the model's manifest.json, which lists every file with its sha256. "
            "https://host/path, s3://bucket/key, pvc://claim/path in a PersistentVolumeClaim of the same namespace, or "
            "http for hosts that the operator's administrator allowed. Fetched in the pod, never by the operator.",
            json_schema_extra=validated(
                form(
                    URI_PATTERN,
                    "an http or https address, s3://bucket/key or pvc://claim/path ending in manifest.json, "
                    "without user, query or fragment",
                ),
                cel(
                    "!self.startsWith('pvc://') || !self.contains('/..')",
                    "a path in a claim must not lead out of it; write it without ..",
                ),
            ),
        ),
    ]
    digest: Annotated[
        str,
        Field(
            max_length=71,
            pattern=DIGEST_PATTERN,
            description="sha256 of manifest.json, as sha256:<64 hexadecimal characters>. Verified before the model "
            "server starts; with the runtime and the template it makes the revision.",
            json_schema_extra=validated(
                form(DIGEST_PATTERN, "sha256: and the 64 characters that `sha256sum manifest.json` prints")
            ),
        ),
    ]
    secret_ref: Annotated[
        SecretRef | None,
        Field(
            description="Secret with the credentials for uri. Absent: for s3 the pod's own identity or a public "
            "bucket, for https a store that lets everybody read.",
            # Records of revisions may not change, and those of before this field have no null in its place.
            exclude_if=lambda secret: secret is None,
        ),
    ] = None


class RuntimeRef(Schema):
    """Which model server runs the model: a row of the operator's runtime table."""

    name: Annotated[
        str,
        Field(
            min_length=1,
            max_length=63,
            pattern=NAME_PATTERN,
            description="Row of the operator's runtime table (ConfigMap sluice-runtimes), e.g. sluice-sklearn.",
        ),
    ]
    version: Annotated[
        str,
        Field(
            max_length=63,
            pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$",
            description="Version of the runtime: the tag of its image. Has no default, as a default would start "
            "rollouts when the operator is upgraded.",
        ),
    ]


class Spec(Schema):
    """What should serve, and how a change of it reaches the traffic."""

    replicas: Annotated[
        int | None,
        Field(
            ge=1,
            le=1000,
            description="Pods of the revision that serves. Absent: 1. Set by `kubectl scale` and by a "
            "HorizontalPodAutoscaler; one that is to take over needs a first value here.",
        ),
    ] = None
    paused: Annotated[bool, Field(description="No weight rises and nothing new starts. A rollback still acts.")] = False
    model: Annotated[ModelSource, Field(description="Where the model comes from, and the digest that it must have.")]
    runtime: Annotated[
        RuntimeRef, Field(description="Which model server runs the model: a row of the operator's runtime table.")
    ]
    template: Annotated[
        dict[str, Any],
        Field(
            description="Pod template, merged over the runtime's own by container name (the server is `model`).",
            json_schema_extra={"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        ),
    ] = {}
    traffic: Annotated[Traffic, Field(description="How requests reach the model.")]
    strategy: Annotated[Strategy, Field(description="How a new revision takes over.")]
    analysis: Annotated[Analysis, Field(description="How the candidate is judged.")] = Analysis()
    progress_deadline: Annotated[
        Duration,
        Field(
            description="How long a revision may take to become ready and seen by Prometheus before the rollout is "
            "Stalled, e.g. 10m. Raise it for models that load slowly.",
            json_schema_extra=validated(positive("progressDeadline", "10m")),
        ),
    ] = timedelta(minutes=10)
    scale_down_delay: Annotated[
        Duration,
        Field(description="How long a revision without traffic is kept, so that requests under way finish, e.g. 30s."),
    ] = timedelta(seconds=30)
