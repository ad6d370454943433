"""Open-loop load: requests at a constant rate, whatever the answers do, and what became of each of them."""

from sluice_dev.load.outcome import Outcome, read_outcomes
from sluice_dev.load.process import Load, LoadFailed, LoadPlan

__all__ = ["Load", "LoadFailed", "LoadPlan", "Outcome", "read_outcomes"]
