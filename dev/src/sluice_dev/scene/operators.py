"""The operator's own pods: who leads, what they say in /metrics; and how tests change their settings and image."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import TracebackType

import urllib3
from prometheus_client.parser import text_string_to_metric_families

from sluice_dev.cluster import Cluster
from sluice_dev.scene.api import Api, ApiError, Object
from sluice_dev.scene.install import NAMESPACE, OPERATOR
from sluice_dev.scene.recorder import restarts

DEPLOYMENT = f"deployment/{OPERATOR}"
LABELS = f"app.kubernetes.io/name={OPERATOR}"
LEASE = "sluice-operator"
LOOK_SECONDS = 0.3
Sample = tuple[str, dict[str, str], float]


def pods(api: Api) -> list[Object]:
    """Those that are not about to leave."""
    return [p for p in api.list("Pod", NAMESPACE, LABELS) if not p["metadata"].get("deletionTimestamp")]


def leader(api: Api) -> str:
    """Name of the pod that the Lease names; empty if nobody holds it, or a pod that is gone."""
    lease = api.find("Lease", NAMESPACE, LEASE)
    holder = str((lease or {}).get("spec", {}).get("holderIdentity") or "").rpartition("_")[0]
    return holder if holder in {pod["metadata"]["name"] for pod in pods(api)} else ""


def free_lease(api: Api) -> None:
    """Takes the Lease from a holder that was killed. A successor would otherwise wait 15 s to be sure of its death."""
    api.patch("Lease", NAMESPACE, LEASE, {"spec": {"holderIdentity": "", "leaseDurationSeconds": 1}})


@contextmanager
def leaderless(api: Api) -> Iterator[None]:
    """Nobody leads meanwhile: the Lease names a holder who does not exist, so every operator waits for its end."""
    try:
        api.patch("Lease", NAMESPACE, LEASE, {"spec": {"holderIdentity": "nobody", "leaseDurationSeconds": 600}})
        yield
    finally:
        free_lease(api)


def metrics(cluster: Cluster, pod: str) -> list[Sample]:
    """What one replica says of itself: (name, labels, value). Raises CommandFailed when it does not answer."""
    text = cluster.kubectl("get", "--raw", f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}:8080/proxy/metrics", timeout=20)
    return [(s.name, s.labels, s.value) for family in text_string_to_metric_families(text) for s in family.samples]


def value(samples: list[Sample], name: str) -> float:
    """The sum over all labels of one metric."""
    return sum(amount for found, _, amount in samples if found == name)


def writes_and_reads(samples: list[Sample]) -> dict[str, float]:
    """Requests to the Kubernetes API by `verb kind`, without those for the Lease and the listings that feed watches."""
    calls: dict[str, float] = {}
    for name, labels, amount in samples:
        if name == "sluice_operator_api_calls_total" and labels["kind"] != "Lease" and labels["verb"] != "list":
            what = f"{labels['verb']} {labels['kind']}"
            calls[what] = calls.get(what, 0) + amount
    return calls


@contextmanager
def configured(
    cluster: Cluster, settings: Mapping[str, str], replicas: int = 2
) -> Iterator[Callable[[Mapping[str, str]], None]]:
    """The operator with more environment variables and another number of replicas; as it was afterwards.

    Yields the means to change these variables: the pods are replaced, and the wait is for the new ones.
    """
    before = environment(cluster)
    try:
        _scale(cluster, replicas)
        _set(cluster, [f"{name}={text}" for name, text in settings.items()])
        yield lambda changed: _set(cluster, [f"{name}={text}" for name, text in changed.items()])
    finally:
        _scale(cluster, 2)
        _set(cluster, [f"{name}={before[name]}" if name in before else f"{name}-" for name in settings])


def environment(cluster: Cluster) -> dict[str, str]:
    """The operator's environment variables as its Deployment states them; not those that are read from elsewhere."""
    container = cluster.get("deployment", OPERATOR, "-n", NAMESPACE)["spec"]["template"]["spec"]["containers"][0]
    return {entry["name"]: entry["value"] for entry in container.get("env", ()) if "value" in entry}


@contextmanager
def of_image(cluster: Cluster, reference: str) -> Iterator[None]:
    """The operator from another image, as an upgrade would bring it; from the one before afterwards."""
    before = cluster.get("deployment", OPERATOR, "-n", NAMESPACE)["spec"]["template"]["spec"]["containers"][0]["image"]
    try:
        _use(cluster, reference)
        yield
    finally:
        _use(cluster, before)


def image_of(pod: Object) -> str:
    """What it was asked to run."""
    return str(pod["spec"]["containers"][0]["image"])


def _scale(cluster: Cluster, replicas: int) -> None:
    cluster.kubectl("scale", DEPLOYMENT, "-n", NAMESPACE, f"--replicas={replicas}")


def _set(cluster: Cluster, environment: list[str]) -> None:
    cluster.kubectl("set", "env", DEPLOYMENT, "-n", NAMESPACE, *environment)
    _replaced(cluster)


def _use(cluster: Cluster, image: str) -> None:
    cluster.kubectl("set", "image", DEPLOYMENT, "-n", NAMESPACE, f"operator={image}")
    _replaced(cluster)


def _replaced(cluster: Cluster) -> None:
    cluster.kubectl("rollout", "status", DEPLOYMENT, "-n", NAMESPACE, "--timeout=180s", timeout=200)


class Succession:
    """While it is entered, an operator that was killed is followed at once: the Lease of the dead is freed.

    deaths: how often a container of the operator was started again meanwhile.
    """

    def __init__(self, api: Api) -> None:
        self.deaths = 0
        self._api = api
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="succession", daemon=True)

    def __enter__(self) -> Succession:
        self._known = self._restarts()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join(10)

    def _follow(self) -> None:
        while not self._end.wait(LOOK_SECONDS):
            # The API server may be slow while a machine is busy: the next look is soon.
            with suppress(ApiError, urllib3.exceptions.HTTPError):
                now = self._restarts()
                died = sum(max(0, count - self._known.get(name, 0)) for name, count in now.items())
                self._known = now
                if died:
                    self.deaths += died
                    free_lease(self._api)

    def _restarts(self) -> dict[str, int]:
        return {pod["metadata"]["name"]: restarts(pod) for pod in self._api.list("Pod", NAMESPACE, LABELS)}
