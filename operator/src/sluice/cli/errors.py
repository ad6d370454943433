"""What ends a command early, and with which exit status.

PluginError
├── Refused        1  the answer is no: nothing to abort, not what was waited for
├── NotInTime      2  no answer before the deadline
└── Unanswered     3  nobody could be asked
    ├── NoCluster        no kubeconfig, no such context
    ├── Unreachable      the API server does not answer now; it may come back
    ├── Denied           it does not know the user, or does not let them
    ├── NotFound         no such ModelDeployment, or no such kind at all
    └── Unreadable       a file, or an object of another version of Sluice
"""

from enum import IntEnum
from typing import ClassVar


class ExitStatus(IntEnum):
    """Of all commands alike."""

    DONE = 0
    """Done; with `status --wait`: what the spec asks for serves."""
    NO = 1
    """The answer is no: errors in a manifest, nothing to abort; with `status --wait`: Stalled."""
    NOT_IN_TIME = 2
    """Nothing was decided before the deadline."""
    UNANSWERED = 3
    """No kubeconfig, no cluster, no right, no such object, no such file."""
    USAGE = 64
    """The command line is wrong (sysexits.h: EX_USAGE), so that a misspelt option is none of the above."""


class PluginError(Exception):
    """Ends a command. The message is one sentence that names the object and the remedy."""

    status: ClassVar[ExitStatus] = ExitStatus.NO


class Refused(PluginError):
    """The answer is no."""


class NotInTime(PluginError):
    """No answer before the deadline."""

    status = ExitStatus.NOT_IN_TIME


class Unanswered(PluginError):
    """Nobody could be asked."""

    status = ExitStatus.UNANSWERED


class NoCluster(Unanswered):
    """No kubeconfig, or none with the context that was named."""


class Unreachable(Unanswered):
    """The API server does not answer now."""


class Denied(Unanswered):
    """The API server does not know the user, or does not let them."""


class NotFound(Unanswered):
    """There is no such object, or the cluster has no such kind."""


class Unreadable(Unanswered):
    """A file, or an object that another version of Sluice wrote."""
