"""Each builder is told the same: the Dockerfile, the context, the name, the arguments."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice_dev.cluster.errors import Missing
from sluice_dev.images.engines import DOCKER, PODMAN, Build, Engine, available, buildah

BUILD = Build("registry.example/sluice/operator:0.1.0", "operator/Dockerfile", Path("/context"), {"BASE": "debian:12"})


@pytest.mark.parametrize(
    "engine", [DOCKER, PODMAN, buildah(), buildah(Path("/storage"))], ids=lambda engine: engine.name
)
def test_every_engine_gets_the_whole_build(engine: Engine) -> None:
    argv = engine.build(BUILD)
    assert argv[0] == engine.name
    assert argv[argv.index("-t") + 1] == BUILD.reference
    assert argv[argv.index("-f") + 1] == "/context/operator/Dockerfile"
    assert argv[argv.index("--build-arg") + 1] == "BASE=debian:12"
    assert argv[-1] == "/context"
    assert engine.push(BUILD.reference)[-1] == BUILD.reference


def test_the_first_engine_that_answers_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _program(tmp_path / "docker", "echo the daemon does not run >&2; exit 1")
    _program(tmp_path / "podman", "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert available().name == "podman"


def test_an_engine_that_cannot_work_is_told_with_its_own_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _program(tmp_path / "docker", "echo the daemon does not run >&2; exit 1")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Missing) as missing:
        available()
    assert missing.value.findings[0].found == "docker: the daemon does not run"


def _program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_without_any_the_choice_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(Missing, match="docker, podman or buildah"):
        available()
