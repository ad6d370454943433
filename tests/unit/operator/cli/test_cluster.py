"""What the API server's answers mean to a person: one sentence each, with the object and the remedy."""

from pathlib import Path

import pytest
import yaml

from sluice.cli.errors import ExitStatus
from unit.operator.cli.conftest import Run, kubeconfig
from unit.operator.cli.fake_api import FakeApi, status
from unit.operator.cli.rollouts import mdep, rolling, status_of

FORBIDDEN = 'modeldeployments.sluice.dev "flights" is forbidden: User "jo" cannot get resource'
NO_SUCH_PATH = (404, "404 page not found\n")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((401, status(401, "Unauthorized")), "does not know you (Unauthorized); log in again"),
        (
            (403, status(403, FORBIDDEN)),
            f"you may not get ModelDeployment shop/flights: {FORBIDDEN}; ask for the role view",
        ),
        ((404, status(404, "not found")), "there is no ModelDeployment shop/flights; `kubectl sluice list -A` shows"),
        (NO_SUCH_PATH, "has no ModelDeployments: Sluice is not installed there"),
        ((503, "upstream connect error"), "cannot answer now (503: Service Unavailable); try again"),
        ((500, status(500, "etcdserver: request timed out")), "cannot answer now (500: etcdserver: request timed out)"),
        ((422, status(422, "no")), "refuses to get ModelDeployment shop/flights: no (422)"),
    ],
)
def test_an_answer_that_is_none(lab: FakeApi, run: Run, answer: tuple[int, str], words: str) -> None:
    lab.answer = answer
    code, out, err = run("status", "flights")
    assert words in err
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert out == ""
    assert code == (ExitStatus.NO if answer[0] == 422 else ExitStatus.UNANSWERED)


def test_a_list_without_the_kind(lab: FakeApi, run: Run) -> None:
    lab.answer = NO_SUCH_PATH
    code, _, err = run("list", "-A")
    assert code == ExitStatus.UNANSWERED
    assert f"{lab.url} (context lab) has no ModelDeployments: Sluice is not installed there" in err


def test_a_list_that_is_not_allowed(lab: FakeApi, run: Run) -> None:
    lab.answer = (403, status(403, "no"))
    assert "you may not list ModelDeployments in namespace shop: no; ask for the role view" in run("list")[2]
    assert "you may not list ModelDeployments in all namespaces" in run("list", "-A")[2]


def test_annotating_needs_another_role(lab: FakeApi, run: Run) -> None:
    lab.put(rolling())
    lab.answer_to_patch = (403, status(403, "no"))
    code, _, err = run("abort", "flights", "--yes")
    assert code == ExitStatus.UNANSWERED
    assert err == "error: you may not patch ModelDeployment shop/flights: no; ask for the role edit in that namespace\n"


def test_a_server_that_is_away(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "away"
    path.write_text(yaml.safe_dump(kubeconfig("http://127.0.0.1:1", "away")))
    code, _, err = run("list", "--kubeconfig", str(path))
    assert code == ExitStatus.UNANSWERED
    assert err == (
        "error: http://127.0.0.1:1 (context away) does not answer: Connection refused; is it up, and is it the right "
        "context?\n"
    )


def test_a_server_that_hangs_up(lab: FakeApi, run: Run) -> None:
    lab.down = True
    code, _, err = run("status", "flights")
    assert code == ExitStatus.UNANSWERED
    assert "does not answer: " in err
    assert err.count("\n") == 1


def test_a_server_without_tls_where_tls_is_expected(lab: FakeApi, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "tls"
    path.write_text(yaml.safe_dump(kubeconfig(lab.url.replace("http:", "https:"), "tls")))
    code, _, err = run("list", "--kubeconfig", str(path))
    assert code == ExitStatus.UNANSWERED
    assert "does not answer: " in err
    assert err.count("\n") == 1


def test_a_kubeconfig_with_holes(run: Run, tmp_path: Path) -> None:
    holes = kubeconfig("https://lab.example", "lab")
    holes["clusters"] = []
    path = tmp_path / "holes"
    path.write_text(yaml.safe_dump(holes))
    code, _, err = run("list", "--kubeconfig", str(path))
    assert code == ExitStatus.UNANSWERED
    assert f"{path}: context lab is incomplete: " in err
    assert err.count("\n") == 1


def test_the_server_and_the_namespace_are_the_contexts(lab: FakeApi, run: Run) -> None:
    lab.put(rolling())
    lab.put(mdep(status_of(), name="bikes", namespace="yard"))
    assert [line.split()[0] for line in run("list")[1].splitlines()] == ["NAME", "flights"]
    assert [line.split()[0] for line in run("list", "-n", "yard")[1].splitlines()] == ["NAME", "bikes"]
    assert [line.split()[:2] for line in run("list", "-A")[1].splitlines()[1:]] == [
        ["shop", "flights"],
        ["yard", "bikes"],
    ]
    assert run("list", "-n", "empty")[2] == "No ModelDeployments in namespace empty.\n"
