"""`python -m simulation`: many worlds, or one again. Exits with 1 when an invariant does not hold."""

import argparse
import sys
import time

from simulation.runner import Tally, play_all, quiet, shrink, story
from simulation.scenario import generate

FIRST_FAILURES = 5
"""Failing worlds that are told; more would only repeat them."""


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="play this world alone and tell its story")
    parser.add_argument("--shrink", action="store_true", help="make the failing world smaller first")
    parser.add_argument("--worlds", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, help="seed of the first world")
    parser.add_argument("--jobs", type=int, default=None)
    options = parser.parse_args()
    quiet()
    if options.seed is not None:
        scenario = generate(options.seed)
        text = story(shrink(scenario) if options.shrink else scenario)
        sys.stdout.write(text + "\n")
        return 0 if text.endswith("no invariant is violated") else 1
    return _many(options.first, options.worlds, options.jobs)


def _many(first: int, worlds: int, jobs: int | None) -> int:
    tally, began, told = Tally(), time.monotonic(), time.monotonic()
    sys.stdout.write(f"worlds {first} to {first + worlds - 1}\n")
    for outcome in play_all(range(first, first + worlds), jobs):
        tally.add(outcome)
        for violation in outcome.violations:
            sys.stdout.write(f"seed {outcome.seed}: {violation}\n    again: make simulate SEED={outcome.seed}\n")
        if time.monotonic() - told > 10 or tally.worlds == worlds:
            told = time.monotonic()
            rate = tally.worlds / (told - began)
            sys.stdout.write(f"{tally.worlds} of {worlds} worlds, {rate:.1f}/s, {len(tally.failed)} failed\n")
        sys.stdout.flush()
    for name, count in sorted(tally.exercised.items()):
        sys.stdout.write(f"{count:>10} times: {name}\n")
    for boundary, count in sorted(tally.crashed.items()):
        sys.stdout.write(f"{count:>10} kills: {boundary}\n")
    for failed in tally.failed[:FIRST_FAILURES]:
        sys.stdout.write(f"\n{story(shrink(generate(failed.seed)))}\n")
    idle = [name for name, count in tally.exercised.items() if not count]
    if idle:
        sys.stdout.write(f"never put to the test: {', '.join(idle)}\n")
    return 1 if tally.failed or idle else 0


if __name__ == "__main__":
    sys.exit(main())
