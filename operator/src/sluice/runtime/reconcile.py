"""One pass over one ModelDeployment: gather, decide, execute, remember."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog

from sluice.api import names
from sluice.api.status import Status
from sluice.api.v1alpha1 import Spec
from sluice.core import gateways
from sluice.core.analysis.questions import UNASKED, Subject, counted_by_gateway
from sluice.core.analysis.verdicts import NOTHING_KNOWN, CheckResult, Observation
from sluice.core.conditions import significant
from sluice.core.metrics import MetricPreset
from sluice.core.plan import Action, Refusal
from sluice.core.planner import decide
from sluice.core.runtimes import Runtime
from sluice.core.snapshot import GatewayFacts, Snapshot
from sluice.core.stages import largest_share
from sluice.core.strategies import stages_of
from sluice.ports import Clock, ClusterError, Object, Refused, Store
from sluice.runtime.checkpoints import CHECKPOINT_EVERY, Checkpoints
from sluice.runtime.schedule import Key

log = structlog.get_logger(__name__)

WORDS_EVERY: Final = timedelta(minutes=1)
"""Counts and sentences in the status are at most this old; what matters is written at once."""

URGENT_RETRY: Final = timedelta(milliseconds=200)
"""Taking traffic back is tried again at this pace, however often it failed: no backoff while users get bad answers."""

Refusals = dict[tuple[str, str], Refusal]
_Watched = tuple[tuple[str, datetime, str], tuple[MetricPreset, MetricPreset | None], Spec, tuple[GatewayFacts, ...]]


class Gather(Protocol):
    """From the cache to a snapshot."""

    def __call__(
        self,
        store: Store,
        resource: Object,
        *,
        now: datetime,
        observation: Observation = ...,
        runtimes: Mapping[str, Runtime],
        allowed_http_hosts: frozenset[str] = ...,
        refusals: Mapping[tuple[str, str], Refusal] | None = ...,
    ) -> Snapshot:
        """All that is known about one ModelDeployment."""
        ...


class Execute(Protocol):
    """From a plan to API requests."""

    async def run(self, s: Snapshot, actions: tuple[Action, ...], refusals: Refusals) -> None:
        """Do the actions in order, up to the first that fails."""
        ...

    async def write_status(self, s: Snapshot, status: Status) -> None:
        """Replace the status."""
        ...


class Evidence(Protocol):
    """Watches the metrics of running rollouts."""

    def track(self, key: Key, subject: Subject, checkpoint: str | None = None) -> None:
        """Begin to watch; the same subject again changes nothing. checkpoint: to go on from."""
        ...

    def checkpoint(self, key: Key) -> str | None:
        """What a later process goes on from; None where there is nothing to go on from yet."""
        ...

    def untrack(self, key: Key) -> None:
        """Stop watching."""
        ...

    def observation(
        self,
        key: Key,
        pods: Mapping[str, datetime],
        stage_since: datetime,
        stable_pods: Mapping[str, datetime] | None = None,
        addresses: Mapping[str, str] | None = None,
    ) -> Observation:
        """What is known."""
        ...


class Reporter(Protocol):
    """The operator's own metrics about rollouts."""

    def rollout(self, key: Key, status: Status, checks: Sequence[CheckResult]) -> None:
        """Where a rollout stands after a pass. checks: what was observed in it."""
        ...

    def forget(self, key: Key) -> None:
        """The object is gone."""
        ...


@dataclass(frozen=True, slots=True)
class Policy:
    """What the operator's settings say of every rollout.

    allowed_http_hosts: hosts from which models may come over plain http. queries_confined: plain queries may read their
    own namespace only. checkpoint_every: least time between two checkpoints of one rollout.
    """

    allowed_http_hosts: frozenset[str] = frozenset()
    queries_confined: bool = True
    checkpoint_every: timedelta = CHECKPOINT_EVERY


class Reconciler:
    """Callable by the queue; holds nothing that a restart could lose but what it has learnt from refusals.

    ready: False while nothing may be decided: not leading, or the first listing is incomplete.
    """

    def __init__(
        self,
        *,
        store: Store,
        gather: Gather,
        execute: Execute,
        evidence: Evidence,
        reporter: Reporter,
        clock: Clock,
        ready: Callable[[], bool],
        runtimes: Callable[[], Mapping[str, Runtime]],
        policy: Policy = Policy(),
    ) -> None:
        self._store = store
        self._gather = gather
        self._execute = execute
        self._evidence = evidence
        self._reporter = reporter
        self._clock = clock
        self._ready = ready
        self._runtimes = runtimes
        self._policy = policy
        self._refusals: dict[Key, Refusals] = {}
        self._wrote: dict[Key, datetime] = {}
        self._checkpoints = Checkpoints(policy.checkpoint_every)
        self._had_weight: dict[Key, dict[str, datetime]] = {}
        self._subjects: dict[Key, tuple[_Watched, Subject]] = {}
        """What was watched last, and what that is made of."""

    async def __call__(self, key: Key) -> timedelta | None:
        """One pass. Returns when to come back; None: only when something changes. Raises ClusterError."""
        if not self._ready():
            return None
        resource = self._store.get(names.KIND, *key)
        if resource is None:
            self._forget(key)
            return None
        refusals = self._refusals.setdefault(key, {})
        snapshot = self._look(key, resource, refusals)
        plan = decide(snapshot)
        try:
            await self._execute.run(snapshot, plan.actions, refusals)
        except Refused as refused:
            # told as a condition by the next pass, which leaves this action out
            log.warning("refused by the API server", namespace=key[0], name=key[1], error=str(refused))
            return timedelta()
        except ClusterError as error:
            if not plan.urgent:
                raise
            log.warning("traffic not taken back yet", namespace=key[0], name=key[1], error=str(error))
            # after a conflict the newest route has been read already: there is nothing to wait for
            return URGENT_RETRY / 10 if self._has_newer_route(key, snapshot) else URGENT_RETRY
        if plan.status is not None:
            await self._remember(key, snapshot, plan.status)
            self._watch(key, snapshot, plan.status)
        return plan.requeue_after

    def _has_newer_route(self, key: Key, snapshot: Snapshot) -> bool:
        route = self._store.get("HTTPRoute", *key)
        seen = snapshot.route.resource_version if snapshot.route else None
        return route is not None and route["metadata"]["resourceVersion"] != seen

    def _forget(self, key: Key) -> None:
        self._evidence.untrack(key)
        self._reporter.forget(key)
        self._refusals.pop(key, None)
        self._wrote.pop(key, None)
        self._checkpoints.forget(key)
        self._had_weight.pop(key, None)
        self._subjects.pop(key, None)

    def _look(self, key: Key, resource: Object, refusals: Refusals) -> Snapshot:
        """The snapshot; with what the metrics say, where a candidate is on its way."""
        snapshot = self._gather(
            self._store,
            resource,
            now=self._clock.now(),
            runtimes=self._runtimes(),
            allowed_http_hosts=self._policy.allowed_http_hosts,
            refusals=refusals,
        )
        problem = self._watch(key, snapshot, snapshot.status)
        observation = Observation(problem=problem) if problem else self._observed(key, snapshot)
        return replace(snapshot, observation=observation, had_weight=self._with_weight(key, snapshot))

    def _with_weight(self, key: Key, snapshot: Snapshot) -> Mapping[str, datetime]:
        """When each retiring revision last had weight, as this process saw it."""
        before = self._had_weight.get(key)
        self._had_weight[key] = {
            entry.revision: snapshot.now
            if snapshot.weight(entry.revision) or before is None  # what was before this process nobody knows
            else before.get(entry.revision, entry.since)
            for entry in snapshot.status.retiring
        }
        return self._had_weight[key]

    def _watch(self, key: Key, snapshot: Snapshot, status: Status) -> str:
        """Have the metrics of the candidate watched, as long as there is one and a stable one beside it.

        Returns what keeps them from being watched; empty if nothing does.
        """
        candidate, stable, spec = status.candidate, status.stable, snapshot.spec
        if candidate is None or stable is None or spec is None or snapshot.deleting:
            self._evidence.untrack(key)
            return ""
        inputs = snapshot.revision(candidate.revision).inputs  # a paused spec may ask for another runtime already
        name = (inputs or spec).runtime.name
        runtime = snapshot.runtimes.get(name)
        stables = snapshot.revision(stable.revision).inputs
        stable_runtime = snapshot.runtimes.get(stables.runtime.name) if stables else None
        if runtime is None:  # nobody knows any more where it keeps its metrics: that is blindness, not peace
            self._evidence.untrack(key)
            return f"runtime {name} is no longer in the operator's table: put its row back"
        arms = (candidate.revision, candidate.started_at, stable.revision)
        presets = (runtime.metrics, stable_runtime.metrics if stable_runtime else None)
        watched = (arms, presets, spec, snapshot.gateways)
        if key not in self._subjects or self._subjects[key][0] != watched:
            self._subjects[key] = (watched, self._subject(key, *watched))
        self._evidence.track(key, self._subjects[key][1], candidate.checkpoint)
        return ""

    def _subject(
        self,
        key: Key,
        arms: tuple[str, datetime, str],
        presets: tuple[MetricPreset, MetricPreset | None],
        spec: Spec,
        parents: tuple[GatewayFacts, ...],
    ) -> Subject:
        """What is watched of a rollout. arms: the candidate's revision, its start, and stable's revision."""
        by_gateway = any(counted_by_gateway(check) for check in spec.analysis.checks)
        return Subject(
            namespace=key[0],
            name=key[1],
            candidate=arms[0],
            stable=arms[2],
            started_at=arms[1],
            checks=spec.analysis.checks,
            preset=presets[0],
            stable_preset=presets[1],
            largest_share=largest_share(stages_of(spec)),
            alpha=float(spec.analysis.false_rollback),
            gateway=gateways.counts(parents) if by_gateway else UNASKED,
            confined=self._policy.queries_confined,
        )

    def _observed(self, key: Key, snapshot: Snapshot) -> Observation:
        """What the metrics say of the candidate; nothing, where none is watched."""
        candidate, stable = snapshot.status.candidate, snapshot.status.stable
        if candidate is None or stable is None:
            return NOTHING_KNOWN
        found = [snapshot.revision(place.revision).pods for place in (candidate, stable)]
        pods, stable_pods = ({pod.name: pod.started_at for pod in one} for one in found)
        addresses = {pod.name: pod.address for one in found for pod in one}
        since = candidate.stage.live_since or candidate.stage.entered_at
        return self._evidence.observation(key, pods, since, stable_pods, addresses)

    async def _remember(self, key: Key, snapshot: Snapshot, status: Status) -> None:
        """Write the status: at once when something happened, else not more than once a minute."""
        old, now = snapshot.status, snapshot.now
        due = now - self._wrote.get(key, now) >= WORDS_EVERY
        writing = status != old and (due or significant(status) != significant(old))
        if (checkpoint := self._checkpoint(key, snapshot, status, writing)) and status.candidate:
            candidate = status.candidate.model_copy(update={"checkpoint": checkpoint})
            status, writing = status.model_copy(update={"candidate": candidate}), True
        if writing:
            await self._execute.write_status(snapshot, status)
            self._wrote[key] = now
        self._wrote.setdefault(key, now)
        self._reporter.rollout(key, status, snapshot.observation.checks if status.candidate else ())

    def _checkpoint(self, key: Key, snapshot: Snapshot, status: Status, writing: bool) -> str | None:
        """A new checkpoint of the evidence, if it is time for one. writing: the status is written anyway."""
        watched = snapshot.status.candidate
        if watched is None or status.candidate is None or status.candidate.started_at != watched.started_at:
            return None  # what is watched is not, or no longer, this candidate
        return self._evidence.checkpoint(key) if self._checkpoints.due(key, snapshot.now, writing) else None
