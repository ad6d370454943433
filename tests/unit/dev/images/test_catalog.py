"""An image is built again when, and only when, something it is made from changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sluice_dev.cluster.layout import Layout
from sluice_dev.images.catalog import IMAGES, ProjectImage, content_key, input_files, stage_context

IMAGE = ProjectImage("server", "server", ("server/Dockerfile", "server/src", "uv.lock"))


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "server" / "src" / "pkg").mkdir(parents=True)
    (tmp_path / "server" / "pyproject.toml").write_text('[project]\nname = "server"\nversion = "0.3.1"\n')
    (tmp_path / "server" / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / "server" / "src" / "pkg" / "main.py").write_text("print(1)\n")
    (tmp_path / "uv.lock").write_text("version = 1\n")
    return tmp_path


CHANGES: dict[str, Callable[[Path], object]] = {
    "source": lambda root: (root / "server/src/pkg/main.py").write_text("print(2)\n"),
    "lock": lambda root: (root / "uv.lock").write_text("version = 2\n"),
    "Dockerfile": lambda root: (root / "server/Dockerfile").write_text("FROM other\n"),
    "new file": lambda root: (root / "server/src/pkg/more.py").touch(),
    "new name": lambda root: (root / "server/src/pkg/main.py").rename(root / "server/src/pkg/other.py"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_change_of_an_input_changes_the_key(checkout: Path, change: Callable[[Path], object]) -> None:
    before = content_key(IMAGE, checkout, "base")
    change(checkout)
    assert content_key(IMAGE, checkout, "base") != before


def test_another_base_changes_the_key(checkout: Path) -> None:
    assert content_key(IMAGE, checkout, "base") != content_key(IMAGE, checkout, "other")


def test_what_python_leaves_behind_does_not(checkout: Path) -> None:
    before = content_key(IMAGE, checkout, "base")
    (checkout / "server/src/pkg/__pycache__").mkdir()
    (checkout / "server/src/pkg/__pycache__/main.pyc").write_bytes(b"x")
    (checkout / "README.md").write_text("not an input")
    assert content_key(IMAGE, checkout, "base") == before


def test_the_build_sees_the_inputs_and_nothing_else(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    (checkout / "secret").write_text("x")
    context = tmp_path_factory.mktemp("context")
    stage_context(IMAGE, checkout, context)
    copied = {path.relative_to(context) for path in context.rglob("*") if path.is_file()}
    assert copied == set(input_files(IMAGE, checkout))
    assert Path("secret") not in copied


@pytest.mark.parametrize(
    ("registry", "reference"),
    [("sluice", "sluice/server:0.3.1"), ("registry.example/team/", "registry.example/team/server:0.3.1")],
)
def test_the_reference_carries_the_version_of_the_package(checkout: Path, registry: str, reference: str) -> None:
    assert IMAGE.reference(checkout, registry) == reference


@pytest.mark.parametrize("image", IMAGES.values(), ids=IMAGES.keys())
def test_a_build_by_hand_sees_the_same_files(image: ProjectImage) -> None:
    """From the whole checkout (`docker build -f FOLDER/Dockerfile .`) the builder reads what .dockerignore lets it."""
    ignore = (Layout.here().checkout / image.folder / "Dockerfile.dockerignore").read_text().splitlines()
    assert ignore[0] == "*"
    admitted = {line.removeprefix("!") for line in ignore if line.startswith("!")}
    assert admitted == set(image.inputs) - {f"{image.folder}/Dockerfile"}


@pytest.mark.parametrize("image", IMAGES.values(), ids=IMAGES.keys())
def test_the_dockerfile_says_how_it_is_built_by_hand(image: ProjectImage) -> None:
    checkout = Layout.here().checkout
    head = (checkout / image.folder / "Dockerfile").read_text().partition("ARG")[0]
    assert f"docker build -f {image.folder}/Dockerfile -t {image.reference(checkout)} ." in head


@pytest.mark.parametrize("image", IMAGES.values(), ids=IMAGES.keys())
def test_every_input_of_the_project_exists(image: ProjectImage) -> None:
    checkout = Layout.here().checkout
    assert all((checkout / given).exists() for given in image.inputs)
