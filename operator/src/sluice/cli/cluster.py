"""What is asked of the Kubernetes API: four requests about ModelDeployments, as plain dicts, and errors in sentences.

The client library is imported when a cluster is first needed: `--help` and `lint` do without it.
"""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sluice.api.names import GROUP, KIND, PLURAL, VERSION
from sluice.cli.errors import Denied, NoCluster, NotFound, Refused, Unreachable
from sluice.cli.kubeconfig import choose

Object = dict[str, Any]

PATIENCE: Final = (5.0, 30.0)
"""Seconds to connect, and without a byte of the answer."""
WATCH_SECONDS: Final = 60
"""A watch is asked for this long, then for as long again."""
LATER: Final = frozenset({429, 500, 502, 503, 504})
"""HTTP codes that pass by themselves."""
INSTALL: Final = "see docs/how-to/install.md"


class Expired(Exception):
    """A watch cannot go on from where it was: the object must be read again."""


@dataclass(frozen=True, slots=True)
class Events:
    """One watch. Iterating raises Expired, or a PluginError; `stop` ends it from another thread."""

    events: Iterator[tuple[str, Object]]
    stop: Callable[[], None]

    def __iter__(self) -> Iterator[tuple[str, Object]]:
        return self.events


@dataclass(frozen=True, slots=True)
class Door:
    """url: of the API server. headers, verify, cert: what goes with a request, as the library requests takes it."""

    url: str
    headers: dict[str, str] = field(repr=False)
    verify: bool | str
    cert: tuple[str, str] | None


class Cluster:
    """ModelDeployments of one cluster. Thread-safe.

    where: the API server's address and the context, for messages. namespace: the context's.
    """

    def __init__(self, api: Any, where: str, namespace: str) -> None:
        self.where = where
        self.namespace = namespace
        self._api = api

    @classmethod
    def connect(cls, kubeconfig: Path | None = None, context: str | None = None) -> "Cluster":
        """The cluster that kubectl would talk to. Nothing is asked of it yet. Raises NoCluster."""
        from kubernetes import config  # noqa: PLC0415 - see the top
        from kubernetes.client import ApiClient, Configuration, CustomObjectsApi  # noqa: PLC0415

        choice = choose(kubeconfig, context)
        settings = Configuration()
        try:
            if choice.files:
                config.load_kube_config(
                    config_file=os.pathsep.join(map(str, choice.files)),
                    context=choice.context,
                    client_configuration=settings,
                )
            else:
                config.load_incluster_config(client_configuration=settings)
        except (config.ConfigException, OSError, ValueError, KeyError, TypeError) as error:
            files = ", ".join(map(str, choice.files)) or "this pod's ServiceAccount"
            raise NoCluster(
                f"{files}: context {choice.context} is incomplete: {_one_line(error)}; correct it"
            ) from error
        settings.retries = 0  # an answer at once; who watches tries again by themselves
        named = f" (context {choice.context})" if choice.context else ""
        return cls(CustomObjectsApi(ApiClient(settings)), f"{settings.host}{named}", choice.namespace)

    def list(self, namespace: str | None) -> list[Object]:
        """All of a namespace, or of all namespaces."""
        with self._explained("list", namespace):
            if namespace is None:
                answer = self._api.list_cluster_custom_object(GROUP, VERSION, PLURAL, _request_timeout=PATIENCE)
            else:
                answer = self._api.list_namespaced_custom_object(
                    GROUP, VERSION, namespace, PLURAL, _request_timeout=PATIENCE
                )
        items: list[Object] = answer["items"]
        return items

    def get(self, namespace: str, name: str) -> Object:
        """One ModelDeployment. Raises NotFound."""
        with self._explained("get", namespace, name):
            found: Object = self._api.get_namespaced_custom_object(
                GROUP, VERSION, namespace, PLURAL, name, _request_timeout=PATIENCE
            )
        return found

    def config_map(self, namespace: str, name: str) -> dict[str, str]:
        """The data of a ConfigMap. Raises NotFound, Denied, Unreachable."""
        from kubernetes.client import CoreV1Api  # noqa: PLC0415 - see the top

        with self._explained("get", namespace, name, f"ConfigMap {namespace}/{name}"):
            found = CoreV1Api(self._api.api_client).read_namespaced_config_map(
                name, namespace, _request_timeout=PATIENCE
            )
        return dict(found.data or {})

    def door(self) -> "Door":
        """How the API server is reached by somebody who is not its client library."""
        settings, headers = self._api.api_client.configuration, dict[str, str]()
        self._api.api_client.update_params_for_auth(headers, [], ["BearerToken"], "/", "GET", None)
        return Door(
            settings.host,
            headers,
            (settings.ssl_ca_cert or True) if settings.verify_ssl else False,
            (settings.cert_file, settings.key_file) if settings.cert_file else None,
        )

    def annotate(self, namespace: str, name: str, annotation: str, value: str) -> Object:
        """As `kubectl annotate --overwrite`. Raises NotFound."""
        with self._explained("patch", namespace, name):
            written: Object = self._api.patch_namespaced_custom_object(
                GROUP,
                VERSION,
                namespace,
                PLURAL,
                name,
                {"metadata": {"annotations": {annotation: value}}},
                field_manager="kubectl-sluice",
                _request_timeout=PATIENCE,
            )
        return written

    def watch(self, namespace: str, name: str, since: str) -> "Events":
        """(ADDED, MODIFIED or DELETED, object) after the resourceVersion `since`, for a minute."""
        from kubernetes.watch import Watch  # noqa: PLC0415 - see the top

        watch = Watch()
        return Events(self._events(watch, namespace, name, since), watch.stop)

    def _events(self, watch: Any, namespace: str, name: str, since: str) -> Iterator[tuple[str, Object]]:
        with self._explained("watch", namespace, name):
            for event in watch.stream(
                self._api.list_namespaced_custom_object,
                GROUP,
                VERSION,
                namespace,
                PLURAL,
                field_selector=f"metadata.name={name}",
                resource_version=since,
                timeout_seconds=WATCH_SECONDS,
                _request_timeout=(PATIENCE[0], WATCH_SECONDS + 10.0),
            ):
                yield event["type"], event["object"]

    @contextmanager
    def _explained(self, verb: str, namespace: str | None, name: str = "", what: str = "") -> Iterator[None]:
        from kubernetes.client import ApiException  # noqa: PLC0415 - see the top
        from urllib3.exceptions import HTTPError  # noqa: PLC0415

        try:
            yield
        except ApiException as refusal:
            raise self._refusal(refusal, verb, namespace, name, what) from refusal
        except (HTTPError, OSError) as error:
            raise Unreachable(
                f"{self.where} does not answer: {_reason(error)}; is it up, and is it the right context?"
            ) from error

    def _refusal(self, refusal: Any, verb: str, namespace: str | None, name: str, other: str) -> Exception:
        """What an answer that is none means to a person. other: what is no ModelDeployment."""
        told = _told(refusal.body)
        code, words = refusal.status, _one_line(told.get("message") or refusal.reason or refusal.body)
        if other:
            what = other
        elif name:
            what = f"{KIND} {namespace}/{name}"
        else:
            what = f"{KIND}s in {f'namespace {namespace}' if namespace else 'all namespaces'}"
        found: Exception = Refused(f"{self.where} refuses to {verb} {what}: {words} ({code})")
        if code == 410:
            found = Expired()
        elif code == 401:
            found = Denied(f"{self.where} does not know you ({words}); log in again, as for kubectl")
        elif code == 403 and other:
            found = Denied(f"you may not {verb} {what}: {words}")
        elif code == 404 and other:
            found = NotFound(f"there is no {what}")
        elif code == 403:
            role = "edit" if verb == "patch" else "view"
            found = Denied(f"you may not {verb} {what}: {words}; ask for the role {role} in that namespace")
        elif code == 404 and name and told.get("kind") == "Status":
            found = NotFound(f"there is no {what}; `kubectl sluice list -A` shows those that exist")
        elif code == 404:
            found = NotFound(f"{self.where} has no {KIND}s: Sluice is not installed there; {INSTALL}")
        elif code in LATER:
            found = Unreachable(f"{self.where} cannot answer now ({code}: {words}); try again")
        return found


def _told(body: Any) -> dict[str, Any]:
    """The Status object of the API server; empty when somebody else answered, or the path does not exist."""
    try:
        answer = json.loads(body or "")
    except (TypeError, ValueError):
        return {}
    return answer if isinstance(answer, dict) else {}


def _reason(error: BaseException) -> str:
    """The innermost words of an error of the transport: `Connection refused` out of four layers of it."""
    inner = getattr(error, "reason", None)
    if isinstance(inner, BaseException):
        return _reason(inner)
    cause = error.__cause__ or error.__context__
    words = getattr(error, "strerror", None) or (getattr(cause, "strerror", None) if cause else None)
    return _one_line(words or error)


def _one_line(said: object) -> str:
    return " ".join(str(said).split()).rstrip(".")
