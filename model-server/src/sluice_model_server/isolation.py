"""Does the model load and answer without taking the process along?

A tampered or broken file can end a process in native code. So a forked child tries first: if it dies, the server says
so in one line instead of vanishing. Forking after the imports costs a few milliseconds; a fresh interpreter would
import scikit-learn again (1.5 s of CPU).
"""

import multiprocessing
import resource
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

from sluice_model_server.errors import ModelBroken, ModelServerError


def check_in_child(check: Callable[[], object], subject: str, *, seconds: float, memory: int | None = None) -> None:
    """Runs `check` in a forked child. Must run before this process starts threads.

    subject: what errors call it. seconds: time the child gets. memory: bytes that it may take on top of what this
    process has; None: no limit.
    Raises ModelBroken when the check raises a ModelServerError (with its text), ends the process, or takes too long.
    """
    context = multiprocessing.get_context("fork")
    receiving, sending = context.Pipe(duplex=False)
    child = context.Process(target=_try, args=(check, sending, memory), daemon=True)
    child.start()
    sending.close()
    try:
        child.join(seconds)
        if child.is_alive():
            child.kill()
            child.join()
            raise ModelBroken(f"{subject}: the model did not load and answer within {seconds} s")
        if child.exitcode != 0:
            raise ModelBroken(_reason(subject, child.exitcode, receiving))
    finally:
        receiving.close()


def _try(check: Callable[[], object], sending: Connection, memory: int | None) -> None:
    if memory is not None:
        limit = _taken() + memory
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    try:
        check()
    except ModelServerError as error:
        sending.send(str(error)[:2000])  # less than a pipe holds, so this cannot block
        raise SystemExit(1) from None
    except MemoryError:
        sending.send(
            f"the model takes more than {(memory or 0) >> 20} MiB to load and to answer, too much for its size"
        )
        raise SystemExit(1) from None


def _taken() -> int:
    """What RLIMIT_DATA counts of this process, bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("VmData:"))
    return int(line.split()[1]) << 10


def _reason(subject: str, exitcode: int | None, receiving: Connection) -> str:
    if receiving.poll():
        try:
            return str(receiving.recv())
        except EOFError:
            pass  # the child died before it could say why: its exit code does
    if exitcode is not None and exitcode < 0:
        return f"{subject}: loading the model or its probe ended the process with {signal.Signals(-exitcode).name}"
    return f"{subject}: loading the model or its probe failed with exit status {exitcode}"
