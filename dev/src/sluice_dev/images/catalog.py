"""Which images the project has, and from which files each is made."""

from __future__ import annotations

import hashlib
import shutil
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# uv reads the whole workspace before it installs one package of it.
WORKSPACE = (
    "pyproject.toml",
    "uv.lock",
    "operator/pyproject.toml",
    "model-server/pyproject.toml",
    "dev/pyproject.toml",
)


@dataclass(frozen=True, slots=True)
class ProjectImage:
    """folder: holds the image's Dockerfile and pyproject.toml, whose version is the image's.

    inputs: the files and folders its Dockerfile may copy, relative to the checkout. Nothing else is in the build's
    context, so the image cannot depend on anything that its key does not see.
    """

    name: str
    folder: str
    inputs: tuple[str, ...]

    def version(self, checkout: Path) -> str:
        version: str = tomllib.loads((checkout / self.folder / "pyproject.toml").read_text())["project"]["version"]
        return version

    def reference(self, checkout: Path, registry: str = "sluice") -> str:
        """What a manifest calls it: sluice/operator:0.1.0, or with a registry host/path/operator:0.1.0."""
        return f"{registry.rstrip('/')}/{self.name}:{self.version(checkout)}"


IMAGES: dict[str, ProjectImage] = {
    image.name: image
    for image in (
        ProjectImage("operator", "operator", ("operator/Dockerfile", "operator/src", *WORKSPACE)),
        ProjectImage("model-server", "model-server", ("model-server/Dockerfile", "model-server/src", *WORKSPACE)),
    )
}


def input_files(image: ProjectImage, checkout: Path) -> Iterator[Path]:
    """Every file the image is made from, relative to the checkout, in a fixed order."""
    for given in sorted(image.inputs):
        path = checkout / given
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            if file.is_file() and "__pycache__" not in file.parts:
                yield file.relative_to(checkout)


def content_key(image: ProjectImage, checkout: Path, base: str) -> str:
    """16 hexadecimal digits that change with any input, its name, or the base image."""
    digest = hashlib.sha256(base.encode())
    for file in input_files(image, checkout):
        content = (checkout / file).read_bytes()
        digest.update(f"\n{file} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


def stage_context(image: ProjectImage, checkout: Path, context: Path) -> None:
    """Copies the inputs into the folder `context`, which the build sees instead of the checkout."""
    for file in input_files(image, checkout):
        (context / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(checkout / file, context / file)
