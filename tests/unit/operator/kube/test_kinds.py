"""The paths of the Kubernetes API."""

import pytest

from sluice.adapters.kube.kinds import KINDS


@pytest.mark.parametrize(
    ("kind", "namespace", "name", "subresource", "path"),
    [
        ("Pod", "shop", "p", None, "/api/v1/namespaces/shop/pods/p"),
        ("Pod", None, None, None, "/api/v1/pods"),
        ("Deployment", "shop", None, None, "/apis/apps/v1/namespaces/shop/deployments"),
        ("ModelDeployment", "s", "m", "status", "/apis/sluice.dev/v1alpha1/namespaces/s/modeldeployments/m/status"),
        ("GatewayClass", "shop", "eg", None, "/apis/gateway.networking.k8s.io/v1/gatewayclasses/eg"),
        ("HTTPRoute", "shop", "m", None, "/apis/gateway.networking.k8s.io/v1/namespaces/shop/httproutes/m"),
        ("Event", "shop", None, None, "/apis/events.k8s.io/v1/namespaces/shop/events"),
        ("Lease", "ops", "l", None, "/apis/coordination.k8s.io/v1/namespaces/ops/leases/l"),
    ],
)  # fmt: skip
def test_path(kind: str, namespace: str | None, name: str | None, subresource: str | None, path: str) -> None:
    assert KINDS[kind].path(namespace, name, subresource) == path


def test_every_row_is_found_under_its_own_name() -> None:
    assert all(name == row.name for name, row in KINDS.items())
    assert KINDS["Service"].api_version == "v1"
    assert KINDS["Deployment"].api_version == "apps/v1"
