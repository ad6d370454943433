"""A process is known by its pid and its start: a pid alone may be somebody else's by now."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sluice_dev.cluster.errors import ClusterError
from sluice_dev.cluster.processes import alive, kill_all, start, start_time, wait_for


def test_a_started_daemon_is_alive_until_it_is_killed(tmp_path: Path) -> None:
    identity = start([sys.executable, "-c", "import signal; signal.pause()"], tmp_path / "log", cwd=tmp_path)
    assert alive(identity)
    kill_all(lambda: [identity[0]])
    assert not alive(identity)


def test_another_process_with_the_same_pid_is_not_it() -> None:
    begin = start_time(os.getpid())
    assert begin is not None
    assert alive((os.getpid(), begin))
    assert not alive((os.getpid(), begin - 1))


def test_a_zombie_is_not_alive() -> None:
    child = subprocess.Popen(["true"])
    wait_for("the child ends", lambda: start_time(child.pid) is None, seconds=10)
    assert Path(f"/proc/{child.pid}").exists()  # nobody has waited for it yet
    child.wait()


def test_what_does_not_come_true_is_named() -> None:
    with pytest.raises(ClusterError, match=r"etcd answers: not so after 0 s\. see etcd\.log"):
        wait_for("etcd answers", lambda: False, seconds=0, hint="see etcd.log")


def test_the_output_of_a_daemon_goes_to_its_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    # It stays: one that has ended before it was looked at did not start.
    program = "import signal; print('I am up', flush=True); signal.pause()"
    identity = start([sys.executable, "-c", program], log, cwd=tmp_path)
    wait_for("the daemon writes", lambda: "I am up" in log.read_text(), seconds=30)
    kill_all(lambda: [identity[0]])
