"""What to do when a builder or a registry says no, by the words that docker, podman and buildah use for it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sluice_dev.cluster.errors import ClusterError, CommandFailed

REMEDIES: Final[tuple[tuple[str, str], ...]] = (
    (
        r"server gave HTTP response to HTTPS client",
        "the registry speaks plain HTTP. For podman and buildah write /etc/containers/registries.conf.d/sluice.conf "
        'with [[registry]], location = "host:port", insecure = true; docker: add host:port to insecure-registries in '
        "/etc/docker/daemon.json. The cluster's nodes must be told the same of it",
    ),
    (
        r"certificate signed by unknown authority|failed to verify certificate",
        "the registry's certificate is of an authority that this machine does not know: put that in "
        "/etc/docker/certs.d/host:port/ca.crt (podman and buildah: /etc/containers/certs.d/host:port/ca.crt)",
    ),
    (
        r"unauthorized|authentication required|no basic auth credentials|denied",
        "the registry wants to know who you are: log in first, with `login HOST` of the same program, as somebody who "
        "may push there",
    ),
    (
        r"no such host|connection refused|i/o timeout|network is unreachable",
        "a registry is not reached from here: REGISTRY=host/path is where the images go, BASE=image is what they stand "
        "on, if python:3.11-slim-bookworm itself is not reached",
    ),
    (
        r"manifest unknown|not found: manifest|repository .* not found|name unknown",
        "there is no such image to stand on: BASE names one with Debian 12, Python 3.11 and pip",
    ),
)
"""Words of a program -> what to do. The first row that fits is told."""


@contextmanager
def told() -> Iterator[None]:
    """What failed inside, with what to do about it where that is known. Raises ClusterError."""
    try:
        yield
    except CommandFailed as failed:
        for words, remedy in REMEDIES:
            if re.search(words, failed.output, re.IGNORECASE):
                raise ClusterError(f"{failed}\nWhat to do: {remedy}.") from failed
        raise
