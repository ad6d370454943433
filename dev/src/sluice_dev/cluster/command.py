"""How a program is run to its end: its words are kept for the error, and it never outlives its deadline."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from sluice_dev.cluster.errors import CommandFailed


def run(
    argv: Sequence[str],
    *,
    input: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout: float = 600,
) -> str:
    """The standard output of `argv`. timeout: seconds. Raises CommandFailed with the program's own words."""
    try:
        done = subprocess.run(
            list(argv), input=input, env=env, cwd=cwd, timeout=timeout, capture_output=True, text=True, check=False
        )
    except FileNotFoundError as absent:
        raise CommandFailed(argv, 127, f"{absent.filename}: not found; `make doctor` says how to get it") from absent
    except subprocess.TimeoutExpired as late:
        raise CommandFailed(argv, 124, f"not done after {timeout:g} s") from late
    if done.returncode != 0:
        raise CommandFailed(argv, done.returncode, done.stderr or done.stdout)
    return done.stdout
