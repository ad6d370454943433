"""Which cluster and namespace are meant: as kubectl finds them."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from sluice.cli import kubeconfig
from sluice.cli.errors import NoCluster
from sluice.cli.kubeconfig import choose
from unit.operator.cli.conftest import kubeconfig as document


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """lab (namespace shop), field (no namespace), `none` names no current context, `void` is empty."""
    documents: dict[str, Any] = {
        "lab": document("https://lab.example", "lab", namespace="shop"),
        "field": document("https://field.example", "field"),
        "none": {**document("https://none.example", "other"), "current-context": ""},
    }
    found = {}
    for name, content in documents.items():
        found[name] = tmp_path / name
        found[name].write_text(yaml.safe_dump(content))
    found["void"] = tmp_path / "void"
    found["void"].write_text("")
    found["missing"] = tmp_path / "missing"
    return found


def listed(files: dict[str, Path], *names: str) -> dict[str, str]:
    return {"KUBECONFIG": ":".join(str(files[name]) for name in names)}


def test_one_file_of_the_variable(files: dict[str, Path]) -> None:
    choice = choose(None, None, environment=listed(files, "lab"))
    assert (choice.context, choice.namespace, choice.files) == ("lab", "shop", (files["lab"],))


def test_the_first_of_several_files_decides(files: dict[str, Path]) -> None:
    """What is missing or empty counts for nothing, and neither does one that names no current context."""
    choice = choose(None, None, environment=listed(files, "missing", "void", "none", "field", "lab"))
    assert (choice.context, choice.namespace) == ("field", "default")
    assert choice.files == (files["none"], files["field"], files["lab"])


def test_a_context_of_any_of_the_files(files: dict[str, Path]) -> None:
    choice = choose(None, "lab", environment=listed(files, "field", "lab"))
    assert (choice.context, choice.namespace) == ("lab", "shop")


def test_the_file_that_is_named_is_the_only_one(files: dict[str, Path]) -> None:
    choice = choose(files["field"], None, environment=listed(files, "lab"))
    assert choice.files == (files["field"],)


@pytest.mark.parametrize("environment", [{}, {"KUBECONFIG": ""}])
def test_without_the_variable_it_is_the_file_at_home(files: dict[str, Path], environment: dict[str, str]) -> None:
    home = files["lab"].parent
    (home / ".kube").mkdir()
    files["lab"].rename(home / ".kube" / "config")
    assert choose(None, None, environment=environment, home=home).context == "lab"


def test_in_a_pod_it_is_the_service_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubeconfig, "SERVICE_ACCOUNT_NAMESPACE", tmp_path / "namespace")
    environment = {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}
    assert choose(None, None, environment=environment, home=tmp_path).namespace == "default"
    (tmp_path / "namespace").write_text("ci\n")
    choice = choose(None, None, environment=environment, home=tmp_path)
    assert (choice.files, choice.context, choice.namespace) == ((), "", "ci")


@pytest.mark.parametrize(
    ("names", "context", "words"),
    [
        (("missing", "void"), None, "is missing or empty; set KUBECONFIG or give --kubeconfig"),
        (("none",), None, "names no current context; give --context"),
        (("lab", "field"), "nowhere", "has no context nowhere; it has: lab, field"),
    ],
)
def test_what_is_missing_is_named(
    files: dict[str, Path], names: tuple[str, ...], context: str | None, words: str
) -> None:
    with pytest.raises(NoCluster) as refused:
        choose(None, context, environment=listed(files, *names))
    assert words in str(refused.value)


def test_a_named_file_must_be_there(files: dict[str, Path]) -> None:
    with pytest.raises(NoCluster, match="--kubeconfig: there is no file"):
        choose(files["missing"], None, environment={})


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"a: [", "cannot be read"), (b"- a", "it holds a list, not an object"), (b"\xff", "cannot be read")],
)
def test_what_is_no_kubeconfig_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "broken"
    path.write_bytes(content)
    with pytest.raises(NoCluster) as refused:
        choose(path, None, environment={})
    assert str(path) in str(refused.value)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
