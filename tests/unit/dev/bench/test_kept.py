"""Rounds of a benchmark outlive what breaks it off, but not a change of the programs."""

from pathlib import Path

import pytest

from sluice_dev.bench.kept import Kept


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bench" / "healthy.kept"


def test_rounds_are_there_again_in_their_order(path: Path) -> None:
    first = Kept(path, "a")
    assert first.rounds == []
    first.add({"seconds": 1.5})
    first.add({"seconds": None})
    assert Kept(path, "a").rounds == [{"seconds": 1.5}, {"seconds": None}]


def test_rounds_of_other_programs_are_not_mixed_in(path: Path) -> None:
    Kept(path, "a").add({"n": 1})
    changed = Kept(path, "b")
    assert changed.rounds == []
    changed.add({"n": 2})
    assert Kept(path, "b").rounds == [{"n": 2}]
    assert Kept(path, "a").rounds == []


@pytest.mark.parametrize("rest", ["", '{"key": "a"', '{"key": "a"}', '{"key": "a"}\n{"n": 1'])
def test_what_a_kill_cut_off_is_no_round(path: Path, rest: str) -> None:
    path.parent.mkdir()
    path.write_text(rest)
    assert Kept(path, "a").rounds == []


def test_played_whole_it_begins_anew(path: Path) -> None:
    kept = Kept(path, "a")
    kept.add({"n": 1})
    kept.forget()
    assert Kept(path, "a").rounds == []
    kept.forget()
