"""Puts the operator together and runs it: `python -m sluice`. The only place that knows every part."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, cast

import kopf
import structlog
from pydantic import ValidationError

from sluice import __version__
from sluice.adapters.clock import SystemClock
from sluice.adapters.kube.client import KubeCluster
from sluice.adapters.kube.connection import NoCluster, connect, credentials
from sluice.adapters.kube.execute import Executor, NotLeading
from sluice.adapters.kube.gather import gather
from sluice.adapters.kube.kinds import KINDS
from sluice.adapters.kube.lease import Lease
from sluice.adapters.kube.requirements import Unmet, check
from sluice.adapters.metrics.prometheus import PrometheusSource
from sluice.adapters.runtime_table import RuntimeTable
from sluice.api import names
from sluice.ports import Unavailable
from sluice.runtime import health, logs
from sluice.runtime.cache import Cache
from sluice.runtime.engine import engine_version
from sluice.runtime.failpoint import Failpoint
from sluice.runtime.handlers import registry_for, settings_for
from sluice.runtime.intake import Intake, Watched
from sluice.runtime.lifetime import SIGNAL, cancel, first_of, on_signals, raise_what_ended
from sluice.runtime.poller import Poller
from sluice.runtime.queue import Worker, WorkQueue
from sluice.runtime.reconcile import Policy, Reconciler
from sluice.runtime.relist import Relister
from sluice.runtime.schedule import Key
from sluice.runtime.telemetry import Telemetry
from sluice.settings import Settings

log = structlog.get_logger(__name__)

_OURS = f"{names.LABEL_MANAGED_BY}={names.MANAGED_BY}"

_SELECTORS: Final = {
    names.KIND: "",
    "Deployment": _OURS,
    "ControllerRevision": _OURS,
    "Service": _OURS,
    "Pod": _OURS,
    "EndpointSlice": _OURS,
    "PodDisruptionBudget": _OURS,
    "HTTPRoute": _OURS,
    "Gateway": "",
    "GatewayClass": "",
}
"""What is watched, and the label selector that narrows it at the server."""

START_AGAIN: Final = 2.0
"""Seconds until an API server that does not answer at the start is asked again."""

STOP_WITHIN: Final = 5.0
"""Seconds that the watches get to close their connections after the lease was given away."""


def watched_kinds() -> tuple[Watched, ...]:
    """The kinds that are watched, with the place of each in the API."""
    rows = ((KINDS[kind], labels) for kind, labels in _SELECTORS.items())
    return tuple(Watched(row.name, row.group, row.version, row.plural, labels, row.namespaced) for row, labels in rows)


@dataclass(slots=True)
class Operator:
    """The parts of one running operator, from which a reconciler is built."""

    settings: Settings
    cluster: KubeCluster
    telemetry: Telemetry
    clock: SystemClock = field(default_factory=SystemClock)
    cache: Cache = field(init=False)
    queue: WorkQueue = field(init=False)
    poller: Poller = field(init=False)
    runtimes: RuntimeTable = field(init=False)
    lease: Lease = field(init=False)

    def __post_init__(self) -> None:
        settings = self.settings
        self.cache = Cache(_SELECTORS)
        self.queue = WorkQueue(self.clock, settings.workers, self.telemetry)
        source = PrometheusSource(settings.prometheus_url, settings.prometheus_timeout, settings.prometheus_access_path)
        self.poller = Poller(
            source, self.clock, lambda key, urgent: self.queue.add(cast(Key, key), urgent), engine_version()
        )
        self.runtimes = RuntimeTable(settings.runtimes_path)
        self.lease = Lease(
            self.cluster,
            self.clock,
            namespace=settings.lease_namespace,
            name=settings.lease_name,
            identity=settings.identity,
            on_change=self._leads,
        )
        self.telemetry.watch_queue(self.queue.depth, self.queue.stalled_for)
        self.telemetry.watch_cache(self.cache.synced, self.cache.sizes)
        self.telemetry.watch_polls(lambda: self.poller.polls, lambda: self.poller.failures)

    def may_act(self) -> bool:
        """Does this replica hold the lease, and has it seen everything once?"""
        return self.lease.held() and self.cache.synced()

    def keys(self) -> list[Key]:
        """Every ModelDeployment known."""
        return [(one["metadata"]["namespace"], one["metadata"]["name"]) for one in self.cache.all(names.KIND)]

    def wake_all(self) -> None:
        """Something that concerns every ModelDeployment has changed."""
        for key in self.keys():
            self.queue.add(key)

    def stalled(self) -> str | None:
        """Behind /healthz: why this process should be started again."""
        return health.stall(self.queue.stalled_for())

    def not_ready(self) -> str | None:
        """Behind /readyz: what is missing before this replica could take over."""
        unlisted = self.cache.unlisted()
        return f"not listed yet: {', '.join(sorted(unlisted))}" if unlisted else None

    def refresh_runtimes(self) -> None:
        """Read the runtime table."""
        self.runtimes.refresh()
        self.telemetry.runtime_rows_broken(len(self.runtimes.broken()))

    def runtimes_changed(self) -> None:
        """The runtime table was read again: rollouts that waited for a row can go on."""
        self.telemetry.runtime_rows_broken(len(self.runtimes.broken()))
        self.wake_all()

    def _leads(self, held: bool) -> None:
        self.telemetry.leads(held)
        if held:
            self.wake_all()
        else:
            for key in self.keys():
                self.poller.untrack(key)


def reconciler(operator: Operator) -> Worker:
    """One pass over one ModelDeployment, with all that it needs."""
    settings, telemetry = operator.settings, operator.telemetry
    failpoint = Failpoint(settings.failpoint, settings.failpoint_marker)

    def reached(boundary: str) -> None:
        when, _, what = boundary.partition("-")
        if when == "after":
            telemetry.acted(what.lstrip("-0123456789"))
        failpoint(boundary)

    executor = Executor(
        operator.cluster, operator.cache, operator.lease.held, settings.pod_name, operator.clock.now, reached
    )
    one_pass = Reconciler(
        store=operator.cache,
        gather=gather,
        execute=executor,
        evidence=operator.poller,
        reporter=telemetry,
        clock=operator.clock,
        ready=operator.may_act,
        runtimes=operator.runtimes.rows,
        policy=Policy(
            allowed_http_hosts=frozenset(settings.allowed_model_hosts),
            queries_confined=settings.query_scope == "Namespace",
        ),
    )

    async def work(key: Key) -> timedelta | None:
        try:
            return await one_pass(key)
        except NotLeading as lost:
            log.warning("pass given up", namespace=key[0], name=key[1], reason=str(lost))
            return None

    return work


async def operate(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT. Raises what made a part end that should not."""
    stop = asyncio.Event()
    on_signals(stop.set)
    telemetry = Telemetry(__version__)
    cluster = KubeCluster(client := await connect(), telemetry.api_called)
    operator = Operator(settings, cluster, telemetry)
    probes = health.serving(
        settings.host, settings.port, alive=operator.stalled, ready=operator.not_ready, render=telemetry.render
    )
    try:
        async with probes:
            operator.refresh_runtimes()
            if await first_of(requirements_met(cluster), stop.wait()) is True:
                return
            await _run(operator, lambda: credentials(client), stop)
    finally:
        await cluster.close()


async def requirements_met(cluster: KubeCluster) -> None:
    """Wait for an API server that answers. Raises Unmet when it is not what is needed."""
    while True:
        try:
            log.info("requirements met", found=await check(cluster))
        except Unavailable as silent:
            log.warning("the API server does not answer yet", error=str(silent), retry_in=START_AGAIN)
            await asyncio.sleep(START_AGAIN)
        else:
            return


async def _run(operator: Operator, login: Callable[[], Awaitable[kopf.ConnectionInfo]], stop: asyncio.Event) -> None:
    settings, kinds = operator.settings, watched_kinds()
    intake = Intake(operator.cache, operator.queue.add)
    relister = Relister(
        operator.cluster,
        operator.cache,
        intake,
        operator.clock,
        kinds=kinds,
        namespaces=settings.namespaces,
        every=settings.relist_seconds,
        on_synced=operator.wake_all,
    )
    parts = [
        asyncio.create_task(relister.run(), name="listings"),
        asyncio.create_task(operator.lease.run(), name="lease"),
        asyncio.create_task(operator.queue.run(reconciler(operator)), name="queue"),
        asyncio.create_task(operator.poller.run(), name="poller"),
        asyncio.create_task(operator.runtimes.run(operator.runtimes_changed), name="runtimes"),
        asyncio.create_task(stop.wait(), name=SIGNAL),
    ]
    # kopf ends every task of the loop that is not in this set when it ends itself; ours are ended here.
    not_kopfs = {*asyncio.all_tasks(), *parts}
    stop_kopf = asyncio.Event()
    watches = await kopf.spawn_tasks(
        registry=registry_for(kinds, intake, relister.soon, login),
        settings=settings_for(kinds),
        identity=cast(Any, settings.identity),  # else kopf asks for the user's name, which a bare uid does not have
        clusterwide=not settings.namespaces,
        namespaces=settings.namespaces,
        standalone=True,
        stop_flag=stop_kopf,
    )
    on_signals(stop.set)  # kopf has just put its own handlers in their place: the lease must go first
    watching = asyncio.create_task(kopf.run_tasks(watches, ignored=not_kopfs), name="watches")
    not_kopfs.add(watching)
    try:
        ended, _ = await asyncio.wait([*parts, watching], return_when=asyncio.FIRST_COMPLETED)
    finally:
        log.info("stopping")
        await cancel(parts)
        await operator.lease.release()
        stop_kopf.set()
        await asyncio.wait([watching], timeout=STOP_WITHIN)
        await cancel([watching])
    raise_what_ended(ended)


def main() -> int:
    """The process's exit status: 0 after SIGTERM, 1 when something ended it, 2 when it could not begin."""
    try:
        settings = Settings()
    except ValidationError as wrong:
        for error in wrong.errors():
            name = "SLUICE_" + "_".join(str(part) for part in error["loc"]).upper()
            sys.stderr.write(f"{name}: {error['msg']}\n")
        return 2
    logs.configure(settings.log_level, settings.log_format)
    try:
        asyncio.run(operate(settings))
    except (Unmet, NoCluster) as wrong:
        log.error("cannot start", reason=str(wrong))  # noqa: TRY400  # the sentence is all there is to know
        return 2
    except Exception:
        log.exception("ended by an error")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
