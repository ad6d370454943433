"""Log lines: JSON for machines, kopf's among them, never the local variables of a stack."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from sluice.runtime import logs


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def test_a_line_of_ours_and_one_of_a_library_look_alike(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("INFO", "json")
    structlog.get_logger("sluice.test").info("leading", lease="sluice-operator")
    logging.getLogger("kopf").warning("no %s", "watch")
    logging.getLogger("kopf").debug("unseen")
    ours, theirs = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (ours["event"], ours["level"], ours["lease"]) == ("leading", "info", "sluice-operator")
    assert (theirs["event"], theirs["level"], theirs["logger"]) == ("no watch", "warning", "kopf")


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_stack_shows_no_local_variables(capsys: pytest.CaptureFixture[str], form: str) -> None:
    logs.configure("INFO", form)  # type: ignore[arg-type]

    def fail() -> None:
        token = "".join(["very", "-", "secret"])
        raise RuntimeError(f"it went wrong after {len(token)}")

    try:
        fail()
    except RuntimeError:
        structlog.get_logger("sluice.test").exception("ended by an error")
    written = capsys.readouterr().err
    assert "it went wrong after 11" in written
    assert "very-secret" not in written
