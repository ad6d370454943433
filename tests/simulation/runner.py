"""Plays worlds, on all cores; a failing one is made smaller and told as a story."""

import logging
import os
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import Any

import structlog

from simulation.invariants.table import all_checkers
from simulation.scenario import Scenario, generate
from simulation.world import World

HASH_SEED = "0"
"""Sets of strings are walked in an order that this decides: a seed replays only with the same one."""
BATCH = 10
"""Worlds that a core plays before it reports."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one world.

    exercised: by the name of the invariant. crashed: boundaries at which an operator was killed.
    """

    seed: int
    violations: tuple[str, ...]
    exercised: Counter[str]
    crashed: tuple[str, ...]
    seconds: float


@dataclass(slots=True)
class Tally:
    """What became of many. seconds: of simulated time."""

    worlds: int = 0
    seconds: float = 0.0
    exercised: Counter[str] = field(default_factory=Counter)
    crashed: Counter[str] = field(default_factory=Counter)
    """Kills by the kind of boundary, whatever its place in the plan: `before-apply-HTTPRoute`."""
    failed: list[Outcome] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """One more."""
        self.worlds += 1
        self.seconds += outcome.seconds
        self.exercised.update(outcome.exercised)
        self.crashed.update(re.sub("-[0-9]+-", "-", boundary) for boundary in outcome.crashed)
        if outcome.violations:
            self.failed.append(outcome)


def quiet() -> None:
    """The operator's log of simulated trouble is nobody's business: the world's own story tells more."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", message="coroutine .* was never awaited")  # a killed process leaves them behind


TWIN = "7 same end as undisturbed"


def has_twin(scenario: Scenario) -> bool:
    """Does the end depend on the moves alone? An abort that finds no candidate any more is another move.

    Every second world that qualifies is compared: a twin costs as much as the world itself.
    """
    if scenario.seed % 2 or not scenario.calm or scenario == scenario.undisturbed():
        return False
    return all(phase.move.what in ("publish", "scale", "delete") for phase in scenario.phases)


def end_of(world: World) -> dict[str, Any]:
    """Where a world has come to rest."""
    status = world.status
    return {
        "stable": (status.get("stable") or {}).get("revision"),
        "candidate": (status.get("candidate") or {}).get("revision"),
        "traffic": world.plane.weights,
        "rejected": sorted(one["revision"] for one in status.get("rejected", ())),
        "conditions": {c["type"]: (c["status"], c["reason"]) for c in status.get("conditions", ())},
        "children": world.children(),
    }


def play(scenario: Scenario) -> tuple[Outcome, World]:
    """Play one world; in a calm one the same moves without any fault must end in the same place."""
    checkers = all_checkers()
    world = World(scenario, checkers).run()
    exercised = Counter({checker.name: checker.exercised for checker in checkers})
    violations = list(world.violations)
    if not violations and has_twin(scenario):
        exercised[TWIN] += 1
        ideal = World(scenario.undisturbed()).run()
        if (reached := end_of(world)) != (wanted := end_of(ideal)):
            violations.append(f"{TWIN}: {reached}, undisturbed {wanted}")
    outcome = Outcome(scenario.seed, tuple(violations), exercised, tuple(world.crashed_at), world.agenda.now)
    return outcome, world


def play_seed(seed: int) -> Outcome:
    """The world of a seed."""
    return play(generate(seed))[0]


def _batch(seeds: list[int]) -> list[Outcome]:
    return [play_seed(seed) for seed in seeds]


def play_all(seeds: Iterable[int], jobs: int | None = None) -> Iterator[Outcome]:
    """Play many worlds on `jobs` processes (default: all cores), in the order of their seeds."""
    wanted = list(seeds)
    batches = [wanted[i : i + BATCH] for i in range(0, len(wanted), BATCH)]
    with workers(jobs) as pool:
        for outcomes in pool.map(_batch, batches):
            yield from outcomes


def workers(jobs: int | None = None) -> ProcessPoolExecutor:
    """Processes that play worlds. Started afresh, so that no tracer slows them, and with one order of sets for all."""
    os.environ["PYTHONHASHSEED"] = HASH_SEED
    return ProcessPoolExecutor(jobs or os.cpu_count(), mp_context=get_context("spawn"), initializer=quiet)


def shrink(scenario: Scenario) -> Scenario:
    """The smallest scenario found that violates the same invariant: one thing less, again and again."""
    wanted = _names(play(scenario)[0])
    while True:
        for smaller in scenario.smaller():
            if _names(play(smaller)[0]) & wanted:
                scenario = smaller
                break
        else:
            return scenario


def story(scenario: Scenario) -> str:
    """The scenario, what happened, and what was violated."""
    outcome, world = play(scenario)
    verdict = "\n".join(outcome.violations) or "no invariant is violated"
    return "\n".join((scenario.story(), *world.log, verdict))


def _names(outcome: Outcome) -> set[str]:
    return {violation.partition(":")[0] for violation in outcome.violations}
