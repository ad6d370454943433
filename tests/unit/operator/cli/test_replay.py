"""`kubectl sluice replay`, as a person calls it: an API server on loopback, and a metrics store behind its proxy."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from sluice.api.status import HistoryStatus
from sluice.cli.errors import ExitStatus
from unit.operator.analysis.conftest import START, Store, StoreClock
from unit.operator.cli import metrics
from unit.operator.cli.conftest import Run
from unit.operator.cli.fake_api import FakeApi
from unit.operator.cli.rollouts import CANDIDATE, FAILED, OTHER, STABLE, Object, mdep, rolled_back, spec_of, status_of

POD = f"flights-{CANDIDATE}-6d5f9c7b8d-abcde"
SPEC = spec_of(analysis={"checks": [{"name": "errors", "type": "Rate", "rate": {"max": "5%"}}]})


def entry(revision: str, outcome: Any, begin: float, end: float, message: str = "") -> HistoryStatus:
    """Times in seconds since START."""
    started, ended = (START + timedelta(seconds=seconds) for seconds in (begin, end))
    return HistoryStatus(revision=revision, outcome=outcome, message=message, started_at=started, ended_at=ended)


HISTORY = (
    entry(CANDIDATE, "RolledBack", 0, 40, FAILED),
    entry(STABLE, "Promoted", -400, -300),
    entry(OTHER, "Promoted", -4000, -3900),
)


def ended(history: tuple[HistoryStatus, ...] = HISTORY, spec: Object = SPEC) -> Object:
    found = rolled_back(history=history)
    return found | {"spec": spec}


@pytest.fixture
def store(lab: FakeApi) -> Store:
    """One answer in ten of the candidate failed, 20 requests/s, scraped each 2 s."""
    made, random, bad = Store(StoreClock(START + timedelta(seconds=100))), np.random.default_rng(1), 0
    for second in range(2, 90, 2):
        bad += int(random.binomial(40, 0.1))
        made.scrape(second, ok=20 * second - bad, failed=bad, pod=POD, namespace="shop")
    metrics.serve(lab, made)
    return made


def lenient(folder: Path, most: str = "50%") -> str:
    spec = SPEC | {"analysis": {"checks": [{"name": "errors", "type": "Rate", "rate": {"max": most}}]}}
    path = folder / "lenient.yaml"
    path.write_text(yaml.safe_dump(mdep(None, spec)))
    return str(path)


def test_what_happened_happens_again(lab: FakeApi, run: Run, store: Store) -> None:
    lab.put(ended())
    code, out, err = run("replay", "flights")
    assert code == ExitStatus.DONE, err
    assert f"revision {CANDIDATE} against stable {STABLE}, from 2026-01-05 12:00:00 UTC for 40.0 s" in out
    assert f"happened: RolledBack after 40.0 s: {FAILED}" in out
    assert "now: rolled back after " in out
    assert "changed:" not in out


def test_other_settings_beside_them(lab: FakeApi, run: Run, store: Store, tmp_path: Path) -> None:
    lab.put(ended())
    code, out, _ = run("replay", "flights", "-f", lenient(tmp_path))
    assert code == ExitStatus.DONE
    assert "now: rolled back after " in out
    assert "changed: not rolled back in these 40.0 s; all that is required was certified after" in out
    assert len(store.asked) == len(set(store.asked)), "nothing is asked twice"


def test_a_smaller_chance_of_a_false_rollback_takes_longer(lab: FakeApi, run: Run, store: Store) -> None:
    lab.put(ended())
    _, out, _ = run("replay", "flights", "--false-rollback", "0.01%")
    now, changed = (
        float(found) for found in re.findall(r"^(?:now|changed): rolled back after (.*) s: errors failed", out, re.M)
    )
    assert now < changed < 40


def test_a_rollout_under_way(lab: FakeApi, run: Run, store: Store) -> None:
    """Years ago, as the test's clock has it: all of its history is read."""
    status = status_of()
    assert status.candidate is not None
    candidate = status.candidate.model_copy(update={"started_at": START})
    lab.put(mdep(status_of(candidate=candidate), SPEC))
    code, out, _ = run("replay", "flights", "--until", "60s")
    assert code == ExitStatus.DONE
    assert "happened: under way, at 25%" in out


@pytest.mark.parametrize(
    ("arguments", "history", "status", "words"),
    [
        (("--revision", "0" * 8), HISTORY, 3, f"has no rollout of 00000000 in status.history; it has: {CANDIDATE}, "),
        ((), (), 3, "has no rollout of any revision in status.history; it has: none"),
        (("--revision", OTHER), HISTORY, 1, f"does not say what was stable before {OTHER}; give --stable"),
        (("--revision", STABLE), HISTORY, 3, f"no request of flights-{STABLE} between"),
        (("--prometheus", "prometheus"), HISTORY, 3, "is neither a URL nor NAMESPACE/SERVICE:PORT"),
        (("--prometheus", "monitoring/other:80"), HISTORY, 3, "is --prometheus right, and may you reach it?"),
        (("--prometheus", "http://127.0.0.1:9"), HISTORY, 3, "did not answer"),
        (("--prometheus", "http://127.0.0.1:9", "--prometheus-access", "nowhere"), HISTORY, 3, "there is no folder"),
        (("--runtimes", "nowhere.yaml"), HISTORY, 3, "--runtimes: nowhere.yaml cannot be read"),
        (("--false-rollback", "0%"), HISTORY, 64, "--false-rollback must be above 0%"),
        (("-f", "nowhere.yaml"), HISTORY, 3, "nowhere.yaml cannot be read"),
    ],
)
def test_what_cannot_be_replayed_is_one_sentence(
    lab: FakeApi,
    run: Run,
    store: Store,
    arguments: tuple[str, ...],
    history: tuple[HistoryStatus, ...],
    status: int,
    words: str,
) -> None:
    lab.put(ended(history))
    code, _, err = run("replay", "flights", *arguments)
    assert (code, "Traceback" in err) == (status, False)
    assert words in " ".join(err.split())


def test_the_runtime_table_may_be_out_of_reach(lab: FakeApi, run: Run, store: Store) -> None:
    lab.put(ended())
    del lab.pages[metrics.TABLE]
    code, _, err = run("replay", "flights")
    assert code == ExitStatus.UNANSWERED
    assert "there is no ConfigMap sluice-system/sluice-runtimes; give the runtime table as a file, --runtimes" in err


@pytest.mark.parametrize(
    ("name", "words"),
    [("other", "has no runtime other; it has: broken, sluice-sklearn"), ("broken", "the row broken cannot be read")],
)
def test_the_runtime_must_have_a_row(lab: FakeApi, run: Run, store: Store, name: str, words: str) -> None:
    lab.put(ended(spec=SPEC | {"runtime": {"name": name, "version": "1"}}))
    code, _, err = run("replay", "flights")
    assert code == ExitStatus.UNANSWERED
    assert words in err
