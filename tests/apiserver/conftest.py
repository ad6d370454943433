"""What tests against the real API server share: the cluster, a namespace per test, and waiting without sleeping."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from sluice_dev.cluster import Cluster, CommandFailed, NotRunning, current_cluster, doctor
from sluice_dev.cluster.layout import Layout
from sluice_dev.generate import CRD, ROOT

Object = dict[str, Any]
Eventually = Callable[..., Any]


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The cluster. Without one the session ends with what the machine lacks, or how to start it: never a skip."""
    try:
        return current_cluster()
    except NotRunning as absent:
        lacking = [finding for finding in doctor.examine(Layout.here()) if not finding.ok]
        pytest.exit(f"\n{doctor.text(lacking) if lacking else absent}", returncode=1)


@pytest.fixture(scope="session")
def eventually() -> Eventually:
    """`eventually(ask, deadline=30)`: the first true answer of `ask`, asked again and again. deadline: seconds."""

    def wait(ask: Callable[[], Any], deadline: float = 30) -> Any:
        end = time.monotonic() + deadline
        while True:
            answer = ask()
            if answer:
                return answer
            assert time.monotonic() < end, f"not so within {deadline} s; the last answer was {answer!r}"
            time.sleep(0.1)

    return wait


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace of the test's own; deleting it is left to the cluster."""
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": "apiserver-"}}
    name = json.loads(cluster.kubectl("create", "-o", "json", "-f", "-", input=json.dumps(manifest)))["metadata"][
        "name"
    ]
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="session")
def crd(cluster: Cluster) -> str:
    """The committed CRD under its real name, installed and Established; its name. It stays: others may use it."""
    name: str = yaml.safe_load((ROOT / CRD).read_text())["metadata"]["name"]
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(ROOT / CRD))
    cluster.kubectl("wait", "--for=condition=Established", f"crd/{name}", "--timeout=30s")
    return name


class Models:
    """The committed schema under an API group of this session's own.

    An operator that runs in the cluster does not watch that group, so nothing but the API server touches the objects.
    """

    def __init__(self, cluster: Cluster, group: str) -> None:
        self.cluster = cluster
        self.group = group
        self.resource = f"modeldeployments.v1alpha1.{group}"

    def manifest(self, spec: Object, name: str = "m", **more: Any) -> str:
        """A ModelDeployment of this group."""
        head = {"apiVersion": f"{self.group}/v1alpha1", "kind": "ModelDeployment", "metadata": {"name": name}}
        return json.dumps({**head, "spec": spec, **more})

    def apply(self, namespace: str, spec: Object, *flags: str, name: str = "m", **more: Any) -> Object:
        """The object as the API server answers it. Unknown fields are refused. Raises CommandFailed."""
        stored: Object = json.loads(
            self.cluster.kubectl(
                *("apply", "--server-side", "--force-conflicts", "--validate=strict", "-n", namespace),
                *("-o", "json", "-f", "-", *flags),
                input=self.manifest(spec, name, **more),
            )
        )
        return stored

    def refusal(self, namespace: str, spec: Object, name: str = "m") -> str:
        """What a user who creates the object reads; fails if the API server takes it. Nothing is stored."""
        with pytest.raises(CommandFailed) as refused:
            self.cluster.kubectl(
                *("create", "--dry-run=server", "--validate=strict", "-n", namespace, "-f", "-"),
                input=self.manifest(spec, name),
            )
        return refused.value.output

    def get(self, namespace: str, name: str = "m") -> Object:
        """The stored object."""
        return self.cluster.get(f"{self.resource}/{name}", "-n", namespace)


@pytest.fixture(scope="session")
def models(cluster: Cluster) -> Iterator[Models]:
    """Installed and Established; taken away with all its objects at the end of the session."""
    group = f"t{time.time_ns():x}.sluice.test"
    document = yaml.safe_load((ROOT / CRD).read_text())
    document["metadata"]["name"] = f"modeldeployments.{group}"
    document["spec"]["group"] = group
    # warnings as errors: the API server warns of schemas that it accepts but would not enforce
    cluster.kubectl("create", "--warnings-as-errors", "--validate=strict", "-f", "-", input=json.dumps(document))
    name = document["metadata"]["name"]
    cluster.kubectl("wait", "--for=condition=Established", f"crd/{name}", "--timeout=30s")
    yield Models(cluster, group)
    cluster.kubectl("delete", "crd", name, "--wait=false")


@pytest.fixture
def least() -> Object:
    """The least spec: what manifests/examples/minimal.yaml holds."""
    spec: Object = yaml.safe_load((ROOT / "manifests/examples/minimal.yaml").read_text())["spec"]
    return spec
