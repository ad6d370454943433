"""`kubectl sluice` on rollouts that happen: what it shows, what it does, and with what status it ends."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from sluice_dev.cluster import Cluster
from sluice_dev.cluster.access import kubectl_program
from sluice_dev.scene.deployments import Step
from sluice_dev.scene.scene import Scene

pytestmark = pytest.mark.e2e
Play = Callable[..., Scene]
RATE = 30.0
BOUND = 400.0
LONG = (Step(20, seconds=120, samples=1000), Step(60))
SHORT = {"type": "Canary", "canary": {"steps": [Step(20, seconds=2, samples=10).manifest()]}}
SCRIPTS = kubectl_program().parent
"""Where the environment has its programs: kubectl, and the plugin beside it."""


class Ended(NamedTuple):
    """A program that has ended."""

    status: int
    out: str
    err: str


def run(argv: list[str], kubeconfig: Path, seconds: float) -> Ended:
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig), "PATH": f"{SCRIPTS}:{os.environ['PATH']}"}
    ended = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=seconds, env=environment)
    return Ended(ended.returncode, ended.stdout, ended.stderr)


def sluice(scene: Scene, verb: str, *arguments: str, seconds: float = 60, kubeconfig: Path | None = None) -> Ended:
    """`kubectl-sluice VERB ARGUMENTS -n NAMESPACE`, as a process of its own. seconds: after which it counts as hung."""
    argv = [str(SCRIPTS / "kubectl-sluice"), verb, *arguments, "-n", scene.flight.namespace]
    return run(argv, kubeconfig or scene.cluster.kubeconfig, seconds)


def document(scene: Scene) -> dict[str, Any]:
    """`status -o json`, parsed."""
    ended = sluice(scene, "status", scene.flight.name, "-o", "json")
    assert ended.status == 0, ended.err
    parsed: dict[str, Any] = json.loads(ended.out)
    return parsed


def trying_v2(play: Play) -> tuple[Scene, str, str]:
    """Given: v1 is stable, v2 has its first share of the traffic and would keep it for long. (scene, v1, v2)"""
    scene = play(steps=LONG)
    stable = scene.apply("v1")
    scene.serving(stable)
    scene.start_load(RATE, BOUND)
    candidate = scene.apply("v2")
    scene.recorder.wait(
        "the gateway has confirmed the share of v2",
        lambda: scene.recorder.status.get("candidate", {}).get("stage", {}).get("liveSince"),
        90,
    )
    return scene, stable, candidate


def viewer(cluster: Cluster, namespace: str, path: Path) -> Path:
    """Writes the kubeconfig of somebody with the role `view` in a namespace, which is that of its context."""
    cluster.kubectl("create", "serviceaccount", "viewer", "-n", namespace)
    cluster.kubectl(
        *("create", "rolebinding", "viewer", "-n", namespace),
        *("--clusterrole=view", f"--serviceaccount={namespace}:viewer"),
    )
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    for user in config["users"]:
        user["user"] = {"token": cluster.kubectl("create", "token", "viewer", "-n", namespace).strip()}
    for context in config["contexts"]:
        context["context"]["namespace"] = namespace
    path.write_text(yaml.safe_dump(config))
    return path


def test_looking_on(play: Play, cluster: Cluster, tmp_path: Path) -> None:
    """Table, page and document tell of the rollout; as a plugin of kubectl, too, and to somebody who may only view."""
    scene, stable, candidate = trying_v2(play)
    name = scene.flight.name

    listed = sluice(scene, "list")
    assert listed.status == 0, listed.err
    head, row = (line.split() for line in listed.out.splitlines())
    assert head[:6] == ["NAME", "STABLE", "CANDIDATE", "WEIGHT", "STAGE", "WAITS"]
    assert row[:6] == [name, stable, candidate, "20%", "1/3", "weight-20"]
    everywhere = run([str(SCRIPTS / "kubectl-sluice"), "list", "-A"], cluster.kubeconfig, 60)
    assert [scene.flight.namespace, name, stable] in [line.split()[:3] for line in everywhere.out.splitlines()]

    page = sluice(scene, "status", name)
    assert page.status == 0, page.err
    for words in (
        "rolling out",
        "Stage 1 of 3: weight-20, 20%",
        "errors",
        "latency",
        " of 2m",
        " of 1000",
        f"abort {name}",
    ):
        assert words in page.out

    told = document(scene)
    assert (told["outcome"], told["desired"], told["stage"]["number"]) == ("Rolling", candidate, 1)
    assert told["stage"]["liveSeconds"] > 0
    assert told["stage"]["requests"] is not None
    assert {check["verdict"] for check in told["status"]["checks"]} <= {"Undecided", "Certified"}

    plugin = run([str(kubectl_program()), "sluice", "list", "-n", scene.flight.namespace], cluster.kubeconfig, 60)
    assert (plugin.status, plugin.out.split()[:3]) == (0, ["NAME", "STABLE", "CANDIDATE"])

    may_view = viewer(cluster, scene.flight.namespace, tmp_path / "viewer")
    followed = run(
        [str(SCRIPTS / "kubectl-sluice"), "status", name, "--watch", "--timeout", "3s"],
        may_view,
        60,
    )
    assert (followed.status, followed.err) == (0, "")
    assert f"candidate {candidate} 20%" in followed.out
    refused = sluice(scene, "abort", name, "--yes", kubeconfig=may_view)
    assert refused.status == 3
    assert "ask for the role edit in that namespace" in refused.err
    assert scene.recorder.weights == {stable: 80, candidate: 20}


def test_abort_and_retry(play: Play) -> None:
    """`abort` ends with the candidate rejected and out, `retry` with it on its way again, up to its promotion."""
    scene, stable, candidate = trying_v2(play)
    name = scene.flight.name

    aborted = sluice(scene, "abort", name, "--yes")
    assert aborted.status == 0, aborted.err
    assert f"revision {candidate} is rejected and has no traffic; stable {stable} serves" in aborted.out
    assert scene.rejected(candidate, 10)["reason"] == "Aborted"
    assert scene.recorder.weights == {stable: 100}

    again = sluice(scene, "abort", name, "--yes")
    assert again.status == 1
    assert "has no candidate, so there is nothing to abort" in again.err
    ended = sluice(scene, "status", name, "--wait", "--timeout", "20s")
    assert ended.status == 1
    assert "is stalled: RolledBack" in ended.err
    page = sluice(scene, "status", name).out
    assert f"kubectl sluice retry {name} -n {scene.flight.namespace}" in page
    assert "Aborted" in page

    scene.apply("v2", strategy=SHORT)
    retried = sluice(scene, "retry", name)
    assert retried.status == 0, retried.err
    assert f"revision {candidate}" in retried.out.splitlines()[-1]
    promoted = sluice(scene, "status", name, "--wait", "--timeout", "3m", seconds=240)
    assert promoted.status == 0, promoted.err
    assert scene.recorder.status["stable"]["revision"] == candidate
    assert [entry["outcome"] for entry in scene.recorder.status["history"][:2]] == ["Promoted", "RolledBack"]


def test_what_ci_learns(play: Play) -> None:
    """`status --wait` right after `apply`: 2 while nothing is decided, 1 when it is rolled back, with the reason."""
    scene = play()
    stable = scene.apply("v1")
    scene.serving(stable)
    assert sluice(scene, "status", scene.flight.name, "--wait", "--timeout", "20s").status == 0

    scene.apply("v3")  # without traffic nothing is known of it
    undecided = sluice(scene, "status", scene.flight.name, "--wait", "--timeout", "5s")
    assert undecided.status == 2
    assert "came to no end within 5s" in undecided.err

    scene.start_load(RATE, BOUND)
    failed = sluice(scene, "status", scene.flight.name, "--wait", "--timeout", "3m", seconds=240)
    assert failed.status == 1
    assert "check errors failed: " in failed.err
    assert document(scene)["outcome"] == "Stalled"


def test_what_is_not_there(play: Play) -> None:
    """One sentence on standard error, and a status of its own."""
    scene = play()
    absent = sluice(scene, "status", "nothing")
    assert (absent.status, absent.out, absent.err.count("\n")) == (3, "", 1)
    assert f"there is no ModelDeployment {scene.flight.namespace}/nothing" in absent.err
    assert sluice(scene, "list").status == 0
    assert sluice(scene, "list", "--context", "nowhere").status == 3


def test_lint_and_the_api_server_agree_on_the_demos_manifest(play: Play, tmp_path: Path) -> None:
    """What lint finds no error in is taken."""
    scene = play(steps=LONG)
    path = tmp_path / "flights.yaml"
    path.write_text(yaml.safe_dump(scene.flight.manifest("v1")))
    linted = run([str(SCRIPTS / "kubectl-sluice"), "lint", "-f", str(path)], tmp_path / "no kubeconfig", 60)
    assert linted.status == 0, linted.out
    scene.cluster.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", str(path))
