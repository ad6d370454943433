"""Everything a decision may read, the time included. Frozen: a decision cannot change what it sees."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto
from typing import Any, NamedTuple

from sluice.api.names import Reason
from sluice.api.status import VERB_LIMIT, Status
from sluice.api.v1alpha1 import ParentRef, Spec
from sluice.core.analysis.verdicts import NOTHING_KNOWN, Observation
from sluice.core.plan import Refusal
from sluice.core.revision import Inputs, digest
from sluice.core.runtimes import Runtime


class Owner(NamedTuple):
    """What the objects of a ModelDeployment say of whom they belong to."""

    namespace: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Identity:
    """The ModelDeployment itself."""

    namespace: str
    name: str
    uid: str
    generation: int
    resource_version: str
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def owner(self) -> Owner:
        """What stays the same however often it is written."""
        return Owner(self.namespace, self.name, self.uid)


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod of a revision.

    ready: the Ready condition, with every container running and no deletion under way.
    exits: when its containers (not init containers) exited by themselves, as far as the kubelet still tells.
    trouble: the pod's own words about what keeps it from being ready, else empty.
    """

    name: str
    started_at: datetime
    ready: bool
    ready_since: datetime | None = None
    """When it became ready, where the kubelet tells."""
    deleting: bool = False
    exits: tuple[datetime, ...] = ()
    trouble: str = ""
    address: str = ""
    """Where the gateway reaches it; empty before it has one."""


@dataclass(frozen=True, slots=True)
class Child:
    """An object of ours. `applied` is the digest of the manifest it was last given."""

    uid: str
    applied: str
    drifted: bool = False
    """The part of it that decisions rest on is not what was applied."""


@dataclass(frozen=True, slots=True)
class RevisionFacts:
    """One revision as the cluster has it."""

    revision: str
    inputs: Inputs | None = None
    template: str | None = None
    """Rendered pod template as canonical JSON, kept in the ControllerRevision: rendered once, never again."""
    number: int = 0
    """Order in which the revisions were made."""
    rejected: str | None = None
    """Why it was rejected, as its ControllerRevision says."""
    record: Child | None = None
    deployment: Child | None = None
    replicas: int = 0
    """spec.replicas of the Deployment."""
    trouble: str = ""
    """Why its pods cannot even be made, in the words of its ReplicaSet; else empty."""
    service: Child | None = None
    endpoints: int = 0
    """Ready endpoints of its Service."""
    pods: tuple[Pod, ...] = ()

    @property
    def ready_pods(self) -> tuple[Pod, ...]:
        """Pods that answer."""
        return tuple(pod for pod in self.pods if pod.ready)

    @property
    def serving(self) -> int:
        """Pods that the gateway can reach now.

        The pod's own state is seconds ahead of the endpoints when a container dies, the endpoints are behind when
        one becomes ready: the smaller number is the safe one in both directions.
        """
        return min(len(self.ready_pods), self.endpoints)


class RouteState(Enum):
    """What the gateways say about the newest generation of the route."""

    VERIFIED = auto()
    PENDING = auto()
    REFUSED = auto()


@dataclass(frozen=True, slots=True)
class RouteFacts:
    """The HTTPRoute as it is.

    weights: percent by revision, only of backends that are revision Services; 0 weights left out.
    rejected: the revision that the last rollback recorded on it.
    parents: its parentRefs, as they stand in it.
    counts: its backends carry the filters by which a gateway counts per revision.
    """

    child: Child
    resource_version: str
    weights: Mapping[str, int]
    rejected: str | None = None
    state: RouteState = RouteState.PENDING
    message: str = ""
    parents: tuple[Mapping[str, Any], ...] = ()
    counts: bool = True


@dataclass(frozen=True, slots=True)
class GatewayFacts:
    """One parent of the route. controller is None while the Gateway or its class is not there."""

    ref: ParentRef
    namespace: str
    controller: str | None = None
    features: frozenset[str] = frozenset()
    """supportedFeatures of its GatewayClass; empty where the implementation does not fill it."""
    listeners: frozenset[str] = frozenset()
    """Names of its listeners."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One ModelDeployment and all that concerns it, at one moment."""

    now: datetime
    identity: Identity
    spec: Spec | None
    """None: what the API server stored cannot be read; spec_problem says why."""
    status: Status = field(default_factory=Status)
    spec_problem: str = ""
    deleting: bool = False
    revisions: Mapping[str, RevisionFacts] = field(default_factory=dict)
    route: RouteFacts | None = None
    stable_service: Child | None = None
    stable_selects: str | None = None
    """Revision that Service `m` selects."""
    budget: Child | None = None
    runtimes: Mapping[str, Runtime] = field(default_factory=dict)
    allowed_http_hosts: frozenset[str] = frozenset()
    gateways: tuple[GatewayFacts, ...] = ()
    refusals: Mapping[tuple[str, str], Refusal] = field(default_factory=dict)
    """By (kind, name): what the API server would not take, and which manifest that was."""
    observation: Observation = NOTHING_KNOWN
    had_weight: Mapping[str, datetime] = field(default_factory=dict)
    """When this process last saw a revision with weight; of one that it never saw so, when it first looked."""

    def revision(self, name: str) -> RevisionFacts:
        """Facts of a revision; of one without objects, the empty ones."""
        return self.revisions.get(name) or RevisionFacts(revision=name)

    def weight(self, revision: str) -> int:
        """Percent of the live requests that the route gives a revision."""
        return self.route.weights.get(revision, 0) if self.route else 0

    def asked(self, verb: str) -> str:
        """Value of a verb's annotation as it is recorded: one that the status cannot hold is cut, with its digest."""
        value = self.identity.annotations.get(verb, "")
        return value if len(value) <= VERB_LIMIT else f"{value[: VERB_LIMIT - 9]}~{digest(value)}"

    def rejection(self, revision: str) -> str | None:
        """Why a revision may get no traffic, or None.

        Three places remember it, each written at another moment of a rollback: any of them is enough.
        """
        for entry in self.status.rejected:
            if entry.revision == revision:
                return f"{entry.reason}: {entry.message}"
        if self.revision(revision).rejected is not None:
            return self.revision(revision).rejected
        if self.route and self.route.rejected == revision:
            return f"{Reason.ROLLED_BACK}: the route records that it was rolled back"
        return None
