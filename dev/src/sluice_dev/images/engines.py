"""Which programs can build an image from a Dockerfile, and what each wants to be told."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sluice_dev.cluster.command import run
from sluice_dev.cluster.errors import CommandFailed, Finding, Missing

CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
"""Debian's place. Machines behind a proxy with its own authority need it inside of the build too."""


@dataclass(frozen=True, slots=True)
class Build:
    """One build. dockerfile: inside of `context`. build_args: ARG name -> value."""

    reference: str
    dockerfile: str
    context: Path
    build_args: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Engine:
    """build: its command line for a build. push: the one that sends an image to its registry. answers: one that
    succeeds when the engine can work: docker is often installed without its daemon.
    """

    name: str
    build: Callable[[Build], list[str]]
    push: Callable[[str], list[str]]
    answers: tuple[str, ...]


def _arguments(build: Build) -> list[str]:
    return [part for name, value in build.build_args.items() for part in ("--build-arg", f"{name}={value}")]


def _ca_volume() -> list[str]:
    # As a mount and not as a copy: the machine's authorities do not become part of the image.
    return [f"--volume={CA_BUNDLE}:{CA_BUNDLE}:ro"] if CA_BUNDLE.exists() else []


def _podman_build(build: Build) -> list[str]:
    file = str(build.context / build.dockerfile)
    tail = [*_arguments(build), "-t", build.reference, "-f", file, str(build.context)]
    return ["podman", "build", "--layers", "--network=host", *_ca_volume(), *tail]


def buildah_program(storage: Path | None = None) -> list[str]:
    """buildah with its storage: a folder of ours, or the machine's own."""
    store = ["--root", str(storage / "root"), "--runroot", str(storage / "run")] if storage else []
    return ["buildah", "--storage-driver", "overlay", *store]


def buildah(storage: Path | None = None) -> Engine:
    """Debian's builder without a daemon. storage: as for `buildah_program`."""
    program = buildah_program(storage)

    def build(what: Build) -> list[str]:
        # chroot isolation: no other namespaces, so it also works where containers may not nest.
        isolation = ["--isolation=chroot"] if os.geteuid() == 0 else []
        file = str(what.context / what.dockerfile)
        tail = [*_arguments(what), "-t", what.reference, "-f", file, str(what.context)]
        return [*program, "bud", "--layers", *isolation, "--network=host", *_ca_volume(), *tail]

    return Engine("buildah", build, lambda reference: [*program, "push", reference], ("buildah", "version"))


PODMAN = Engine("podman", _podman_build, lambda reference: ["podman", "push", reference], ("podman", "info"))
DOCKER = Engine(
    "docker",
    lambda build: [
        *("docker", "build", "--network=host", *_arguments(build), "-t", build.reference),
        *("-f", str(build.context / build.dockerfile), str(build.context)),
    ],
    lambda reference: ["docker", "push", reference],
    ("docker", "info"),
)


def available(engines: Sequence[Engine] | None = None) -> Engine:
    """The first engine that answers. Raises Missing when none does."""
    found = []
    for engine in engines or (DOCKER, PODMAN, buildah()):
        if not shutil.which(engine.name):
            continue
        try:
            run(engine.answers, timeout=60)
        except CommandFailed as failed:
            found.append(f"{engine.name}: {(failed.output.strip().splitlines() or ['no answer'])[-1]}")
        else:
            return engine
    remedy = "install or start one of them, such as: apt-get install buildah"
    raise Missing([Finding("docker, podman or buildah", "; ".join(found) or "none", remedy)])
