"""`kubectl sluice plan`, as a person calls it."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from sluice.cli.app import app
from sluice.cli.errors import PluginError
from sluice.cli.options import percentage
from sluice.cli.spans import rough

EXAMPLE = Path(__file__).parents[4] / "manifests" / "examples" / "canary.yaml"


def run(*arguments: str, text: str | None = None) -> tuple[int, str]:
    """(exit status, all that was said)."""
    command = ["plan", *arguments, "--rollouts", "50"]
    result = CliRunner(env={"COLUMNS": "100"}).invoke(app, command, input=text)
    status = result.exception.status if isinstance(result.exception, PluginError) else result.exit_code
    return int(status), result.output


def test_the_example_is_planned_with() -> None:
    status, said = run("-f", str(EXAMPLE), "--rps", "200", "--error-rate", "0.5%", "--scrape-interval", "2s")
    assert status == 0
    assert "Stages: at least 16 min to promotion" in said
    assert "half failing" in said
    assert "100%" in said


def test_a_manifest_from_standard_input() -> None:
    status, said = run("-f", "-", "--rps", "200", text=f"kind: Service\n---\n{EXAMPLE.read_text()}")
    assert (status, "What is caught" in said) == (0, True)


def test_a_picture(tmp_path: Path) -> None:
    picture = tmp_path / "plan.png"
    status, said = run("-f", str(EXAMPLE), "--rps", "50", "--png", str(picture))
    assert (status, picture.read_bytes()[:4]) == (0, b"\x89PNG")
    assert f"drawn into {picture}" in said.replace("\n", "")


@pytest.mark.parametrize(
    ("text", "status", "words"),
    [
        ("kind: Service\n", 3, "there is no ModelDeployment in -"),
        ("kind: [\n", 3, "YAML"),
        (EXAMPLE.read_text().replace("replicas: 4", "replicas: many"), 1, "spec.replicas"),
        (EXAMPLE.read_text().replace("weight: 50", "weight: 5"), 1, "weights must not fall"),
        (EXAMPLE.read_text().replace('max: "5%"', 'maximum: "5%"'), 1, "maximum"),
        (
            EXAMPLE.read_text().replace("onFail: Rollback", "onFail: Report"),
            1,
            "no check of type Rate with onFail: Rollback",
        ),
    ],
    ids=["another kind", "no YAML", "a wrong value", "falling weights", "an unknown field", "nothing to forecast"],
)
def test_what_cannot_be_planned_with_is_one_sentence(text: str, status: int, words: str) -> None:
    ended, said = run("-f", "-", "--rps", "200", text=text)
    assert ended == status
    assert words in " ".join(said.split())
    assert "Traceback" not in said


@pytest.mark.parametrize("wrong", [("--error-rate", "half"), ("--error-rate", "100%"), ("--scrape-interval", "often")])
def test_a_wrong_option_is_named(wrong: tuple[str, str]) -> None:
    status, said = run("-f", str(EXAMPLE), "--rps", "200", *wrong)
    assert status == 2
    assert repr(wrong[1]) in said


def test_words_for_numbers() -> None:
    assert [rough(s) for s in (45, 600, 9000, float("inf"))] == ["45 s", "10 min", "2.5 h", "never"]
    assert float(percentage("0.5%")) == 0.005
