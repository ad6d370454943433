"""Lines of Envoy's access log as they lie on a node's disk."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sluice_dev.cluster import Cluster, ClusterError
from sluice_dev.load.accesslog import AccessLog, parse

HOST = "delay.example"


def entry(**changes: Any) -> bytes:
    """A line as the container runtime writes it."""
    content = {
        "authority": HOST,
        "duration": 7,
        "path": "/v2/models/m/infer?request=ab12-5",
        "response_code": 200,
        "response_code_details": "via_upstream",
        "response_flags": "-",
        "start_time": "2026-01-31T12:00:00.250000Z",
        "upstream_host": "10.244.0.9:8080",
        "x-sluice-revision": "6f9c41d2",
        **changes,
    }
    return b"2026-01-31T12:00:00.300000001Z stdout F " + json.dumps(content, separators=(",", ":")).encode() + b"\n"


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    """A cluster of which only the log folder is looked at."""
    return Cluster(Path("none"), pod_log_dir=tmp_path)


@pytest.fixture
def log_file(tmp_path: Path) -> Path:
    """The log of the gateway's proxy."""
    folder = tmp_path / "envoy-gateway-system_envoy-gateway-public-1_uid" / "envoy"
    folder.mkdir(parents=True)
    file = folder / "0.log"
    file.touch()
    return file


def test_a_request_that_a_pod_answered() -> None:
    """Time, duration in seconds, revision, and the client's id out of the query."""
    request = parse(entry())
    assert request.start == 1769860800.25
    assert request.duration == 0.007
    assert (request.code, request.revision, request.upstream) == (200, "6f9c41d2", "10.244.0.9:8080")
    assert request.request_id == "ab12-5"
    assert not request.failed


def test_a_request_that_no_pod_was_asked_for() -> None:
    """Envoy writes null for what there was not."""
    lost = {"response_code": 503, "response_flags": "NC", "upstream_host": None, "x-sluice-revision": None}
    request = parse(entry(**lost, path="/v2"))
    assert request.failed
    assert (request.flags, request.upstream, request.revision, request.request_id) == ("NC", "", "", "")


def test_only_news_of_the_own_host_is_read(cluster: Cluster, log_file: Path) -> None:
    """What was there before does not count, others' requests neither; a line that is not complete yet waits."""
    log_file.write_bytes(entry())
    log = AccessLog(cluster, HOST)
    whole = entry(start_time="2026-01-31T12:00:02.000000Z", path="/v2?request=ab12-6")
    with log_file.open("ab") as file:
        file.write(entry(authority="other.example") + whole + whole[:40])
    assert [request.request_id for request in log.read()] == ["ab12-6"]
    with log_file.open("ab") as file:
        file.write(whole[40:])
    assert [request.request_id for request in log.read()] == ["ab12-6"]
    assert log.read() == []


def test_a_line_that_does_not_come_is_an_error(cluster: Cluster, log_file: Path) -> None:
    """With the request's id."""
    with pytest.raises(ClusterError, match="ab12-9"):
        AccessLog(cluster, HOST).read_until("ab12-9", seconds=0.2)


def test_a_cluster_of_ones_own_has_no_disk_here(cluster: Cluster) -> None:
    """The error says what to use."""
    with pytest.raises(ClusterError, match="embedded"):
        AccessLog(replace(cluster, pod_log_dir=None), HOST)
