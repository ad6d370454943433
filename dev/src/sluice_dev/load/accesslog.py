"""What did the gateway itself see? Envoy's access log, one line of JSON per request, read from the node's disk."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import orjson

from sluice_dev.cluster import Cluster, ClusterError
from sluice_dev.load.outcome import QUERY

ENVOY_PODS = "envoy-gateway-system_envoy-gateway-public-*/envoy/*.log"
"""Below the kubelet's podLogsDir: the proxies of Gateway gateway/public."""


@dataclass(frozen=True, slots=True)
class GatewayRequest:
    """One request as the gateway saw it.

    start: seconds since the epoch when its first byte arrived. duration: seconds. flags: Envoy's response flags, `-`
    for none. revision: the one that the route's filter named, empty if none was chosen. upstream: address of the pod
    that answered, empty if no pod was asked: a 503 of that kind is counted for no revision. request_id: the client's.
    """

    start: float
    duration: float
    code: int
    flags: str
    details: str
    revision: str
    upstream: str
    request_id: str

    @property
    def failed(self) -> bool:
        return self.code != 200


class AccessLog:
    """The lines about one host name, read on from where the last reading ended."""

    def __init__(self, cluster: Cluster, host: str) -> None:
        """Raises ClusterError for a cluster whose node's disk is not at hand."""
        if cluster.pod_log_dir is None:
            raise ClusterError("the gateway's access log is read from the node's disk: use the embedded cluster")
        self._folder = cluster.pod_log_dir
        self._host = f'"{host}"'.encode()
        self._positions: dict[Path, int] = {}
        for path in self._files():
            self._positions[path] = path.stat().st_size

    def read(self) -> list[GatewayRequest]:
        """Requests that were logged since the last call (or since it was opened), oldest first."""
        found = [request for path in self._files() for request in self._read(path)]
        return sorted(found, key=lambda request: request.start)

    def read_until(self, request_id: str, seconds: float = 10) -> list[GatewayRequest]:
        """As `read`, but waits for the line of this request. Raises ClusterError when it does not come."""
        deadline = time.monotonic() + seconds
        found = self.read()
        while all(request.request_id != request_id for request in found):
            if time.monotonic() > deadline:
                raise ClusterError(f"the gateway logged no request {request_id} within {seconds:g} s")
            time.sleep(0.1)
            found += self.read()
        return sorted(found, key=lambda request: request.start)

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob(ENVOY_PODS))

    def _read(self, path: Path) -> Iterator[GatewayRequest]:
        with path.open("rb") as log:
            log.seek(self._positions.get(path, 0))
            for line in log:
                if not line.endswith(b"\n"):
                    break
                self._positions[path] = self._positions.get(path, 0) + len(line)
                if self._host in line:
                    yield parse(line)


def parse(line: bytes) -> GatewayRequest:
    """A line of a container's log (CRI: time, stream, tag, text) that holds one access log entry."""
    entry = orjson.loads(line.split(b" ", 3)[3])
    return GatewayRequest(
        start=datetime.fromisoformat(entry["start_time"]).timestamp(),
        duration=float(entry["duration"] or 0) / 1000,
        code=int(entry["response_code"] or 0),
        flags=entry.get("response_flags") or "-",
        details=entry.get("response_code_details") or "",
        revision=entry.get("x-sluice-revision") or "",
        upstream=entry.get("upstream_host") or "",
        request_id=entry["path"].rpartition(f"?{QUERY}=")[2] if QUERY in entry["path"] else "",
    )
