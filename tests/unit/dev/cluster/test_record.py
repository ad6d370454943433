"""The record of the running cluster survives a write and a read, and leads others to it."""

from __future__ import annotations

from pathlib import Path

from sluice_dev.cluster.record import Record, read_record


def test_what_is_written_is_read(tmp_path: Path) -> None:
    record = Record("/checkout", {"api": 16443}, {"etcd": (12, 3456)}, ready=True)
    record.write(tmp_path / "run" / "cluster.json")
    assert read_record(tmp_path / "run" / "cluster.json") == record


def test_without_a_cluster_there_is_no_record(tmp_path: Path) -> None:
    assert read_record(tmp_path / "cluster.json") is None
