"""`kubectl sluice lint`, as a person calls it."""

import io
from pathlib import Path

import pytest

from sluice_dev.generate import ROOT
from unit.operator.cli.conftest import Run

EXAMPLE = ROOT / "manifests/examples/canary.yaml"
WRONG = EXAMPLE.read_text().replace("weight: 10", "weight: 60")


def line(text: str, words: str) -> int:
    """Number of the first line with these words, from 1."""
    return next(number for number, found in enumerate(text.splitlines(), start=1) if words in found)


def test_good_manifests(run: Run) -> None:
    """Several after one -f, as a shell writes out a pattern."""
    status, out, err = run("lint", "-f", str(EXAMPLE), str(EXAMPLE.with_name("minimal.yaml")))
    assert (status, out, err) == (0, "2 ModelDeployments: 0 errors, 0 advice\n", "")


def test_an_error_is_told_with_its_line(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(WRONG)
    status, out, err = run("lint", "--filename", str(path))
    assert status == 1
    number = line(WRONG, "weight: 50")
    assert out == (
        f"{path}:{number}: error: spec.strategy.canary.steps[2].weight: 50 is below the step before it (60); weights "
        "must not fall\n"
    )
    assert err == "error: 1 ModelDeployment: 1 error, 0 advice\n"


def test_advice_is_no_error(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(EXAMPLE.read_bytes())))
    status, out, _ = run("lint", "-f", "-", "--rps", "0.05")
    assert status == 0
    assert (
        f"standard input:{line(EXAMPLE.read_text(), 'minSamples: 1000')}: advice: "
        "spec.strategy.canary.steps[1].minSamples: 1000 requests take 2.3 days at 10% of 0.05 requests/s; lower "
        "minSamples or raise the weight"
    ) in out.splitlines()
    assert out.endswith("1 ModelDeployment: 0 errors, 3 advice\n")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("kind: Service\n", "there is no ModelDeployment in"),
        ("a: [\n", "is no YAML"),
        (None, "cannot be read: No such"),
    ],
)
def test_what_cannot_be_judged_is_no_success(run: Run, tmp_path: Path, text: str | None, words: str) -> None:
    path = tmp_path / "m.yaml"
    if text is not None:
        path.write_text(text)
    status, out, err = run("lint", "-f", str(path))
    assert (status, out) == (3, "")
    assert words in err
    assert err.count("\n") == 1


def test_a_wrong_command_line_is_none_of_the_other_ends(run: Run) -> None:
    assert run("lint", "--nonsense")[0] == 64
    assert run("lint", "-f", str(EXAMPLE), "--scrape-interval", "often")[0] == 64
    assert run("nonsense")[0] == 64


def test_a_folder_stands_for_its_manifests(run: Run, tmp_path: Path) -> None:
    below = tmp_path / "below.yaml"  # a folder, whatever its name
    below.mkdir()
    (tmp_path / "one.yaml").write_text(EXAMPLE.read_text())
    (tmp_path / "notes.txt").write_text("a: [\n")
    (below / "two.yml").write_text(WRONG)
    assert run("lint", "-f", str(tmp_path)) == (0, "1 ModelDeployment: 0 errors, 0 advice\n", "")
    status, out, err = run("lint", "-R", "-f", str(tmp_path))
    assert (status, err) == (1, "error: 2 ModelDeployments: 1 error, 0 advice\n")
    assert out.startswith(f"{below / 'two.yml'}:")


def test_a_folder_without_manifests_is_no_success(run: Run, tmp_path: Path) -> None:
    status, out, err = run("lint", "-f", str(tmp_path))
    assert (status, out) == (3, "")
    assert f"{tmp_path} has no .yaml, .yml, .json; -R looks into folders below" in err
