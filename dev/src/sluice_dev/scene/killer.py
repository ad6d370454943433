"""The operator's processes are killed again and again (SIGKILL). Only on the embedded cluster."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from types import TracebackType

import urllib3

from sluice_dev.cluster import ClusterError
from sluice_dev.scene.api import Api, ApiError, Object
from sluice_dev.scene.freeze import crash
from sluice_dev.scene.operators import pods


class Killer:
    """While it is entered, all replicas of the operator are killed every `seconds`. moments: when, since the epoch."""

    def __init__(self, api: Api, seconds: float) -> None:
        self.moments: list[float] = []
        self._seconds = seconds
        self._api = api
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._kill, name="killer", daemon=True)

    def __enter__(self) -> Killer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join(60)

    def _kill(self) -> None:
        while not self._end.wait(self._seconds):
            # The API server may be slow while a machine is busy: the next kill is soon.
            with suppress(ApiError, urllib3.exceptions.HTTPError):
                killed = [self._crash(pod) for pod in pods(self._api)]
                if any(killed):
                    self.moments.append(time.time())

    def _crash(self, pod: Object) -> bool:
        try:
            crash(pod, "operator")
        except ClusterError:
            return False  # it has not come back from the last time
        return True
