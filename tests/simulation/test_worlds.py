"""The real operator in 500 simulated worlds: every invariant holds, and every one was put to the test."""

import subprocess
import sys
from pathlib import Path

import pytest

from simulation.invariants.table import CHECKERS
from simulation.runner import HASH_SEED, TWIN, Tally, play_all

WORLDS = 500
FIRST = 100_000
"""Seeds from here on: `make simulate` plays those from 0 on."""
NAMES = (*(checker.name for checker in CHECKERS), TWIN)


@pytest.fixture(scope="module")
def tally() -> Tally:
    played = Tally()
    for outcome in play_all(range(FIRST, FIRST + WORLDS)):
        played.add(outcome)
    return played


def test_no_invariant_is_violated(tally: Tally) -> None:
    assert tally.worlds == WORLDS
    told = [f"seed {f.seed}: {f.violations[0]}\n    again: make simulate SEED={f.seed}" for f in tally.failed]
    assert not told, "\n".join(told)


@pytest.mark.parametrize("name", NAMES)
def test_invariant_was_put_to_the_test(tally: Tally, name: str) -> None:
    assert tally.exercised[name] >= 20


ACTIONS = (
    *(f"apply-{kind}" for kind in ("ControllerRevision", "Service", "Deployment", "PodDisruptionBudget", "HTTPRoute")),
    *("delete-Deployment", "delete-Service", "mark", "status"),
)
"""The kinds of write; Events are left out, as one is lost or told twice by any crash beside it."""


@pytest.mark.parametrize("action", ACTIONS)
def test_the_operator_was_killed_beside_it(tally: Tally, action: str) -> None:
    """Before it or after it: often enough that both happened in different situations."""
    assert tally.crashed[f"before-{action}"] + tally.crashed[f"after-{action}"] >= 2, tally.crashed


def test_a_seed_replays_the_same_world() -> None:
    command = [sys.executable, "-m", "simulation", "--seed", "17"]
    environment = {"PYTHONPATH": str(Path(__file__).parents[1]), "PYTHONHASHSEED": HASH_SEED}
    first, second = (
        subprocess.run(command, env=environment, capture_output=True, text=True, check=False) for _ in range(2)
    )
    assert first.returncode == 0, first.stdout + first.stderr
    assert first.stdout.count("\n") > 20
    assert first.stdout == second.stdout
