"""Bugs planted into the operator are found: else the simulation would prove nothing."""

import pytest

from simulation.planted import BUGS, Bug, find_all

Found = tuple[int, str] | None


@pytest.fixture(scope="module")
def found() -> dict[str, Found]:
    return find_all()


def test_there_are_enough() -> None:
    assert len(BUGS) >= 15
    assert len({bug.name for bug in BUGS}) == len(BUGS)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name.replace(" ", "-"))
def test_a_planted_bug_is_found(bug: Bug, found: dict[str, Found]) -> None:
    discovery = found[bug.name]
    assert discovery is not None, f"no world finds: {bug.name}"
    assert int(discovery[1].split()[0]) in bug.caught_by
