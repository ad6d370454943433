"""What KubeCluster sends, and what it makes of answers: against a real HTTP server on loopback."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from kubernetes.aio.client import ApiClient, Configuration

from sluice.adapters.kube import client as client_module
from sluice.adapters.kube.client import KubeCluster
from sluice.ports import Conflict, NotFound, Refused, Unavailable

DEPLOYMENT = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"namespace": "shop", "name": "m"}}


@dataclass
class ApiServer:
    """Answers what it is told to and remembers what it was asked."""

    answer: Callable[[], web.Response] = lambda: web.json_response({"kind": "Deployment"})
    seen: list[tuple[str, str, dict[str, str], Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    hold: asyncio.Event | None = None

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.json() if request.can_read_body else None
        self.seen.append((request.method, request.path, dict(request.query), body))
        self.headers.append(dict(request.headers))
        if self.hold:
            await self.hold.wait()
        return self.answer()


@pytest.fixture
async def server() -> ApiServer:
    return ApiServer()


@pytest.fixture
def calls() -> list[tuple[str, str, str]]:
    return []


@pytest.fixture
async def cluster(server: ApiServer, calls: list[tuple[str, str, str]]) -> AsyncIterator[KubeCluster]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    configuration = Configuration(host=f"http://127.0.0.1:{runner.addresses[0][1]}")
    configuration.api_key["BearerToken"] = "bearer first"
    cluster = KubeCluster(ApiClient(configuration), lambda *call: calls.append(call))
    yield cluster
    await cluster.close()
    await runner.cleanup()


def answers(server: ApiServer, status: int, **body: Any) -> None:
    server.answer = lambda: web.json_response(body, status=status)


async def test_apply_is_a_forced_server_side_apply_in_our_name(cluster: KubeCluster, server: ApiServer) -> None:
    await cluster.apply("Deployment", DEPLOYMENT)
    path = "/apis/apps/v1/namespaces/shop/deployments/m"
    assert server.seen == [("PATCH", path, {"fieldManager": "sluice", "force": "true"}, DEPLOYMENT)]
    assert server.headers[0]["Content-Type"] == "application/apply-patch+yaml"
    assert server.headers[0]["Authorization"] == "bearer first"


async def test_patch_is_a_json_merge_patch(cluster: KubeCluster, server: ApiServer) -> None:
    await cluster.patch("Lease", "ops", "l", {"spec": {"holderIdentity": None}})
    method, path, _, body = server.seen[0]
    assert (method, path, body) == (
        "PATCH",
        "/apis/coordination.k8s.io/v1/namespaces/ops/leases/l",
        {"spec": {"holderIdentity": None}},
    )
    assert server.headers[0]["Content-Type"] == "application/merge-patch+json"


async def test_status_is_replaced_under_its_own_path(cluster: KubeCluster, server: ApiServer) -> None:
    await cluster.replace_status("Deployment", DEPLOYMENT)
    assert server.seen[0][:2] == ("PUT", "/apis/apps/v1/namespaces/shop/deployments/m/status")


async def test_delete_names_the_one_object_that_is_meant(cluster: KubeCluster, server: ApiServer) -> None:
    await cluster.delete("Deployment", "shop", "m", "uid-1")
    assert server.seen[0][3] == {"propagationPolicy": "Background", "preconditions": {"uid": "uid-1"}}


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (404, "not found"),
        (409, "Precondition failed: UID in precondition: a, UID in object meta: b"),
        (409, "the UID in the precondition (a) does not match the UID in record (b)"),
    ],
)
async def test_deleting_what_is_gone_already_is_success(
    cluster: KubeCluster, server: ApiServer, status: int, message: str
) -> None:
    answers(server, status, reason="x", message=message)
    await cluster.delete("Deployment", "shop", "m", "uid-1")


async def test_another_conflict_of_a_deletion_is_one(cluster: KubeCluster, server: ApiServer) -> None:
    answers(server, 409, reason="Conflict", message="the server is busy with it")
    with pytest.raises(Conflict):
        await cluster.delete("Deployment", "shop", "m", "uid-1")


@pytest.mark.parametrize(("status", "error"), [(404, NotFound), (409, Conflict), (422, Refused), (503, Unavailable)])
async def test_one_request_per_call_whatever_the_answer(
    cluster: KubeCluster, server: ApiServer, calls: list[tuple[str, str, str]], status: int, error: type[Exception]
) -> None:
    answers(server, status, reason="R", message="the words")
    with pytest.raises(error, match="the words"):
        await cluster.get("Deployment", "shop", "m")
    assert len(server.seen) == 1
    assert calls == [("get", "Deployment", str(status))]


async def test_an_answer_that_does_not_come_is_unavailable(
    cluster: KubeCluster,
    server: ApiServer,
    calls: list[tuple[str, str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client_module, "LIST_TIMEOUT", 0.05)
    server.hold = asyncio.Event()

    async def page(_: list[Any]) -> None:
        raise AssertionError("there is no page")

    with pytest.raises(Unavailable, match=r"list Pod /api/v1/pods: no answer within 0\.05 s"):
        await cluster.list("Pod", None, "", page)
    server.hold.set()
    assert calls == [("list", "Pod", "timeout")]


async def test_a_server_that_is_not_there_is_unavailable(calls: list[tuple[str, str, str]]) -> None:
    with_nobody = KubeCluster(ApiClient(Configuration(host="http://127.0.0.1:9")), lambda *call: calls.append(call))
    with pytest.raises(Unavailable):
        await with_nobody.get("Pod", "shop", "p")
    await with_nobody.close()
    assert calls == [("get", "Pod", "connection")]


async def test_a_listing_is_read_page_by_page(cluster: KubeCluster, server: ApiServer) -> None:
    pages = [
        {"metadata": {"resourceVersion": "40", "continue": "more"}, "items": [{"metadata": {"name": "a"}}]},
        {"metadata": {"resourceVersion": "40"}, "items": [{"metadata": {"name": "b"}}]},
    ]
    server.answer = lambda: web.json_response(pages[len(server.seen) - 1])
    found: list[Any] = []

    async def page(objects: list[Any]) -> None:
        found.extend(objects)

    assert await cluster.list("Service", "shop", "a=b", page) == 40
    assert [(one["kind"], one["metadata"]["name"]) for one in found] == [("Service", "a"), ("Service", "b")]
    assert [query for *_, query, _ in server.seen] == [
        {"limit": "500", "labelSelector": "a=b"},
        {"limit": "500", "labelSelector": "a=b", "continue": "more"},
    ]


async def test_a_token_that_was_rotated_is_used_from_the_next_request_on(
    cluster: KubeCluster, server: ApiServer
) -> None:
    await cluster.get("Pod", "shop", "p")
    configuration = cluster._api.configuration
    configuration.refresh_api_key_hook = lambda conf: conf.api_key.update(BearerToken="bearer second")
    await cluster.get("Pod", "shop", "p")
    assert [headers["Authorization"] for headers in server.headers] == ["bearer first", "bearer second"]
