"""A small API server of ModelDeployments on loopback: list, get, patch and watch, as JSON over real HTTP."""

import copy
import json
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Object = dict[str, Any]
BASE = "/apis/sluice.dev/v1alpha1"
LONGEST_WATCH = 0.1
"""Seconds that a watch without news lasts: whoever ends one waits so long."""


class _Server(ThreadingHTTPServer):
    """A client that hangs up is no error: the standard library prints one, into the output of whoever is tested."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print what went wrong, unless the client is just gone."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class FakeApi:
    """A context manager. `operator` is called with each object that was annotated, and may write what it decides.

    answer: (status, body) for all requests from now on, answer_to_patch: for those that write; None: it works.
    down: it hangs up without an answer.
    silent: it takes watches and never answers them.
    pages: other paths, and what is answered there to a query: a JSON object.
    """

    def __init__(self) -> None:
        self.answer: tuple[int, str] | None = None
        self.answer_to_patch: tuple[int, str] | None = None
        self.down = False
        self.silent = False
        self.pages: dict[str, Callable[[dict[str, str]], Object]] = {}
        self.closing = threading.Event()
        self.watches = 0
        self.patches: list[Object] = []
        self.operator: Callable[[Object], None] = lambda _: None
        self._objects: dict[tuple[str, str], Object] = {}
        self._history: list[tuple[int, str, Object]] = []
        self._at_watch: list[Callable[[], None]] = []
        self._at_refusal: list[Callable[[], None]] = []
        self._version = 100
        self._oldest = 0
        self._changed = threading.Condition()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        """http://127.0.0.1:port"""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "FakeApi":
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def when_watched(self, act: Callable[[], None]) -> None:
        """Something happens when the next watch comes, before it is answered."""
        self._at_watch.append(act)

    def when_turned_away(self, act: Callable[[], None]) -> None:
        """Something happens when the next request comes while it is down."""
        self._at_refusal.append(act)

    def put(self, found: Object) -> None:
        """As created, or as changed by anybody."""
        self._note("MODIFIED", found)

    def remove(self, found: Object) -> None:
        """As deleted."""
        self._note("DELETED", found)

    def forget(self) -> None:
        """As after a compaction: watches from before are too old."""
        with self._changed:
            self._oldest = self._version + 1
            self._version += 1
            self._changed.notify_all()

    def _note(self, change: str, found: Object) -> None:
        with self._changed:
            self._version += 1
            found = copy.deepcopy(found)
            found["metadata"]["resourceVersion"] = str(self._version)
            key = (found["metadata"]["namespace"], found["metadata"]["name"])
            if change == "DELETED":
                self._objects.pop(key, None)
            else:
                self._objects[key] = found
            self._history.append((self._version, change, found))
            self._changed.notify_all()

    # --- answers -----------------------------------------------------------------------------------------------------

    def all_of(self, namespace: str) -> list[Object]:
        """All of a namespace; of an empty one: all."""
        return [found for (where, _), found in self._objects.items() if namespace in ("", where)]

    def get(self, namespace: str, name: str) -> Object | None:
        """One, or None."""
        return self._objects.get((namespace, name))

    def patch(self, namespace: str, name: str, patch: Object) -> Object | None:
        """Annotations only."""
        known = self.get(namespace, name)
        if known is None:
            return None
        self.patches.append(patch)
        found = copy.deepcopy(known)
        found["metadata"].setdefault("annotations", {}).update(patch["metadata"]["annotations"])
        self.put(found)
        self.operator(copy.deepcopy(found))
        return found

    def events(self, since: int, name: str) -> tuple[list[tuple[int, str, Object]], bool]:
        """Those after a version, waited for for a moment; and whether that version is too old."""
        with self._changed:
            if since < self._oldest:
                return [], True
            self._changed.wait_for(lambda: self._version > since, LONGEST_WATCH)
            if since < self._oldest:
                return [], True
            return [
                event for event in self._history if event[0] > since and event[2]["metadata"]["name"] == name
            ], False


def _run_once(acts: list[Callable[[], None]]) -> None:
    while acts:
        acts.pop(0)()


def _handler(api: FakeApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            self._answer(None)

        def do_PATCH(self) -> None:
            content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert self.headers["Content-Type"] == "application/merge-patch+json"
            self._answer(content)

        def _answer(self, patch: Object | None) -> None:
            if api.down:
                _run_once(api._at_refusal)
                self.close_connection = True
                return
            refusal = api.answer or (api.answer_to_patch if patch is not None else None)
            if refusal is not None:
                self._send(*refusal)
                return
            url = urlsplit(self.path)
            query = {key: values[0] for key, values in parse_qs(url.query).items()}
            if url.path in api.pages:
                assert self.headers["Authorization"] == "Bearer secret"
                self._json(api.pages[url.path](query))
                return
            if not url.path.startswith(BASE):
                self._send(404, status(404, f"{url.path} not found"))
                return
            parts = url.path.removeprefix(BASE).strip("/").split("/")
            namespace = parts[1] if parts[0] == "namespaces" else ""
            name = parts[3] if len(parts) > 3 else ""
            if query.get("watch") in ("true", "True", "1"):
                self._watch(int(query["resourceVersion"]), query["fieldSelector"].removeprefix("metadata.name="))
            elif not name:
                self._json({"kind": "ModelDeploymentList", "items": api.all_of(namespace)})
            else:
                found = api.get(namespace, name) if patch is None else api.patch(namespace, name, patch)
                if found is None:
                    self._send(404, status(404, f'modeldeployments.sluice.dev "{name}" not found'))
                else:
                    self._json(found)

        def _watch(self, since: int, name: str) -> None:
            """One batch of events, then the end: whoever watches must come again."""
            api.watches += 1
            _run_once(api._at_watch)
            if api.silent:
                api.closing.wait()
            events, too_old = api.events(since, name)
            lines = [json.dumps({"type": change, "object": found}) for _, change, found in events]
            if too_old:
                gone = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}
                lines = [json.dumps({"type": "ERROR", "object": gone})]
            self._send(200, "".join(f"{line}\n" for line in lines))

        def _json(self, value: Object) -> None:
            self._send(200, json.dumps(value))

        def _send(self, code: int, body: str) -> None:
            content = body.encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    return Handler


def status(code: int, message: str) -> str:
    """What the API server sends with an error."""
    return json.dumps({"kind": "Status", "status": "Failure", "code": code, "message": message})
