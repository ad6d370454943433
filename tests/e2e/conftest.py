"""What the end-to-end tests share: a cluster that runs Sluice, and scenes that tell their story when a test fails."""

import fcntl
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from rich.console import Console

from sluice_dev.cluster import Cluster, ClusterError, Missing, current_cluster, doctor, lifecycle, uses_existing
from sluice_dev.cluster.layout import Layout
from sluice_dev.cluster.own import OwnSettings
from sluice_dev.demo.prepare import models_folder, prepare, read_index
from sluice_dev.scene.api import Api
from sluice_dev.scene.deployments import Flight, Step
from sluice_dev.scene.scene import Scene
from sluice_dev.scene.story import story

_SCENES = pytest.StashKey[list[Scene]]()


class Installed(NamedTuple):
    """A cluster that runs the operator of this checkout and serves the demo's models."""

    cluster: Cluster
    models: Path
    index: dict[str, Any]


def pytest_sessionstart(session: pytest.Session) -> None:
    """What is missing ends the session with the doctor's table or a sentence, at once. Nothing is skipped."""
    asked_before = hasattr(session.config, "workerinput")  # by the process that started this worker
    if not asked_before and not session.config.option.collectonly:
        console = Console(file=sys.stderr)
        try:
            lifecycle.set_up(Layout.here(), console)
            if uses_existing():
                OwnSettings.read()
        except Missing as missing:
            console.print(doctor.table(missing.findings))
            pytest.exit("without the above there is no cluster to test on", returncode=1)
        except ClusterError as error:
            pytest.exit(str(error), returncode=1)


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Installed:
    """Sets all of it up, once for all workers. Without what a cluster needs the tests fail: they are never skipped."""
    layout = Layout.here()
    root = tmp_path_factory.getbasetemp()
    shared = root if worker_id == "master" else root.parent
    with (shared / "installed.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = shared / "installed"
        if not done.exists():
            prepare(layout, Console())
            done.touch()
    models = models_folder(layout)
    return Installed(current_cluster(), models, read_index(models))


@pytest.fixture(scope="session")
def cluster(installed: Installed) -> Cluster:
    """The cluster."""
    return installed.cluster


@pytest.fixture
def api(cluster: Cluster) -> Api:
    """Its API."""
    return Api(cluster.kubeconfig)


@pytest.fixture
def play(installed: Installed, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., Scene]]:
    """`play(steps=..., replicas=..., more=...)`: a scene in a namespace of its own, taken away after the test."""
    scenes = request.node.stash.setdefault(_SCENES, [])
    with ExitStack() as stack:

        def begin(**flight: Any) -> Scene:
            word = request.node.originalname.removeprefix("test_").split("_")[0]
            namespace = f"e2e-{word}-{secrets.token_hex(2)}"
            flight.setdefault("steps", (Step(20, seconds=4, samples=20), Step(60, seconds=4, samples=20)))
            flight["more"] = {"scaleDownDelay": "5s", **flight.get("more", {})}
            scene = Scene(
                installed.cluster,
                Flight(namespace, installed.index, **flight),
                installed.models,
                tmp_path / f"{namespace}.jsonl",
            )
            stack.callback(scene.remove_namespace)
            scenes.append(stack.enter_context(scene))
            return scene

        yield begin


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Adds the cluster's story to the report of a test that failed, while its namespaces are still there."""
    report = yield
    if call.when == "call" and report.failed:
        for scene in item.stash.get(_SCENES, []):
            namespace = scene.flight.namespace
            report.sections.append((f"what happened in {namespace}", _happened(scene)))
            report.sections.append((f"the cluster about {namespace}", story(scene.cluster, namespace)))
    return report


def _happened(scene: Scene) -> str:
    timeline = scene.recorder.timeline
    lines = [(w.at, f"weights {w.percent}") for w in timeline.weights]
    lines += [(t.at, f"{t.type} {t.reason}: {t.message}") for t in timeline.told]
    lines += [(p.at, f"pod {p.pod} {p.what}") for p in timeline.pods]
    zero = min((at for at, _ in lines), default=0.0)
    return "\n".join(f"{at - zero:7.2f} s  {text}" for at, text in sorted(lines))
