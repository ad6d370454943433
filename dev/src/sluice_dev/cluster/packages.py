"""Which system packages the cluster needs, and how they are installed on Debian and its relatives."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from sluice_dev.cluster.command import run

# Debian's package -> a file or program that shows it is there
PACKAGES: dict[str, str] = {
    "containerd": "containerd",
    "runc": "runc",
    "containernetworking-plugins": "/usr/lib/cni/bridge",
    "iptables": "iptables",
    "nftables": "nft",
    "iproute2": "ip",
    "conntrack": "conntrack",
    "util-linux": "nsenter",
    "curl": "curl",
    "procps": "sysctl",
    "gcc": "gcc",
    "libc6-dev": "/usr/include/stdio.h",
    "mmdebstrap": "mmdebstrap",
    "debian-archive-keyring": "/usr/share/keyrings/debian-archive-keyring.gpg",
    "buildah": "buildah",
}


def missing_packages() -> list[str]:
    """Debian's names of the packages that are not there."""
    return [package for package, sign in PACKAGES.items() if not _present(sign)]


def can_install() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install(packages: list[str]) -> None:
    """Installs with apt-get. Raises CommandFailed with apt's own words."""
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "update", "-q"], env=environment)
    run(["apt-get", "install", "-q", "-y", "--no-install-recommends", *packages], env=environment, timeout=1800)


def _present(sign: str) -> bool:
    return Path(sign).exists() if sign.startswith("/") else shutil.which(sign) is not None
