"""`kubectl sluice abort` and `kubectl sluice retry`"""

import secrets
import sys
import time
from contextlib import closing
from datetime import timedelta
from typing import Annotated

import typer

from sluice.cli.cluster import Cluster
from sluice.cli.errors import NotInTime, Refused
from sluice.cli.following import Lost, follow
from sluice.cli.options import Context, Kubeconfig, Name, Namespace, connect, duration, explained, out
from sluice.cli.rollout import Rollout, read
from sluice.cli.spans import whole
from sluice.cli.verbs import Wish, result
from sluice.cli.verbs import abort as wish_to_abort
from sluice.cli.verbs import retry as wish_to_retry

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask back.")]
Timeout = Annotated[str, typer.Option(help="How long to wait until the operator has acted on it.")]


def abort(
    name: Name,
    namespace: Namespace = None,
    yes: Yes = False,
    timeout: Timeout = "30s",
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Take the traffic back from the candidate and reject it.

    It gets none again until a retry. Exit status: 0 it is rejected; 1 there is no candidate, or it was none any more; 2
    the operator has not acted in time (the wish stands).
    """
    limit = duration(timeout)
    with explained():
        cluster = connect(kubeconfig, context)
        where = namespace or cluster.namespace
        wish = wish_to_abort(read(cluster.get(where, name)), secrets.token_hex(4))
        if not yes:
            _ask(wish)
        _do(cluster, where, name, wish, limit)


def retry(
    name: Name,
    revision: Annotated[
        str | None,
        typer.Argument(
            metavar="REVISION",
            help="A rejected revision, or the candidate. Absent: the rejected one that the spec asks for; else the "
            "candidate that a check holds; else the one rejected last.",
            show_default=False,
        ),
    ] = None,
    namespace: Namespace = None,
    timeout: Timeout = "30s",
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Roll a rejected revision out again, or begin the candidate's evidence anew.

    Exit status: 0 it is forgotten; 1 there is nothing to retry; 2 the operator has not acted in time (the wish stands).
    """
    limit = duration(timeout)
    with explained():
        cluster = connect(kubeconfig, context)
        where = namespace or cluster.namespace
        wish = wish_to_retry(read(cluster.get(where, name)), revision, secrets.token_hex(4))
        _do(cluster, where, name, wish, limit)


def _ask(wish: Wish) -> None:
    """Raises Refused unless a person agrees."""
    if not sys.stdin.isatty():
        raise Refused(f"this would {wish.words}; give --yes where nobody can be asked")
    if not typer.confirm(f"Really {wish.words}?"):
        raise Refused("nothing was done")


def _do(cluster: Cluster, namespace: str, name: str, wish: Wish, limit: timedelta) -> None:
    """Writes the annotation and says what came of it. Raises NotInTime, or Refused when it came to nothing."""
    cluster.annotate(namespace, name, wish.annotation, wish.value)
    console = out()
    console.print(f"{wish.annotation}={wish.value}: asked to {wish.words}", markup=False, soft_wrap=True)
    handled = _handled(cluster, namespace, name, wish, limit)
    if handled is None:
        raise NotInTime(
            f"the operator has not acted on {wish.annotation}={wish.value} within {whole(limit)}; it will when it "
            "runs: kubectl get pods -n sluice-system"
        )
    came = result(wish, handled)
    if not came.granted:
        raise Refused(came.words)
    console.print(came.words, markup=False, soft_wrap=True)


def _handled(cluster: Cluster, namespace: str, name: str, wish: Wish, limit: timedelta) -> Rollout | None:
    """The rollout once the operator has acted; None if it has not in time."""
    deadline = time.monotonic() + limit.total_seconds()
    with closing(follow(cluster, namespace, name)) as stream:
        for item in stream:
            if item is not None and not isinstance(item, Lost):
                rollout = read(item)
                if wish.handled(rollout):
                    return rollout
            if time.monotonic() >= deadline:
                return None
    return None
