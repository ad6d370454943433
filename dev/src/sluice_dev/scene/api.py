"""The Kubernetes API for those who look on: plain objects, server-side apply, and watches that go on by themselves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import urllib3
from kubernetes import config

Object = dict[str, Any]
WATCH_SECONDS = 60
"""A watch is asked for this long, then goes on where it was."""

_PREFIXES = {
    "ModelDeployment": "/apis/sluice.dev/v1alpha1/{ns}/modeldeployments",
    "HTTPRoute": "/apis/gateway.networking.k8s.io/v1/{ns}/httproutes",
    "Deployment": "/apis/apps/v1/{ns}/deployments",
    "ControllerRevision": "/apis/apps/v1/{ns}/controllerrevisions",
    "PodDisruptionBudget": "/apis/policy/v1/{ns}/poddisruptionbudgets",
    "Lease": "/apis/coordination.k8s.io/v1/{ns}/leases",
    "Event": "/apis/events.k8s.io/v1/{ns}/events",
    "Pod": "/api/v1/{ns}/pods",
    "Service": "/api/v1/{ns}/services",
    "ConfigMap": "/api/v1/{ns}/configmaps",
    "Namespace": "/api/v1/namespaces",
}


class ApiError(Exception):
    """The API server's refusal. code: HTTP status. message: its own words."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class Api:
    """Thread-safe. Every call raises ApiError, or urllib3's HTTPError when the server cannot be reached."""

    def __init__(self, kubeconfig: Path) -> None:
        client = config.new_client_from_config(config_file=str(kubeconfig))
        settings = client.configuration
        self._host = settings.host.rstrip("/")
        token = settings.get_api_key_with_prefix("BearerToken")
        self._headers = {"Accept": "application/json", **({"Authorization": token} if token else {})}
        self._pool = urllib3.PoolManager(
            maxsize=16,
            ca_certs=settings.ssl_ca_cert,
            cert_file=settings.cert_file,
            key_file=settings.key_file,
            cert_reqs="CERT_REQUIRED" if settings.verify_ssl else "CERT_NONE",
            retries=False,
        )

    def get(self, kind: str, namespace: str, name: str) -> Object:
        return self._json("GET", path(kind, namespace, name))

    def find(self, kind: str, namespace: str, name: str) -> Object | None:
        """As `get`, but None when there is no such object."""
        try:
            return self.get(kind, namespace, name)
        except ApiError as error:
            if error.code == 404:
                return None
            raise

    def list(self, kind: str, namespace: str, labels: str = "") -> list[Object]:
        query = f"?labelSelector={quote(labels)}" if labels else ""
        items: list[Object] = self._json("GET", path(kind, namespace) + query)["items"]
        return items

    def apply(self, manifest: Object, manager: str = "kubectl") -> Object:
        """Server-side apply with strict validation, as `kubectl apply --server-side` does it."""
        metadata = manifest["metadata"]
        where = path(manifest["kind"], metadata.get("namespace", ""), metadata["name"])
        query = f"?fieldManager={manager}&force=true&fieldValidation=Strict"
        return self._json("PATCH", where + query, manifest, "application/apply-patch+yaml")

    def patch(self, kind: str, namespace: str, name: str, patch: Object) -> Object:
        """JSON merge patch, as `kubectl annotate` and `kubectl patch --type merge` do it."""
        return self._json("PATCH", path(kind, namespace, name), patch, "application/merge-patch+json")

    def delete(self, kind: str, namespace: str, name: str, grace: int | None = None) -> None:
        """grace: seconds for the pod's end. What is gone already is fine."""
        options: Object = {"propagationPolicy": "Background"}
        if grace is not None:
            options["gracePeriodSeconds"] = grace
        try:
            self._json("DELETE", path(kind, namespace, name), options)
        except ApiError as error:
            if error.code != 404:
                raise

    def watch(self, kind: str, namespace: str, since: str) -> Iterator[tuple[str, Object]]:
        """(ADDED, MODIFIED or DELETED, object) after the resourceVersion `since`; ends after a minute."""
        query = f"?watch=1&resourceVersion={since}&timeoutSeconds={WATCH_SECONDS}&allowWatchBookmarks=true"
        timeout = urllib3.Timeout(connect=5, read=WATCH_SECONDS + 10)
        answer = self._pool.request(
            "GET", self._host + path(kind, namespace) + query, headers=self._headers, preload_content=False,
            timeout=timeout,
        )  # fmt: skip
        try:
            if answer.status != 200:
                raise _error(answer.status, answer.read())
            rest = b""
            for chunk in answer.stream(amt=None, decode_content=True):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        raise ApiError(event["object"].get("code", 0), event["object"].get("message", ""))
                    yield event["type"], event["object"]
        finally:
            answer.close()

    def listing(self, kind: str, namespace: str) -> Object:
        """The whole list object, with the resourceVersion to watch from."""
        return self._json("GET", path(kind, namespace))

    def _json(self, method: str, where: str, body: Object | None = None, content: str = "application/json") -> Object:
        answer = self._pool.request(
            method,
            self._host + where,
            body=None if body is None else json.dumps(body).encode(),
            headers={**self._headers, "Content-Type": content},
            timeout=urllib3.Timeout(connect=5, read=30),
        )
        if answer.status >= 300:
            raise _error(answer.status, answer.data)
        parsed: Object = json.loads(answer.data)
        return parsed


def path(kind: str, namespace: str, name: str = "") -> str:
    """The URL path of an object, or of all of a kind in a namespace."""
    base = _PREFIXES[kind].format(ns=f"namespaces/{namespace}")
    return f"{base}/{name}" if name else base


def _error(status: int, content: bytes) -> ApiError:
    try:
        message = json.loads(content).get("message", "")
    except ValueError:
        message = content.decode(errors="replace")
    return ApiError(status, message)
