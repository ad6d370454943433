"""All invariants: one row each."""

from typing import Final

from simulation.invariants import convergence, evidence, people, rejection, restarts, traffic
from simulation.invariants.checker import Checker

CHECKERS: Final[tuple[type[Checker], ...]] = (
    traffic.WeightsSum,
    traffic.NoWeightWithoutEndpoints,
    traffic.CapacityKept,
    traffic.TwoRevisions,
    traffic.StableIsPromoted,
    traffic.NewestSpecOnly,
    rejection.TrafficFirst,
    rejection.RejectedStaysOut,
    rejection.RejectedForCause,
    rejection.AbortActs,
    rejection.HarmIsShort,
    evidence.EvidenceBeforeWeight,
    evidence.CertifiedBeforeAll,
    evidence.StagesInOrder,
    evidence.SeenBeforeExposed,
    evidence.BlindRetreat,
    restarts.SameEvidence,
    people.SpecIsTheirs,
    people.ForeignUntouched,
    people.OneLeader,
    convergence.ComesToRest,
    convergence.EndsWhereItMust,
    convergence.PodsAreKept,
    convergence.NothingIsLost,
)


def all_checkers() -> tuple[Checker, ...]:
    """A fresh one of each."""
    return tuple(checker() for checker in CHECKERS)
