"""Steps start when what they need is done, side by side, and a failure stops the rest."""

from __future__ import annotations

import io
import threading

import pytest
from rich.console import Console

from sluice_dev.cluster.progress import LiveDisplay, PlainDisplay
from sluice_dev.cluster.steps import Report, Step, run_steps


class Story:
    """A display that remembers what it was told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def started(self, step: Step) -> None:
        self.lines.append(f"{step.name} starts")

    def detail(self, step: Step, text: str) -> None:
        self.lines.append(f"{step.name}: {text}")

    def ended(self, step: Step, seconds: float, error: BaseException | None) -> None:
        self.lines.append(f"{step.name} {'fails' if error else 'ends'}")


def nothing(_: Report) -> None:
    pass


def test_a_step_starts_after_what_it_needs() -> None:
    story = Story()
    run_steps([Step("a", "", nothing), Step("b", "", nothing, frozenset({"a"}))], story)
    assert story.lines == ["a starts", "a ends", "b starts", "b ends"]


def test_independent_steps_overlap() -> None:
    both = threading.Barrier(2, timeout=10)  # each waits for the other: one after the other would never end
    done = run_steps([Step("a", "", lambda _: _meet(both)), Step("b", "", lambda _: _meet(both))], Story())
    assert done.keys() == {"a", "b"}


def _meet(barrier: threading.Barrier) -> None:
    barrier.wait()


def test_a_failure_is_raised_and_nothing_after_it_starts() -> None:
    def fail(_: Report) -> None:
        raise RuntimeError("etcd ended")

    story = Story()
    with pytest.raises(RuntimeError, match="etcd ended"):
        run_steps([Step("a", "", fail), Step("b", "", nothing, frozenset({"a"}))], story)
    assert story.lines == ["a starts", "a fails"]


def test_a_need_that_nobody_meets_is_named_before_anything_runs() -> None:
    story = Story()
    with pytest.raises(ValueError, match="step b needs c"):
        run_steps([Step("a", "", nothing), Step("b", "", nothing, frozenset({"c"}))], story)
    assert story.lines == []


def test_without_a_terminal_each_step_is_a_line() -> None:
    out = io.StringIO()
    run_steps([Step("a", "etcd runs", nothing)], PlainDisplay(Console(file=out)))
    assert "✓ etcd runs" in out.getvalue()


def test_on_a_terminal_the_table_shows_what_runs_and_what_failed() -> None:
    out = io.StringIO()

    def fail(report: Report) -> None:
        report("compiles k8s.io/api")
        raise RuntimeError

    with LiveDisplay(Console(file=out, force_terminal=True, width=100)) as display, pytest.raises(RuntimeError):
        run_steps([Step("a", "build kubelet", fail)], display)
    assert "✗" in out.getvalue()
    assert "build kubelet" in out.getvalue()
