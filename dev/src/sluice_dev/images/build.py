"""How the project's images are built: once per content, for the development cluster or for a registry."""

from __future__ import annotations

import contextlib
import fcntl
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sluice_dev.cluster import Cluster, doctor
from sluice_dev.cluster.command import run
from sluice_dev.cluster.layout import Layout
from sluice_dev.images import base
from sluice_dev.images.catalog import ProjectImage, content_key, stage_context
from sluice_dev.images.engines import Build, Engine, available, buildah, buildah_program
from sluice_dev.images.remedies import told

Report = Callable[[str], None]
BUILD_SECONDS = 1800


@dataclass(frozen=True, slots=True)
class Archive:
    """One built image. reference: as manifests call it. key: of its content. path: an OCI archive."""

    reference: str
    key: str
    path: Path


def build_archives(layout: Layout, images: Sequence[ProjectImage], report: Report) -> list[Archive]:
    """An OCI archive per image, built with buildah only when its inputs changed. Raises Missing, CommandFailed."""
    archives = [_archive(layout, image) for image in images]
    if all(archive.path.exists() for archive in archives):
        return archives
    doctor.require(layout, [doctor.linux, doctor.root, doctor.packages])
    with _storage_alone(layout) as storage:
        engine, program = buildah(storage), buildah_program(storage)
        # Containers in it now are what a killed build left; their images could not be removed.
        run([*program, "rm", "--all"])
        reference = base.ensure_base(layout.cache, program, report)
        for image, archive in zip(images, archives, strict=True):
            if archive.path.exists():
                continue
            report(f"builds {archive.reference}")
            local = f"localhost/sluice-{image.name}:dev"
            _build(engine, layout, image, local, {"BASE": reference})
            # The cluster's runtime knows a short name by its full one.
            full = f"docker.io/{archive.reference}"
            draft = archive.path.with_suffix(".new")
            draft.unlink(missing_ok=True)
            # Uncompressed: it only goes from this disk to the same disk.
            push = [*program, "push", "--quiet", "--disable-compression", local, f"oci-archive:{draft}:{full}"]
            run(push, timeout=BUILD_SECONDS)
            draft.rename(archive.path)
            _forget_older(archive.path, image)
        # The layers of this build are the next one's cache; those that no image stands on any more are not.
        run([*program, "rmi", "--prune"])
    return archives


def build_into_cluster(
    cluster: Cluster, layout: Layout, images: Sequence[ProjectImage], report: Report
) -> list[Archive]:
    """Builds what changed and gives it to the cluster's container runtime; running pods keep what they have."""
    archives = build_archives(layout, images, report)
    for archive in archives:
        report(f"loads {archive.reference} into the cluster")
        cluster.load_image(archive.path)
    return archives


def build_for_registry(
    layout: Layout, images: Sequence[ProjectImage], registry: str, *, push: bool, base_image: str, report: Report
) -> list[str]:
    """The references, built with whatever engine is there, and pushed if asked to.

    base_image: instead of the Dockerfile's own, such as a mirror's; empty for its own. Raises ClusterError with what
    to do where that is known.
    """
    engine = available()
    references = []
    for image in images:
        reference = image.reference(layout.checkout, registry)
        report(f"{engine.name} builds {reference}")
        with told():
            _build(engine, layout, image, reference, {"BASE": base_image} if base_image else {})
            if push:
                report(f"{engine.name} pushes {reference}")
                run(engine.push(reference), timeout=BUILD_SECONDS)
        references.append(reference)
    return references


def _archive(layout: Layout, image: ProjectImage) -> Archive:
    key = content_key(image, layout.checkout, base.KEY)
    return Archive(image.reference(layout.checkout), key, layout.cache / "images" / f"sluice-{image.name}-{key}.tar")


@contextlib.contextmanager
def _storage_alone(layout: Layout) -> Iterator[Path]:
    """Our buildah storage, for one build at a time; the lock goes with the process that holds it."""
    storage = layout.cache / "buildah"
    storage.mkdir(parents=True, exist_ok=True)
    with (storage / "build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield storage


def _forget_older(newest: Path, image: ProjectImage, keep: int = 3) -> None:
    """Each edit makes an archive of some 300 MB: only the last few are worth their place."""
    archives = newest.parent.glob(f"sluice-{image.name}-*.tar")
    for old in sorted(archives, key=lambda path: path.stat().st_mtime, reverse=True)[keep:]:
        old.unlink()


def _build(engine: Engine, layout: Layout, image: ProjectImage, reference: str, build_args: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory(prefix="sluice-image-") as folder:
        context = Path(folder)
        stage_context(image, layout.checkout, context)
        build = Build(reference, f"{image.folder}/Dockerfile", context, build_args)
        run(engine.build(build), timeout=BUILD_SECONDS)
