"""Watches one namespace and remembers what happened in it. Waiting is done here: on what is seen, with a deadline."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

import urllib3

from sluice.api.names import KIND, LABEL_REVISION
from sluice_dev.scene.api import Api, ApiError, Object
from sluice_dev.scene.timeline import PodChange, Timeline, Weights, told_of, weights_of

WATCHED = (KIND, "HTTPRoute", "Pod", "Event")
AGAIN_SECONDS = 0.5


class NotInTime(Exception):
    """What was waited for did not come; the message says how things stood."""


class NoLonger(Exception):
    """What was to stay so did not; the message says how things stood."""


class Recorder:
    """A context manager: recording begins on entering it. Its views may be read by any thread.

    name: of the ModelDeployment.
    """

    def __init__(self, api: Api, namespace: str, name: str) -> None:
        self.namespace = namespace
        self.name = name
        self.timeline = Timeline()
        self._api = api
        self._objects: dict[str, dict[str, Object]] = {kind: {} for kind in WATCHED}
        self._changed = threading.Condition()
        self._closed = False
        self._begin = time.time()
        self._listed: set[str] = set()
        self._threads = [
            threading.Thread(target=self._follow, args=(kind,), name=f"{namespace}-{kind}", daemon=True)
            for kind in WATCHED
        ]

    def __enter__(self) -> Recorder:
        for thread in self._threads:
            thread.start()
        self.wait("the namespace is listed", lambda: len(self._listed) == len(WATCHED), 30)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # The threads are daemons and end with their current watch: nothing they do outlasts the process.
        self._closed = True

    # --- views -----------------------------------------------------------------------------------------------------

    @property
    def resource(self) -> Object:
        """The ModelDeployment as it was seen last; empty if there is none."""
        return self._objects[KIND].get(self.name, {})

    @property
    def status(self) -> dict[str, Any]:
        """Its status, empty until the operator has written one."""
        status: dict[str, Any] = self.resource.get("status", {})
        return status

    @property
    def stable(self) -> str:
        """Stable revision, or empty."""
        return str(self.status.get("stable", {}).get("revision", ""))

    @property
    def candidate(self) -> str:
        """Candidate revision, or empty."""
        return str(self.status.get("candidate", {}).get("revision", ""))

    @property
    def weights(self) -> dict[str, int]:
        """Percent by revision on the route."""
        route = self._objects["HTTPRoute"].get(self.name)
        return weights_of(route) if route else {}

    def condition(self, kind: str) -> tuple[str, str, str]:
        """(status, reason, message) of a condition, empty strings if there is none."""
        for condition in self.status.get("conditions", ()):
            if condition["type"] == kind:
                return condition["status"], condition["reason"], condition.get("message", "")
        return "", "", ""

    def rejected(self, revision: str) -> dict[str, Any] | None:
        """The entry of status.rejected, or None."""
        return next((e for e in self.status.get("rejected", ()) if e["revision"] == revision), None)

    def outcome(self, revision: str) -> str:
        """How the newest rollout of a revision ended; empty while it has not."""
        history = self.status.get("history", ())
        return next((str(entry["outcome"]) for entry in history if entry["revision"] == revision), "")

    def pods(self, revision: str = "") -> list[Object]:
        """Pods, of one revision if given."""
        with self._changed:
            pods = list(self._objects["Pod"].values())
        return [pod for pod in pods if not revision or _revision(pod) == revision]

    def events(self, reason: str = "") -> list[str]:
        """Messages of the Events on the ModelDeployment, of one reason if given, oldest first."""
        return [told.message for told in self.timeline.told if not reason or told.reason == reason]

    # --- waiting ---------------------------------------------------------------------------------------------------

    def wait(self, what: str, condition: Callable[[], object], seconds: float) -> None:
        """Until `condition` holds, asked after every change seen. Raises NotInTime."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while not condition():
                left = deadline - time.monotonic()
                if left <= 0:
                    raise NotInTime(f"{self.namespace}/{self.name}: {what}: not so after {seconds:g} s; {self.words()}")
                # Some conditions look at more than the watches: they are asked again at least each second.
                self._changed.wait(min(left, 1.0))

    def stays(self, what: str, holds: Callable[[], object], seconds: float) -> None:
        """Looks on for some seconds, at every change. Raises NoLonger as soon as `holds` does not."""
        end = time.monotonic() + seconds
        self.wait(f"{seconds:g} s have passed", lambda: not holds() or time.monotonic() >= end, seconds + 5)
        if not holds():
            raise NoLonger(f"{self.namespace}/{self.name}: no longer so: {what}; {self.words()}")

    def words(self) -> str:
        """How things stand, in one line."""
        conditions = ", ".join(
            f"{c['type']}={c['status']}/{c['reason']}" for c in self.status.get("conditions", ()) if c["reason"]
        )
        return (
            f"stable {self.stable or 'none'}, candidate {self.candidate or 'none'}, weights {self.weights}, "
            f"{conditions or 'no conditions'}; Stalled: {self.condition('Stalled')[2]}; "
            f"Reconciling: {self.condition('Reconciling')[2]}"
        )

    # --- watching --------------------------------------------------------------------------------------------------

    def _follow(self, kind: str) -> None:
        since = ""
        while not self._closed:
            try:
                if not since:
                    listing = self._api.listing(kind, self.namespace)
                    since = listing["metadata"]["resourceVersion"]
                    self._relist(kind, listing["items"])
                for change, found in self._api.watch(kind, self.namespace, since):
                    since = found["metadata"]["resourceVersion"]
                    if change != "BOOKMARK":
                        self._take(kind, change, found)
                    if self._closed:
                        return
            except (ApiError, urllib3.exceptions.HTTPError, OSError):
                # Too old a version, or the server went away for a moment: from a new listing on.
                since = ""
                time.sleep(AGAIN_SECONDS)

    def _relist(self, kind: str, items: list[Object]) -> None:
        names = {item["metadata"]["name"] for item in items}
        for gone in [known for known in self._objects[kind] if known not in names]:
            self._take(kind, "DELETED", self._objects[kind][gone])
        for item in items:
            known = self._objects[kind].get(item["metadata"]["name"])
            if not known or known["metadata"]["resourceVersion"] != item["metadata"]["resourceVersion"]:
                self._take(kind, "ADDED", item)
        with self._changed:
            self._listed.add(kind)
            self._changed.notify_all()

    def _take(self, kind: str, change: str, found: Object) -> None:
        now, name = time.time(), found["metadata"]["name"]
        with self._changed:
            before = self._objects[kind].get(name)
            if change == "DELETED":
                self._objects[kind].pop(name, None)
            else:
                self._objects[kind][name] = found
            self._note(kind, now, before, None if change == "DELETED" else found)
            self._changed.notify_all()

    def _note(self, kind: str, now: float, before: Object | None, after: Object | None) -> None:
        subject = after or before or {}
        if kind == "Pod":
            self.timeline.pods.extend(
                PodChange(now, subject["metadata"]["name"], _revision(subject), what)
                for what in pod_changes(before, after)
            )
        elif kind == "Event" and after is not None and before is None:
            about, told = after.get("regarding", {}), told_of(after)
            # Those of an earlier recording live on for an hour.
            if about.get("kind") == KIND and about.get("name") == self.name and told.at >= self._begin:
                self.timeline.told.append(told)
        elif subject["metadata"]["name"] != self.name:
            return
        elif kind == KIND and after is not None and after.get("status"):
            self.timeline.statuses.append((now, after["status"]))
        elif kind == "HTTPRoute":
            percent = weights_of(after) if after else {}
            if not self.timeline.weights or self.timeline.weights[-1].percent != percent:
                self.timeline.weights.append(Weights(now, percent))


def pod_changes(before: Object | None, after: Object | None) -> list[str]:
    """What is different about a pod, in the words of PodChange."""
    if after is None:
        return ["gone"]
    changes = [] if before else ["appeared"]
    was, now = _state(before), _state(after)
    if now[0] != was[0]:
        changes.append("ready" if now[0] else "unready")
    if now[1] > was[1]:
        changes.append("restarted")
    if now[2] and not was[2]:
        changes.append("leaving")
    return changes


def ready(pod: Object) -> bool:
    """It answers, and is not about to leave."""
    answers, _, leaving = _state(pod)
    return answers and not leaving


def restarts(pod: Object) -> int:
    """How often its containers were started again."""
    return sum(c.get("restartCount", 0) for c in pod.get("status", {}).get("containerStatuses", ()))


def exits(pod: Object) -> int:
    """How often its containers ended: as often as they were started again, and once more while one is down."""
    statuses = pod.get("status", {}).get("containerStatuses", ())
    return restarts(pod) + sum(_down(status) for status in statuses)


def _down(status: Object) -> bool:
    """Ended and not started again; one that was never started has not ended."""
    state = status.get("state", {})
    return "terminated" in state or ("running" not in state and "terminated" in status.get("lastState", {}))


def _state(pod: Object | None) -> tuple[bool, int, bool]:
    """(ready, restarts, being deleted)"""
    if pod is None:
        return False, 0, False
    conditions = pod.get("status", {}).get("conditions", ())
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
    return ready, restarts(pod), bool(pod["metadata"].get("deletionTimestamp"))


def _revision(pod: Object) -> str:
    return str(pod["metadata"].get("labels", {}).get(LABEL_REVISION, ""))
