"""The Kubernetes API as the operator uses it: `ports.Cluster` over the official asyncio client."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from kubernetes.aio.client import ApiClient

from sluice.adapters.kube.answers import another_has_the_name, read_object
from sluice.adapters.kube.connection import CONNECT_TIMEOUT
from sluice.adapters.kube.kinds import KINDS
from sluice.api.names import FIELD_MANAGER
from sluice.ports import Conflict, NotFound, Object, Unavailable

REQUEST_TIMEOUT = 4.0
"""Seconds for one request from sending to the last byte. Less than what a lease outlives its last renewal by
(15 s duration - 10 s deadline): a write sent by a leader that just lost its lease is over before the next one acts."""

LIST_TIMEOUT = 30.0
"""Seconds for one page of a listing: no write waits for it."""

PAGE = 500
"""Objects per page of a listing."""

CountCall = Callable[[str, str, str], None]
"""Called once per request with (verb, kind, code); code is the HTTP status, or `timeout` or `connection`."""

_APPLY = "application/apply-patch+yaml"
_MERGE = "application/merge-patch+json"
_JSON = "application/json"
_WRITER = {"fieldManager": FIELD_MANAGER}


def ignore_call(verb: str, kind: str, code: str) -> None:
    """Counts nothing."""


_METHODS: Mapping[str, str] = {
    "get": "GET",
    "list": "GET",
    "apply": "PATCH",
    "patch": "PATCH",
    "create": "POST",
    "replace_status": "PUT",
    "delete": "DELETE",
}


@dataclass(frozen=True, slots=True)
class _Request:
    """One request. timeout: seconds until the last byte of the answer."""

    verb: str
    kind: str
    path: str
    body: Object | None = None
    content: str = _JSON
    query: Mapping[str, str] = field(default_factory=dict)
    timeout: float = REQUEST_TIMEOUT


class KubeCluster:
    """`ports.Cluster` on a real API server. One request per call: nothing is retried in here.

    api: a connected client; it is closed by `close`. count: told about every request.
    """

    def __init__(self, api: ApiClient, count: CountCall = ignore_call) -> None:
        self._api = api
        self._count = count

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()

    async def get(self, kind: str, namespace: str, name: str) -> Object:
        """See ports.Cluster."""
        return await self._send(_Request("get", kind, KINDS[kind].path(namespace, name)))

    async def apply(self, kind: str, manifest: Object) -> Object:
        """See ports.Cluster."""
        query = {**_WRITER, "force": "true"}
        return await self._send(_Request("apply", kind, _path(kind, manifest), manifest, _APPLY, query))

    async def create(self, kind: str, manifest: Object) -> Object:
        """See ports.Cluster."""
        path = KINDS[kind].path(manifest["metadata"].get("namespace"))
        return await self._send(_Request("create", kind, path, manifest, query=_WRITER))

    async def patch(self, kind: str, namespace: str, name: str, patch: Object) -> Object:
        """See ports.Cluster."""
        return await self._send(_Request("patch", kind, KINDS[kind].path(namespace, name), patch, _MERGE, _WRITER))

    async def replace_status(self, kind: str, manifest: Object) -> Object:
        """See ports.Cluster."""
        path = _path(kind, manifest, "status")
        return await self._send(_Request("replace_status", kind, path, manifest, query=_WRITER))

    async def delete(self, kind: str, namespace: str, name: str, uid: str) -> None:
        """See ports.Cluster."""
        options = {"propagationPolicy": "Background", "preconditions": {"uid": uid}}
        try:
            await self._send(_Request("delete", kind, KINDS[kind].path(namespace, name), options))
        except NotFound:
            return
        except Conflict as conflict:
            if not another_has_the_name(conflict):
                raise

    async def list(
        self, kind: str, namespace: str | None, labels: str, page: Callable[[list[Object]], Awaitable[None]]
    ) -> int:
        """List objects page by page, as they were at one moment; returns the resourceVersion of that moment.

        namespace: None for all. labels: a label selector, "" for every object. page: awaited with each page's objects.
        Raises Unavailable (also when the listing took so long that the server forgot its moment), Refused, NotFound.
        """
        query = {"limit": str(PAGE)}
        if labels:
            query["labelSelector"] = labels
        path = KINDS[kind].path(namespace)
        # Items of a list carry neither kind nor apiVersion.
        head = {"apiVersion": KINDS[kind].api_version, "kind": kind}
        while True:
            answer = await self._send(_Request("list", kind, path, query=dict(query), timeout=LIST_TIMEOUT))
            await page([head | item for item in answer.get("items") or ()])
            metadata = answer["metadata"]
            if not metadata.get("continue"):
                return int(metadata["resourceVersion"])
            query["continue"] = metadata["continue"]

    async def read_path(self, path: str) -> Object:
        """GET of a path that is no object of the table: `/version`, `/apis/<group>/<version>`. Raises as `get`."""
        return await self._send(_Request("get", "path", path))

    async def _send(self, request: _Request) -> Object:
        what = f"{request.verb} {request.kind} {request.path}"
        try:
            status, data = await self._exchange(request)
        except TimeoutError as late:
            self._count(request.verb, request.kind, "timeout")
            raise Unavailable(f"{what}: no answer within {request.timeout:g} s") from late
        except (aiohttp.ClientError, OSError) as lost:
            self._count(request.verb, request.kind, "connection")
            raise Unavailable(f"{what}: {lost or type(lost).__name__}") from lost
        self._count(request.verb, request.kind, str(status))
        return read_object(what, status, data)

    async def _exchange(self, request: _Request) -> tuple[int, bytes]:
        """(HTTP status, body). Raises TimeoutError, aiohttp.ClientError, OSError."""
        method, url, headers, body, _ = await self._api.param_serialize(
            _METHODS[request.verb],
            request.path,
            query_params=list(request.query.items()),
            header_params={"Accept": _JSON, "Content-Type": request.content},
            body=request.body,
            auth_settings=["BearerToken"],
        )
        deadline = aiohttp.ClientTimeout(total=request.timeout, connect=CONNECT_TIMEOUT)
        response: Any = await self._api.call_api(method, url, headers, body, _request_timeout=deadline)
        return response.status, await response.read()


def _path(kind: str, manifest: Object, subresource: str | None = None) -> str:
    metadata = manifest["metadata"]
    return KINDS[kind].path(metadata.get("namespace"), metadata["name"], subresource)
