"""Every label, annotation, condition and reason that a user or another tool may rely on.

A name that appears here is part of the API: dashboards, GitOps health checks and scripts match on it.
"""

from enum import StrEnum
from typing import Final

GROUP: Final = "sluice.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
KIND: Final = "ModelDeployment"
PLURAL: Final = "modeldeployments"

FIELD_MANAGER: Final = "sluice"
"""Server-side apply field manager of everything the operator owns."""

# --- labels on every child --------------------------------------------------------------------------------------
LABEL_NAME: Final = f"{GROUP}/name"
"""The ModelDeployment that owns this object."""
LABEL_REVISION: Final = f"{GROUP}/revision"
"""The revision (8 hexadecimal characters) that this object belongs to."""
LABEL_MANAGED_BY: Final = "app.kubernetes.io/managed-by"
MANAGED_BY: Final = "sluice"

# --- annotations the operator writes on its own children --------------------------------------------------------
ANNOTATION_APPLIED: Final = f"{GROUP}/applied"
"""Digest of the manifest that was applied last: equal means there is nothing to send."""
ANNOTATION_REJECTED: Final = f"{GROUP}/rejected"
"""On the HTTPRoute: the revision rejected by the write that took its traffic away. On a ControllerRevision: why."""

# --- annotations people write on a ModelDeployment ----------------------------------------------------------------
VERB_ABORT: Final = f"{GROUP}/abort"
"""`<revision>/<token>`: take the traffic back from this candidate and reject it."""
VERB_RETRY: Final = f"{GROUP}/retry"
"""`<revision>/<token>`: forget the rejection of this revision and roll it out again."""
VERBS: Final = {"abort": VERB_ABORT, "retry": VERB_RETRY}

REVISION_HEADER: Final = "x-sluice-revision"
"""Request header the gateway sets to the revision whose share of the live traffic a request belongs to."""


class Condition(StrEnum):
    """Condition types of a ModelDeployment (kstatus: Reconciling and Stalled are abnormal-true)."""

    AVAILABLE = "Available"
    """Stable serves: it has ready endpoints and the route points at it."""
    READY = "Ready"
    """What the spec asks for is what serves all traffic."""
    RECONCILING = "Reconciling"
    """A rollout is under way or waits for something that can come by itself."""
    STALLED = "Stalled"
    """Rolled back, rejected, or cannot go on without a person."""


class Reason(StrEnum):
    """Reasons of conditions and Events. One name per thing; the message carries the evidence."""

    # progress
    INITIALIZING = "Initializing"
    WAITING_FOR_PODS = "WaitingForPods"
    WAITING_FOR_SIGHT = "WaitingForSight"
    WAITING_FOR_ROUTE = "WaitingForRoute"
    WAITING_FOR_EVIDENCE = "WaitingForEvidence"
    STAGE_STARTED = "StageStarted"
    STAGE_RESTARTED = "StageRestarted"
    PROMOTED = "Promoted"
    ROLLOUT_STARTED = "RolloutStarted"
    SUPERSEDED = "Superseded"
    CANCELLED = "Cancelled"
    RETRIED = "Retried"
    VERB_IGNORED = "VerbIgnored"
    MODEL_MOVED = "ModelMoved"
    PAUSED = "Paused"
    UP_TO_DATE = "UpToDate"
    SERVING = "Serving"
    ROLLING = "Rolling"

    # safety
    ROLLED_BACK = "RolledBack"
    ABORTED = "Aborted"
    REJECTED = "Rejected"
    CHECK_FAILED = "CheckFailed"
    NOT_CERTIFIED = "NotCertified"
    PAUSED_BY_CHECK = "PausedByCheck"
    BLIND = "Blind"
    CANDIDATE_LOST = "CandidateLost"
    CANDIDATE_EXITED = "CandidateExited"
    STABLE_UNAVAILABLE = "StableUnavailable"
    UNAVAILABLE = "Unavailable"

    # cannot go on
    NOT_READY_IN_TIME = "NotReadyInTime"
    NOT_SCRAPED = "NotScraped"
    QUERY_ERROR = "QueryError"
    UNKNOWN_RUNTIME = "UnknownRuntime"
    MODEL_HOST_NOT_ALLOWED = "ModelHostNotAllowed"
    INVALID_SPEC = "InvalidSpec"
    INVALID_TEMPLATE = "InvalidTemplate"
    INVALID_ROUTE = "InvalidRoute"
    FORBIDDEN = "Forbidden"
    NAME_CONFLICT = "NameConflict"
    GATEWAY_NOT_FOUND = "GatewayNotFound"
    LISTENER_NOT_FOUND = "ListenerNotFound"
    UNSUPPORTED_BY_GATEWAY = "UnsupportedByGateway"
    ROUTE_NOT_ACCEPTED = "RouteNotAccepted"
