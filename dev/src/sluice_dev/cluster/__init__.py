"""A real one-node Kubernetes on a bare Linux machine: built, started and taken away by this package."""

from sluice_dev.cluster.access import Cluster, current_cluster
from sluice_dev.cluster.errors import ClusterError, CommandFailed, Missing, NotRunning
from sluice_dev.cluster.own import uses_existing

__all__ = ["Cluster", "ClusterError", "CommandFailed", "Missing", "NotRunning", "current_cluster", "uses_existing"]
