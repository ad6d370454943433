"""`kubectl sluice list`"""

import sys
from datetime import UTC, datetime
from typing import Annotated, Final

import typer

from sluice.cli.options import Context, Kubeconfig, Namespace, connect, err, explained, out
from sluice.cli.show.table import listing

_ENDLESS: Final = 10_000
"""Characters of a line that is for a program: nothing is cut."""


def list_(
    namespace: Namespace = None,
    all_namespaces: Annotated[bool, typer.Option("--all-namespaces", "-A", help="Of all namespaces.")] = False,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """List rollouts: revisions, weight, stage, and what each waits for."""
    with explained():
        cluster = connect(kubeconfig, context)
        where = None if all_namespaces else namespace or cluster.namespace
        found = cluster.list(where)
        if not found:
            err().print(f"No ModelDeployments in {f'namespace {where}' if where else 'any namespace'}.", markup=False)
            return
        console = out()
        if not sys.stdout.isatty():
            console.width = _ENDLESS
        console.print(listing(found, datetime.now(UTC), all_namespaces=all_namespaces))
