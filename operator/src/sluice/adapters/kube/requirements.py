"""What the cluster must be for the operator to work in it, checked once at the start."""

import re
from typing import Final, Protocol

from sluice.api import names
from sluice.ports import NotFound, Object

LEAST_KUBERNETES: Final = (1, 33)
LEAST_GATEWAY_API: Final = (1, 4)

GATEWAY_GROUP: Final = "gateway.networking.k8s.io"
BUNDLE_VERSION: Final = f"{GATEWAY_GROUP}/bundle-version"
"""Annotation on the Gateway API's CRDs: the release that they come from."""

_CRDS: Final = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


class Unmet(Exception):
    """The cluster lacks something; the message says what, and the remedy."""


class Reader(Protocol):
    """GET of any path."""

    async def read_path(self, path: str) -> Object:
        """The JSON object there. Raises NotFound, Unavailable."""
        ...


async def check(cluster: Reader) -> str:
    """The versions found, in words. Raises Unmet, or Unavailable when the API server does not answer."""
    version = str((await cluster.read_path("/version")).get("gitVersion"))
    if _number(version) < LEAST_KUBERNETES:
        raise Unmet(f"Kubernetes {version} is too old: Sluice needs {_text(LEAST_KUBERNETES)} or newer")
    bundle = await _gateway_api(cluster)
    await _own_crd(cluster)
    return f"Kubernetes {version}, Gateway API {bundle}"


async def _gateway_api(cluster: Reader) -> str:
    remedy = (
        f"install the Gateway API {_text(LEAST_GATEWAY_API)} or newer: "
        "https://gateway-api.sigs.k8s.io/guides/getting-started/"
    )
    try:
        crd = await cluster.read_path(f"{_CRDS}/httproutes.{GATEWAY_GROUP}")
    except NotFound as missing:
        raise Unmet(f"the Gateway API is not installed (no CRD httproutes.{GATEWAY_GROUP}); {remedy}") from missing
    bundle = str((crd["metadata"].get("annotations") or {}).get(BUNDLE_VERSION, "without a version"))
    if _number(bundle) < LEAST_GATEWAY_API:
        raise Unmet(f"the Gateway API {bundle} is too old; {remedy}")
    served = {one["name"] for one in crd["spec"]["versions"] if one.get("served")}
    if "v1" not in served:
        raise Unmet(f"HTTPRoute is not served as {GATEWAY_GROUP}/v1; {remedy}")
    return bundle


async def _own_crd(cluster: Reader) -> None:
    name = f"{names.PLURAL}.{names.GROUP}"
    try:
        crd = await cluster.read_path(f"{_CRDS}/{name}")
    except NotFound as missing:
        raise Unmet(f"the CRD {name} is not installed: kubectl apply --server-side -k manifests/base") from missing
    if names.VERSION not in {one["name"] for one in crd["spec"]["versions"] if one.get("served")}:
        raise Unmet(f"the CRD {name} does not serve {names.VERSION}: kubectl apply --server-side -k manifests/base")


def _number(version: str) -> tuple[int, int]:
    """v1.36.3 -> (1, 36); (0, 0) for what is no version."""
    found = re.match(r"v?(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _text(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))
