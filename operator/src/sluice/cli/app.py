"""The command line: `kubectl sluice list | status | abort | retry | lint | plan | replay`."""

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final, NoReturn

import typer

from sluice.cli.commands.lint import lint
from sluice.cli.commands.list import list_
from sluice.cli.commands.plan import plan
from sluice.cli.commands.replay import replay
from sluice.cli.commands.status import status
from sluice.cli.commands.verbs import abort, retry
from sluice.cli.errors import ExitStatus, PluginError
from sluice.cli.following import reading

HELP: Final = """Watch and steer rollouts of ModelDeployments: progressive delivery of ML models by Sluice.

The cluster is found as kubectl finds it: `--kubeconfig`, `$KUBECONFIG` (several files), `~/.kube/config`; `--context`.

Exit status of all commands:

- 0: done
- 1: the answer is no: errors in a manifest, nothing to abort, a rollout that is Stalled
- 2: not in time
- 3: nobody could be asked: no kubeconfig, cluster, right, object or file
- 64: a wrong command line
"""

COMMANDS: Final[dict[str, Callable[..., Any]]] = {
    "list": list_,
    "status": status,
    "abort": abort,
    "retry": retry,
    "lint": lint,
    "plan": plan,
    "replay": replay,
}
"""A new command is one row: a function whose signature is the command line and whose docstring is its help."""

app = typer.Typer(
    name="kubectl-sluice",
    help=HELP,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _name, _command in COMMANDS.items():
    app.command(_name)(_command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one command and ends the process. arguments: None means those of the process."""
    try:
        app(args=arguments)
    except PluginError as error:  # it has been told already
        _end(error.status)
    except SystemExit as ended:  # the library ends with 2 for a wrong command line, which here means: not in time
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        _end(ExitStatus.USAGE if status == ExitStatus.NOT_IN_TIME else status)


def _end(status: int) -> NoReturn:
    """An interpreter that ends while a thread sits in a read may abort, and the status would be 134."""
    if reading():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)
