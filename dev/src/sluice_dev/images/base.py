"""The base image for machines that reach package archives but no registry of images: a Debian with Python."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from sluice_dev.cluster.command import run

PACKAGES = ("python3", "python3-pip", "python3-venv", "ca-certificates")
KEY = hashlib.sha256(",".join(PACKAGES).encode()).hexdigest()[:16]
REFERENCE = f"localhost/sluice-base:{KEY}"


def ensure_base(cache: Path, buildah: list[str], report: Callable[[str], None]) -> str:
    """The reference of the base image in buildah's storage, made first if need be.

    It stands in for python:3.11-slim-bookworm: the same Debian, the same minor version of Python. buildah: the program
    with its storage options.
    """
    if run([*buildah, "images", "--quiet", "--filter", f"reference={REFERENCE}"]).strip():
        return REFERENCE
    rootfs = cache / "images" / f"python-bookworm-{KEY}.tar"
    if not rootfs.exists():
        report("debootstraps a Debian with Python (about a minute, once)")
        rootfs.parent.mkdir(parents=True, exist_ok=True)
        draft = rootfs.with_name(f"draft-{rootfs.name}")
        include = ",".join(PACKAGES)
        run(
            ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={include}", "bookworm", str(draft)], timeout=1200
        )
        draft.rename(rootfs)
    container = run([*buildah, "from", "scratch"]).strip()
    try:
        run([*buildah, "add", "--quiet", container, str(rootfs), "/"])
        run([*buildah, "config", "--cmd", "python3", container])
        run([*buildah, "commit", "--quiet", container, REFERENCE])
    finally:
        run([*buildah, "rm", container])
    return REFERENCE
