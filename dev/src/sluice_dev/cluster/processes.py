"""How the node's daemons are started, recognised again, and stopped. Never by name: another node may run here too."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from sluice_dev.cluster.errors import ClusterError

Identity = tuple[int, int]
"""(pid, start time in clock ticks since boot): a pid alone may be somebody else's by now."""


def start(argv: Sequence[str], log: Path, *, cwd: Path, pass_fds: Sequence[int] = ()) -> Identity:
    """Starts a daemon that outlives us; its output goes to `log`."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            list(argv),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            pass_fds=pass_fds,
        )
    # Nobody waits for it: it is meant to outlive this process. Python would warn about that.
    process.returncode = 0
    begin = start_time(process.pid)
    if begin is None:
        raise ClusterError(f"{argv[0]} ended at once: see {log}")
    return process.pid, begin


def start_time(pid: int) -> int | None:
    """When the process was started, in clock ticks since boot; None when there is none, or only its zombie."""
    try:
        # The name in parentheses may hold spaces; what follows it does not (proc(5): state is field 3, starttime 22).
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def alive(identity: Identity) -> bool:
    pid, begin = identity
    return start_time(pid) == begin


def wait_for(what: str, condition: Callable[[], bool], seconds: float, hint: str = "", interval: float = 0.1) -> None:
    """Waits until `condition` holds. Raises ClusterError that names `what`, after `seconds`, with the hint."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise ClusterError(f"{what}: not so after {seconds:g} s. {hint}".strip())
        time.sleep(interval)


def kill_all(find: Callable[[], Iterable[int]], seconds: float = 20) -> None:
    """Kills what `find` returns until it returns nothing; a dying process may still have started another one."""

    def none_left() -> bool:
        found = [pid for pid in find() if start_time(pid) is not None]
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        return not found

    wait_for("the cluster's processes end", none_left, seconds, "one of them hangs in the kernel: see `ps axl`")
