"""The check at the start says what is missing and what to do about it."""

from typing import Any

import pytest

from sluice.adapters.kube.requirements import Unmet, check
from sluice.ports import NotFound, Object

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/"


class Api:
    def __init__(self, **paths: Any) -> None:
        self.paths: dict[str, Any] = {
            "/version": {"gitVersion": "v1.36.3"},
            CRDS + "httproutes.gateway.networking.k8s.io": crd("v1", "v1.4.0"),
            CRDS + "modeldeployments.sluice.dev": crd("v1alpha1"),
        } | paths

    async def read_path(self, path: str) -> Object:
        if (found := self.paths.get(path)) is None:
            raise NotFound(path)
        return found  # type: ignore[no-any-return]


def crd(version: str, bundle: str | None = None, served: bool = True) -> dict[str, Any]:
    annotations = {"gateway.networking.k8s.io/bundle-version": bundle} if bundle else {}
    return {"metadata": {"annotations": annotations}, "spec": {"versions": [{"name": version, "served": served}]}}


async def test_what_was_found_is_told() -> None:
    assert await check(Api()) == "Kubernetes v1.36.3, Gateway API v1.4.0"


@pytest.mark.parametrize(
    ("path", "answer", "words"),
    [
        ("/version", {"gitVersion": "v1.32.9"}, r"Kubernetes v1\.32\.9 is too old: Sluice needs 1\.33 or newer"),
        ("/version", {"gitVersion": "unknown"}, "Kubernetes unknown is too old"),
        (
            CRDS + "httproutes.gateway.networking.k8s.io",
            None,
            "Gateway API is not installed .* install the Gateway API",
        ),
        (CRDS + "httproutes.gateway.networking.k8s.io", crd("v1", "v1.3.0"), r"Gateway API v1\.3\.0 is too old"),
        (CRDS + "httproutes.gateway.networking.k8s.io", crd("v1", "v1.5.0", False), "HTTPRoute is not served"),
        (CRDS + "modeldeployments.sluice.dev", None, "not installed: kubectl apply --server-side -k manifests/base"),
        (CRDS + "modeldeployments.sluice.dev", crd("v2"), "does not serve v1alpha1"),
    ],
)
async def test_what_is_missing_is_said_with_its_remedy(path: str, answer: Any, words: str) -> None:
    with pytest.raises(Unmet, match=words):
        await check(Api(**{path: answer}))


@pytest.mark.parametrize("version", ["v1.33.0", "v1.33.4+k3s1", "1.40.1", "v2.0.0"])
async def test_distributions_versions_are_understood(version: str) -> None:
    assert version in await check(Api(**{"/version": {"gitVersion": version}}))
