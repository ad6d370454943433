"""Settings come from the environment, and a wrong one is named."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from sluice.__main__ import main
from sluice.settings import Settings


def test_lists_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_NAMESPACES", "shop, search,")
    monkeypatch.setenv("SLUICE_ALLOWED_MODEL_HOSTS", "models.example:8080")
    monkeypatch.setenv("SLUICE_PROMETHEUS_URL", "http://prometheus:9090/")
    settings = Settings()
    assert settings.namespaces == ("shop", "search")
    assert settings.allowed_model_hosts == ("models.example:8080",)
    assert settings.prometheus_url == "http://prometheus:9090"


def test_an_empty_variable_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_WORKERS", "")
    monkeypatch.setenv("SLUICE_NAMESPACES", "")
    assert (Settings().workers, Settings().namespaces) == (4, ())


def test_no_two_processes_have_the_same_name_in_the_lease() -> None:
    one, other = Settings(pod_name="p"), Settings(pod_name="p")
    assert one.identity == one.identity
    assert one.identity != other.identity
    assert one.identity.startswith("p_")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SLUICE_QUERY_SCOPE", "All"),
        ("SLUICE_WORKERS", "0"),
        ("SLUICE_PROMETHEUS_URL", "prometheus:9090/x y"),
        ("SLUICE_NAMESPACES", "Shop"),
        ("SLUICE_LOG_LEVEL", "loud"),
        ("SLUICE_PORT", "eighty"),
    ],
)
def test_the_operator_does_not_start_with_a_wrong_setting_and_names_it(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, value)
    assert main() == 2
    told = capsys.readouterr().err
    assert told.startswith(f"{name}: ")
    assert len(told.splitlines()) == 1


def test_a_process_with_a_wrong_setting_ends_with_that_status() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "sluice"], env={"SLUICE_PORT": "eighty"}, capture_output=True, check=False, timeout=60
    )
    assert ended.returncode == 2


def test_the_reference_page_lists_every_setting() -> None:
    page = (Path(__file__).parents[4] / "docs/reference/settings.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `(SLUICE_[A-Z_]+)`", page, re.MULTILINE))
    assert documented == {f"SLUICE_{name.upper()}" for name in Settings.model_fields}
