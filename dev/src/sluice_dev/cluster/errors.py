"""What can go wrong with the development cluster, one tree.

ClusterError
├── Missing        the machine lacks something; carries the rows of the doctor's table
├── NotRunning     there is no cluster to talk to
└── CommandFailed  a program we ran said no; carries its own words
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One row of the doctor's table. found: what is there, in words. remedy: what to do; empty when all is well."""

    name: str
    found: str
    remedy: str = ""

    @property
    def ok(self) -> bool:
        return not self.remedy


class ClusterError(Exception):
    """Names the thing that failed and what to do about it; shown to people without a stack trace."""


class NotRunning(ClusterError):
    """No cluster answers where one was expected."""


class Missing(ClusterError):
    """The machine cannot run the cluster as it is."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("missing: " + ", ".join(finding.name for finding in self.findings))


class CommandFailed(ClusterError):
    """A program ended with a status other than 0."""

    def __init__(self, argv: Sequence[str], status: int, output: str) -> None:
        self.argv = tuple(argv)
        self.status = status
        self.output = output
        shown = " ".join(argv)
        super().__init__(f"`{shown[:300]}` ended with status {status}:\n{output.strip()[-4000:]}")
