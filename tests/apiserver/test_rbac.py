"""What the operator's own ServiceAccount may do, and what it may not: the API server's authorizer is asked itself.

Both lists are complete on purpose: a rule that is taken away or widened fails here with its row.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from sluice_dev.cluster import Cluster, CommandFailed
from sluice_dev.generate import ROOT

pytestmark = pytest.mark.apiserver

HOME = "sluice-system"
SERVICE_ACCOUNT = f"system:serviceaccount:{HOME}:sluice"

OWNED = [
    "deployments.apps",
    "controllerrevisions.apps",
    "services",
    "poddisruptionbudgets.policy",
    "httproutes.gateway.networking.k8s.io",
]
OWNED_VERBS = ["get", "list", "watch", "create", "patch", "delete"]

MAY = [
    *((verb, "modeldeployments.sluice.dev", "") for verb in ("get", "list", "watch")),
    *((verb, "modeldeployments.sluice.dev", "status") for verb in ("get", "update", "patch")),
    ("update", "modeldeployments.sluice.dev", "finalizers"),
    *((verb, resource, "") for resource in OWNED for verb in OWNED_VERBS),
    *((verb, "pods", "") for verb in ("list", "watch")),
    *((verb, "endpointslices.discovery.k8s.io", "") for verb in ("get", "list", "watch")),
    *((verb, "gateways.gateway.networking.k8s.io", "") for verb in ("list", "watch")),
    *((verb, "gatewayclasses.gateway.networking.k8s.io", "") for verb in ("list", "watch")),
    ("create", "events.events.k8s.io", ""),
    ("patch", "events.events.k8s.io", ""),
]
"""(verb, resource, subresource) in any namespace."""

WRITES = ["create", "update", "patch", "delete", "deletecollection"]

MAY_NOT = [
    # the spec is the user's
    *((verb, "modeldeployments.sluice.dev", "") for verb in WRITES),
    ("patch", "modeldeployments.sluice.dev", "scale"),
    # it owns these, but never all of them at once, and never their status
    *((verb, resource, "") for resource in OWNED for verb in ("update", "deletecollection")),
    ("patch", "httproutes.gateway.networking.k8s.io", "status"),
    ("patch", "deployments.apps", "status"),
    # no secrets, no configuration of others
    *((verb, "secrets", "") for verb in ("get", "list", "watch", *WRITES)),
    *((verb, "configmaps", "") for verb in ("get", "list", "watch", *WRITES)),
    # pods are looked at, never entered or touched
    ("create", "pods", "exec"),
    ("create", "pods", "attach"),
    ("create", "pods", "portforward"),
    ("create", "pods", "eviction"),
    ("get", "pods", "log"),
    *((verb, "pods", "") for verb in WRITES),
    *((verb, "endpointslices.discovery.k8s.io", "") for verb in WRITES),
    # the gateways are somebody else's
    *((verb, "gateways.gateway.networking.k8s.io", "") for verb in WRITES),
    *((verb, "gatewayclasses.gateway.networking.k8s.io", "") for verb in WRITES),
    # nothing that leads to more rights
    *((verb, "roles.rbac.authorization.k8s.io", "") for verb in (*WRITES, "bind", "escalate")),
    *((verb, "clusterrolebindings.rbac.authorization.k8s.io", "") for verb in WRITES),
    ("create", "serviceaccounts", "token"),
    ("impersonate", "serviceaccounts", ""),
    ("impersonate", "users", ""),
    # nothing else of the cluster
    *((verb, "namespaces", "") for verb in ("get", "list", "watch", *WRITES)),
    *((verb, "nodes", "") for verb in ("get", "list", "watch", *WRITES)),
    *((verb, "customresourcedefinitions.apiextensions.k8s.io", "") for verb in ("get", "list", "watch", *WRITES)),
    *((verb, "statefulsets.apps", "") for verb in ("get", "list", "watch", *WRITES)),
    *((verb, "jobs.batch", "") for verb in WRITES),
    # the Lease only where it lives
    *((verb, "leases.coordination.k8s.io", "") for verb in ("get", "list", "watch", *WRITES)),
    ("*", "*", ""),
]
"""(verb, resource, subresource) in a namespace that is not the operator's own."""


@pytest.fixture(scope="module", autouse=True)
def installed(cluster: Cluster, crd: str) -> None:
    """Only the rights of manifests/base: the operator itself need not run."""
    wanted = ("ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "Namespace")
    rendered = cluster.kubectl("kustomize", str(ROOT / "manifests/base"))
    rights = [one for one in yaml.safe_load_all(rendered) if one["kind"] in wanted]
    manifest = yaml.safe_dump_all(rights)
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", input=manifest)


@pytest.fixture(scope="module")
def elsewhere(cluster: Cluster) -> Iterator[str]:
    """A namespace that is not the operator's."""
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": "rbac-"}}
    created = json.loads(cluster.kubectl("create", "-o", "json", "-f", "-", input=json.dumps(manifest)))
    yield created["metadata"]["name"]
    cluster.kubectl("delete", "namespace", created["metadata"]["name"], "--wait=false")


def documents(text: str) -> Iterator[Any]:
    """JSON documents that follow each other without a separator, as kubectl writes several objects."""
    decoder, rest = json.JSONDecoder(), text.lstrip()
    while rest:
        found, end = decoder.raw_decode(rest)
        yield found
        rest = rest[end:].lstrip()


def allowed(cluster: Cluster, rows: list[tuple[str, str, str]], namespace: str, name: str = "") -> set[Any]:
    """The rows that the authorizer allows, asked in one go."""
    reviews = []
    for verb, resource, subresource in rows:
        plural, _, group = resource.partition(".")
        attributes = {
            "verb": verb,
            "group": group,
            "resource": plural,
            "subresource": subresource,
            "namespace": namespace,
            "name": name,
        }
        reviews.append(
            {
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SubjectAccessReview",
                "spec": {
                    "user": SERVICE_ACCOUNT,
                    "groups": ["system:serviceaccounts", f"system:serviceaccounts:{HOME}", "system:authenticated"],
                    "resourceAttributes": attributes,
                },
            }
        )
    body = json.dumps({"apiVersion": "v1", "kind": "List", "items": reviews})
    answers = list(documents(cluster.kubectl("create", "-o", "json", "-f", "-", input=body)))
    return {row for row, answer in zip(rows, answers, strict=True) if answer["status"]["allowed"]}


def test_it_may_do_its_work_in_every_namespace(cluster: Cluster, elsewhere: str) -> None:
    assert set(MAY) - allowed(cluster, MAY, elsewhere) == set()


def test_it_may_do_nothing_else(cluster: Cluster, elsewhere: str) -> None:
    assert allowed(cluster, MAY_NOT, elsewhere) == set()


def test_the_lease_is_its_own_and_no_other(cluster: Cluster) -> None:
    resource = "leases.coordination.k8s.io"
    rows = [(verb, resource, "") for verb in ("get", "update", "patch", "delete", "list", "watch")]
    granted = {(verb, resource, "") for verb in ("get", "update", "patch")}
    assert allowed(cluster, rows, HOME, "sluice-operator") == granted
    assert allowed(cluster, rows, HOME, "another") == set()
    assert allowed(cluster, [("create", resource, "")], HOME) == {("create", resource, "")}


@pytest.mark.parametrize(
    ("name", "may"),
    [
        ("modeldeployments.sluice.dev", True),
        ("httproutes.gateway.networking.k8s.io", True),
        ("gateways.gateway.networking.k8s.io", False),
    ],
)
def test_of_the_crds_it_reads_two(cluster: Cluster, name: str, may: bool) -> None:
    row = ("get", "customresourcedefinitions.apiextensions.k8s.io", "")
    assert allowed(cluster, [row], "", name) == ({row} if may else set())


def test_no_rule_has_a_wildcard(cluster: Cluster) -> None:
    rendered = yaml.safe_load_all(cluster.kubectl("kustomize", str(ROOT / "manifests/base")))
    rules = [rule for one in rendered if one["kind"] in ("ClusterRole", "Role") for rule in one["rules"]]
    assert rules
    assert not [rule for rule in rules if any("*" in values for values in rule.values())]


def test_real_requests_are_refused_with_the_authorizers_words(cluster: Cluster, elsewhere: str) -> None:
    with pytest.raises(CommandFailed) as refused:
        cluster.kubectl("get", "secrets", "-n", elsewhere, f"--as={SERVICE_ACCOUNT}")
    assert "forbidden" in refused.value.output.lower()
    listed = json.loads(cluster.kubectl("get", "pods", "-n", elsewhere, f"--as={SERVICE_ACCOUNT}", "-o", "json"))
    assert listed["items"] == []


def test_the_operators_namespace_admits_only_restricted_pods(cluster: Cluster) -> None:
    privileged = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "privileged", "namespace": HOME},
        "spec": {"containers": [{"name": "c", "image": "c", "securityContext": {"privileged": True}}]},
    }
    with pytest.raises(CommandFailed) as refused:
        cluster.kubectl("create", "--dry-run=server", "-f", "-", input=json.dumps(privileged))
    assert "restricted" in refused.value.output


def test_the_operators_own_pod_is_admitted_there(cluster: Cluster) -> None:
    rendered = yaml.safe_load_all(cluster.kubectl("kustomize", str(ROOT / "manifests/base")))
    template = next(one for one in rendered if one["kind"] == "Deployment")["spec"]["template"]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "probe", "namespace": HOME},
        "spec": template["spec"],
    }
    cluster.kubectl("create", "--dry-run=server", "-f", "-", input=json.dumps(pod))
