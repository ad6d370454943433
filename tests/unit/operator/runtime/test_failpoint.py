"""The failpoint really kills, once, and only where it is told to."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import sys
from pathlib import Path
from sluice.runtime.failpoint import Failpoint
failpoint = Failpoint(sys.argv[1] or None, Path(sys.argv[2]))
for number, label in enumerate(["apply-HTTPRoute", "mark"]):
    failpoint(f"before-{number}-{label}")
    failpoint(f"after-{number}-{label}")
print("survived")
"""


def run(point: str, marker: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, point, str(marker)], capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize(
    ("point", "reached"),
    [("after-0-apply-HTTPRoute", "after-0-apply-HTTPRoute"), ("before-1-*", "before-1-mark")],
)
def test_it_kills_at_the_point_and_not_again_after_a_restart(tmp_path: Path, point: str, reached: str) -> None:
    marker = tmp_path / "killed"
    killed = run(point, marker)
    assert killed.returncode == -signal.SIGKILL
    assert marker.read_text() == f"{reached}\n"
    assert run(point, marker).stdout.endswith("survived\n")


def test_each_of_several_points_kills_once_at_its_turn(tmp_path: Path) -> None:
    marker, points = tmp_path / "killed", "after-*-apply-HTTPRoute#2, before-*-mark"
    lives = [run(points, marker).returncode for _ in range(3)]
    # the first life reaches the mark; the second the route for the second time; the third has nothing left to die of
    assert lives == [-signal.SIGKILL, -signal.SIGKILL, 0]
    assert marker.read_text().splitlines() == [
        "after-0-apply-HTTPRoute",
        "before-1-mark",
        "after-0-apply-HTTPRoute",
        "after-0-apply-HTTPRoute",
        "before-1-mark",
    ]


@pytest.mark.parametrize("point", ["", "after-7-apply-HTTPRoute"])
def test_it_does_nothing_anywhere_else(tmp_path: Path, point: str) -> None:
    survived = run(point, tmp_path / "killed")
    assert survived.stdout.endswith("survived\n")
    assert not (tmp_path / "killed").exists()
