"""Which pods are a revision's own?"""

from typing import Any

import pytest

from sluice.adapters.kube.gather import gather
from sluice.api import names
from sluice.api.status import Status
from sluice.core.snapshot import RevisionFacts
from sluice.ports import Beside, Kept, Object, reading_beside
from sluice.runtime.cache import Cache
from unit.operator.core.scenes import CANDIDATE, IDENTITY, NOW, STABLE, candidate_status, status_of

BEFORE, CREATED, AFTER = "2026-01-05T12:00:00Z", "2026-01-05T12:00:10Z", "2026-01-05T12:00:12Z"
RUNNING = {"name": "model", "ready": True, "state": {"running": {}}, "lastState": {}}


def metadata(name: str, revision: str, created: str) -> dict[str, Any]:
    return {
        "name": name,
        "namespace": IDENTITY.namespace,
        "uid": f"uid-{name}",
        "resourceVersion": "1",
        "creationTimestamp": created,
        "labels": {names.LABEL_NAME: IDENTITY.name, names.LABEL_REVISION: revision},
        "ownerReferences": [{"kind": names.KIND, "name": IDENTITY.name, "uid": IDENTITY.uid}],
    }


def gathered(status: Status, revision: str, pod_created: str) -> RevisionFacts:
    """A revision whose Deployment was made at CREATED, with one ready pod."""
    cache = Cache(("Deployment", "Pod", "Service", "ControllerRevision", "EndpointSlice", "HTTPRoute", names.KIND))
    cache.put("Deployment", {"metadata": metadata("d", revision, CREATED), "spec": {"replicas": 1}})
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": pod_created}
    pod_status = {"phase": "Running", "conditions": [ready], "containerStatuses": [RUNNING]}
    cache.put("Pod", {"metadata": metadata("p", revision, pod_created), "status": pod_status})
    resource = {
        "metadata": {
            "name": IDENTITY.name,
            "namespace": IDENTITY.namespace,
            "uid": IDENTITY.uid,
            "resourceVersion": "7",
        },
        "spec": {},
        "status": status.model_dump(mode="json", by_alias=True, exclude_none=True),
    }
    return gather(cache, resource, now=NOW, runtimes={}).revision(revision)


@pytest.mark.parametrize(("pod_created", "ready"), [(AFTER, True), (CREATED, True), (BEFORE, False)])
def test_a_candidates_pod_that_is_older_than_its_deployment_is_leaving(pod_created: str, *, ready: bool) -> None:
    """retry made the Deployment anew before the garbage collector had found the pods of the deleted one."""
    [pod] = gathered(status_of(candidate_status()), CANDIDATE, pod_created).pods
    assert (pod.ready, pod.deleting) == (ready, not ready)


def test_a_stable_whose_deployment_was_made_again_around_its_pods_serves() -> None:
    """kubectl delete --cascade=orphan, and the operator restores the Deployment: it adopts the pods."""
    [pod] = gathered(status_of(candidate_status()), STABLE, BEFORE).pods
    assert pod.ready


def test_what_is_read_beside_others_is_read_again_when_they_are_others() -> None:
    read: list[int] = []

    def count(_: Object, others: Beside) -> int:
        read.append(sum(len(group) for group in others))
        return read[-1]

    resource, pod, other = (Kept({"metadata": {"resourceVersion": version}}) for version in "123")
    assert [reading_beside(resource, [[pod], []], count) for _ in range(3)] == [1, 1, 1]
    assert len(read) == 1
    assert reading_beside(resource, [[pod], [other]], count) == 2
    assert reading_beside(resource, [[], [pod]], count) == 1, "another group is another question"
    assert reading_beside(resource, [[], [Kept({"metadata": {"resourceVersion": "9"}})]], count) == 1
    assert len(read) == 4
