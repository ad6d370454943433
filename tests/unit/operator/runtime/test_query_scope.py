"""Whether plain queries are confined is the administrator's word, from the environment to whoever asks."""

from typing import Any

import pytest

from sluice import __main__ as root
from sluice.adapters.kube.client import KubeCluster
from sluice.core.analysis.questions import Subject
from sluice.core.analysis.verdicts import NOTHING_KNOWN
from sluice.runtime.reconcile import Reconciler
from sluice.runtime.telemetry import Telemetry
from sluice.settings import Settings
from unit.operator.core.scenes import scene


class Watching:
    """Evidence that only notes what it is to watch."""

    def __init__(self) -> None:
        self.subjects: list[Subject] = []

    def track(self, key: Any, subject: Subject, *_: Any) -> None:
        self.subjects.append(subject)

    def checkpoint(self, *_: Any) -> None:
        pass

    def untrack(self, key: Any) -> None:
        pass

    def observation(self, *_: Any) -> Any:
        return NOTHING_KNOWN


class Idle:
    """Neither the API server nor a reader of metrics is there."""

    async def run(self, *_: Any) -> None:
        pass

    async def write_status(self, *_: Any) -> None:
        pass

    def rollout(self, *_: Any) -> None:
        pass

    def get(self, *_: Any) -> dict[str, Any]:
        return {}


@pytest.mark.parametrize(("value", "confined"), [("Namespace", True), ("Any", False), ("", True)])
async def test_from_the_environment_to_the_judge(monkeypatch: pytest.MonkeyPatch, value: str, confined: bool) -> None:
    monkeypatch.setenv("SLUICE_QUERY_SCOPE", value)
    watching, made = Watching(), []

    def built(**given: Any) -> Reconciler:
        idle: Any = Idle()
        changed = {"store": idle, "execute": idle, "reporter": idle, "evidence": watching, "ready": lambda: True}
        one = Reconciler(**(given | changed | {"gather": lambda *_, **__: scene()}))
        made.append(one)
        return one

    monkeypatch.setattr(root, "Reconciler", built)
    unused: Any = None
    root.reconciler(root.Operator(Settings(), KubeCluster(unused, lambda *_: None), Telemetry("test")))
    await made[0](("shop", "flights"))
    assert {subject.confined for subject in watching.subjects} == {confined}
