"""`kubectl sluice status`"""

import json
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import chain
from typing import Annotated, Final

import typer

from sluice.cli.cluster import Cluster
from sluice.cli.errors import NotInTime, Refused
from sluice.cli.following import Lost, follow
from sluice.cli.options import Context, Kubeconfig, Name, Namespace, connect, duration, explained, out
from sluice.cli.rollout import Outcome, Rollout, read
from sluice.cli.show.document import document
from sluice.cli.show.page import page
from sluice.cli.spans import whole
from sluice.cli.views import Documents, Lines, LivePage, View

WAIT: Final = "30m"


class Output(StrEnum):
    """For whom it is written."""

    PAGE = "page"
    JSON = "json"


def status(
    name: Name,
    namespace: Namespace = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Follow what happens, until interrupted.")] = False,
    wait: Annotated[
        bool,
        typer.Option(
            "--wait",
            help="Follow until the rollout of the newest spec has ended: exit status 0 when it serves all traffic "
            "(Ready), 1 when it is Stalled, 2 when neither came in time.",
        ),
    ] = False,
    timeout: Annotated[
        str | None,
        typer.Option(
            help=f"How long to follow, e.g. 10m; absent: {WAIT} with --wait, else no end.", show_default=False
        ),
    ] = None,
    output: Annotated[Output, typer.Option("--output", "-o", help="A page for people, or JSON.")] = Output.PAGE,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Show one rollout, and what you can do next: conditions, traffic, stage, evidence, history.

    With --watch or --wait it is drawn anew on a terminal; elsewhere a line is written for each change, or with -o json
    a document (with --wait only the last one).
    """
    limit = duration(timeout) if timeout else (duration(WAIT) if wait and not watch else None)
    with explained():
        cluster = connect(kubeconfig, context)
        where = namespace or cluster.namespace
        if not (watch or wait):
            _once(read(cluster.get(where, name)), output)
            return
        _follow(cluster, where, name, _view(output, every=watch), wait=wait, limit=limit)


def _once(rollout: Rollout, output: Output) -> None:
    now = datetime.now(UTC)
    if output is Output.JSON:
        typer.echo(json.dumps(document(rollout, now), indent=2))
    else:
        out().print(page(rollout, now))


def _view(output: Output, *, every: bool) -> View:
    console = out()
    if output is Output.JSON:
        return Documents(console, every=every)
    return LivePage(console) if console.is_terminal else Lines(console)


def _follow(cluster: Cluster, namespace: str, name: str, view: View, *, wait: bool, limit: timedelta | None) -> None:
    """Until the end that is waited for, or the limit. Raises Refused when it is Stalled, NotInTime without an end."""
    deadline = time.monotonic() + limit.total_seconds() if limit else None
    with closing(follow(cluster, namespace, name)) as stream:
        rollout, away = read(next(stream)), False
        with view:
            for item in chain((None,), stream):
                if isinstance(item, Lost):
                    view.lost(item.message)
                    away = True
                elif item is not None:
                    rollout, away = read(item), False
                now = datetime.now(UTC)
                if not away:
                    view.show(rollout, now)
                if (wait and rollout.outcome is not Outcome.ROLLING) or (deadline and time.monotonic() >= deadline):
                    view.end(rollout, now)
                    break
    if wait:
        _judge(rollout, limit)


def _judge(rollout: Rollout, limit: timedelta | None) -> None:
    label = f"{rollout.namespace}/{rollout.name}"
    if rollout.outcome is Outcome.STALLED:
        raise Refused(f"{label} is stalled: {rollout.waits_for}")
    if rollout.outcome is Outcome.ROLLING:
        raise NotInTime(f"{label} came to no end within {whole(limit) if limit else 'time'}: {rollout.waits_for}")
