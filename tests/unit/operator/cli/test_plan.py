"""`kubectl sluice plan`, as a person calls it."""

from collections.abc import Callable
from math import inf
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from sluice.cli.app import app
from sluice.cli.errors import PluginError
from sluice.cli.options import percentage
from sluice.cli.spans import rough
from sluice.core.metrics import Series
from unit.operator.analysis.conftest import START, Store, StoreClock
from unit.operator.cli import metrics
from unit.operator.cli.conftest import Run
from unit.operator.cli.fake_api import FakeApi
from unit.operator.cli.rollouts import STABLE, Object, serving, unanswered

EXAMPLE = Path(__file__).parents[4] / "manifests" / "examples" / "canary.yaml"


def run(*arguments: str, text: str | None = None) -> tuple[int, str]:
    """(exit status, all that was said)."""
    command = ["plan", *arguments, "--rollouts", "50"]
    result = CliRunner(env={"COLUMNS": "100"}).invoke(app, command, input=text)
    status = result.exception.status if isinstance(result.exception, PluginError) else result.exit_code
    return int(status), result.output


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, str, Path]:
    """The example, planned with once: exit status, what was said, and the picture."""
    picture = tmp_path_factory.mktemp("plan") / "plan.png"
    return (*run("-f", str(EXAMPLE), "--rps", "200", "--error-rate", "0.5%", "--png", str(picture)), picture)


def test_the_example_is_planned_with(planned: tuple[int, str, Path]) -> None:
    status, said, _ = planned
    assert status == 0
    assert "Stages: at least 16 min to promotion" in said
    assert "half failing" in said
    assert "2% ten times slower" in said
    assert "100%" in said
    assert "An equal candidate is rolled back in" in said


def test_a_picture(planned: tuple[int, str, Path]) -> None:
    _, said, picture = planned
    assert picture.read_bytes()[:4] == b"\x89PNG"
    assert f"drawn into {picture}" in said.replace("\n", "")


def short() -> str:
    """The example with one step of a minute and one check: quickly planned with."""
    found = yaml.safe_load(EXAMPLE.read_text())
    found["spec"]["strategy"]["canary"]["steps"] = [{"name": "half", "weight": 50}]
    found["spec"]["analysis"]["checks"] = [{"name": "errors", "type": "Rate", "rate": {"max": "5%"}}]
    return yaml.safe_dump(found)


def test_a_manifest_from_standard_input() -> None:
    status, said = run("-f", "-", "--rps", "200", text=f"kind: Service\n---\n{short()}")
    assert (status, "What is caught" in said) == (0, True)


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


@pytest.mark.parametrize(
    "wrong",
    [
        ("--error-rate", "half"),
        ("--error-rate", "100%"),
        ("--scrape-interval", "often"),
        ("--latency-median", "slow"),
        ("--latency-p95", "60ms"),
    ],
)
def test_a_wrong_option_is_named(wrong: tuple[str, str]) -> None:
    status, said = run("-f", str(EXAMPLE), "--rps", "200", *wrong)
    assert status == 2
    assert wrong[1] in said


def test_the_traffic_must_be_known() -> None:
    status, said = run("-f", str(EXAMPLE))
    assert status == 2
    assert "give --rps, or --from-prometheus" in " ".join(said.split())


def stable_of(lab: FakeApi, rate: float = 100.0) -> None:
    """An hour of two pods of stable, 1% of whose requests fail, behind the API server's proxy."""
    store = Store(StoreClock(START))
    pods = [f"flight-delay-{STABLE}-6d5f9c7b8d-{name}" for name in ("aaaaa", "bbbbb")]

    def value(promql: str, at: float) -> tuple[Series, ...]:
        metric, times = promql.partition("{")[0], [at - 3600 + 120 * k for k in range(31)]
        labels = [{"pod": pod, "namespace": "shop", "job": "pods", "instance": pod} for pod in pods]
        if metric == "http_requests_total":
            parts = [{"code": "200", "part": 0.99}, {"code": "500", "part": 0.01}]
        else:
            parts = [{"le": f"{b:g}", "part": p} for b, p in ((0.05, 0.4), (0.1, 0.8), (0.25, 0.97), (inf, 1.0))]
        return tuple(
            Series(
                one | {key: str(v) for key, v in part.items() if key != "part"},
                tuple((t, 60 * rate * float(part["part"]) * k) for k, t in enumerate(times)),
            )
            for one in labels
            for part in parts
        )

    store.value = value
    metrics.serve(lab, store)


def test_the_traffic_of_the_running_stable_is_measured(lab: FakeApi, run: Run, tmp_path: Path) -> None:
    stable_of(lab)
    (manifest := tmp_path / "short.yaml").write_text(short())
    lab.put(serving() | {"metadata": serving()["metadata"] | {"name": "flight-delay"}})
    code, said, err = run("plan", "-f", str(manifest), "-n", "shop", "--from-prometheus", "--rollouts", "50")
    assert code == 0, err
    assert "Measured over 60 min, 2 pods: 100 requests/s, 1.00% fail" in said
    assert "│ half  │    50% │    2 │         50 │  60 s │" in said


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (unanswered, "has no stable revision yet, so nothing can be measured; give --rps and --error-rate"),
        (serving, f"the metrics store has no request of flight-delay-{STABLE} in the last hour"),
    ],
    ids=["no stable", "no traffic"],
)
def test_what_cannot_be_measured_is_one_sentence(
    lab: FakeApi, run: Run, made: Callable[[], Object], words: str
) -> None:
    stable_of(lab, rate=0.0)
    lab.put(made() | {"metadata": made()["metadata"] | {"name": "flight-delay"}})
    code, _, err = run("plan", "-f", str(EXAMPLE), "-n", "shop", "--from-prometheus")
    assert code == 1
    assert words in " ".join(err.split())


def test_words_for_numbers() -> None:
    assert [rough(s) for s in (45, 600, 9000, float("inf"))] == ["45 s", "10 min", "2.5 h", "never"]
    assert float(percentage("0.5%")) == 0.005
