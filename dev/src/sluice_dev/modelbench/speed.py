"""How fast is the model server, beside others on the same machine in the same minutes? `make bench-model-server`.

Each server is pinned to one core, the load generator (wrk) to another. All servers stand idle but the one that is
asked, and they are asked in turn, three rounds. A ratio is taken within a round, of loads that ran seconds apart, and
its median over the rounds counts. Absolute figures are the machine's.
"""

from __future__ import annotations

import json
import os
import re
import runpy
import shutil
import statistics
import subprocess
import tempfile
import warnings
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import track

from sluice_dev.bench.figures import Result, Target
from sluice_dev.cluster.layout import Layout
from sluice_dev.modelbench.servers import COMPARATORS, LOAD_CORE, OWN, Plan, Running, plans
from sluice_model_server.packing import pack

CONCURRENCIES: Final = (1, 16, 64)
ROUNDS: Final = 3
COLD_STARTS: Final = 3

# (ratio, numerator, denominator, concurrency, at least)
RATIOS: Final = (
    ("LR compiled / hello", "LR compiled", "hello", ((1, 0.65), (16, 0.50), (64, 0.50))),
    ("LR sklearn / hello", "LR sklearn", "hello", ((1, 0.30), (16, 0.30), (64, 0.45))),
    ("LR compiled / MLServer", "LR compiled", "MLServer LR", ((1, 4.0), (16, 10.0), (64, 10.0))),
    ("RF(100) compiled / MLServer", "RF compiled", "MLServer RF", ((1, 10.0), (16, 40.0))),
)


@dataclass(frozen=True, slots=True)
class Heard:
    """requests: per second. p50, p99: ms. failures: answers that were none or no 200."""

    requests: float
    p50: float
    p99: float
    failures: int


def ask(running: Running, concurrency: int, seconds: float, script: Path) -> Heard:
    """One load on one server. Raises RuntimeError when wrk's words are not understood."""
    script.write_text(
        'wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\n'
        f"wrk.body = [==[{running.plan.body.decode()}]==]\n"
    )
    url = f"http://127.0.0.1:{running.port}{running.plan.path}"
    command = [
        "taskset",
        "-c",
        LOAD_CORE,
        "wrk",
        "-t1",
        f"-c{concurrency}",
        f"-d{seconds:g}s",
        "--latency",
        "-s",
        str(script),
        url,
    ]
    said = subprocess.run(command, check=True, capture_output=True, text=True, timeout=seconds + 60).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    middle, late = (re.search(rf"\s{share}%\s+([\d.]+)(us|ms|s)", said) for share in (50, 99))
    if not (rate and middle and late):
        raise RuntimeError(f"wrk said what is not understood:\n{said}")
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    broken = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", said)
    failures = (int(failed[1]) if failed else 0) + (sum(map(int, broken.groups())) if broken else 0)
    return Heard(float(rate[1]), _ms(middle), _ms(late), failures)


def _ms(found: re.Match[str]) -> float:
    return float(found[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[found[2]]


def _install(name: str, checkout: Path, console: Console) -> Path:
    """An environment of build/comparators as its lock file says; Sluice's own without what only development needs."""
    environment = checkout / "build" / "comparators" / name
    if not (environment / "bin" / "python").exists():
        console.print(f"installing {name} into build/comparators/{name}", highlight=False)
    uv = shutil.which("uv") or str(checkout / "build" / "uv" / "bin" / "uv")
    own = ("--package", "sluice-model-server", "--no-dev", "--compile-bytecode")
    which = own if name == OWN else ("--project", str(checkout / "dev" / "comparators" / name))
    subprocess.run(  # also where it is there already: its lock file may have changed
        [uv, "sync", *which, "--frozen", "--quiet"],
        check=True,
        cwd=checkout,
        env={**os.environ, "UV_PROJECT_ENVIRONMENT": str(environment)},
    )
    return environment


def _prepare(folder: Path, console: Console) -> list[float]:
    """The models for all servers, and a row to ask them."""
    checkout = Layout.here().checkout
    trainer = checkout / "dev" / "comparators" / "train.py"
    space = runpy.run_path(str(trainer))  # outside any package, because the comparators run it too
    for name, model in space["models"]():
        pack(model, folder / name, name=name, version="1")
    _install(OWN, checkout, console)
    for comparator in COMPARATORS:
        environment = _install(comparator, checkout, console)
        (folder / comparator).mkdir()
        subprocess.run([environment / "bin" / "python", trainer, folder / comparator], check=True)
    for model in ("lr", "rf"):
        target = folder / "mlserver" / model
        target.mkdir()
        (folder / "mlserver" / f"{model}.joblib").rename(target / f"{model}.joblib")
        settings = {
            "name": model,
            "implementation": "mlserver_sklearn.SKLearnModel",
            "parameters": {"uri": f"./{model}.joblib", "version": "1"},
        }
        (target / "model-settings.json").write_text(json.dumps(settings))
    return [0.1 * number - 1.5 for number in range(space["FEATURES"])]


def _cold_starts(plan: Plan, folder: Path) -> tuple[float, int]:
    """Median seconds from the command to ready, and the memory after some requests."""
    seconds: list[float] = []
    memory: list[int] = []
    for _ in range(COLD_STARTS):
        running = Running(plan, folder / "cold.log")
        ask(running, 16, 1, folder / "post.lua")
        seconds.append(running.seconds)
        memory.append(running.pss_bytes())
        running.end()
    return statistics.median(seconds), max(memory)


def _targets(heard: dict[tuple[str, int], list[Heard]], start: float, memory: int) -> list[Target]:
    def ratio(above: str, below: str, concurrency: int) -> float:
        rounds = zip(heard[above, concurrency], heard[below, concurrency], strict=True)
        return statistics.median(one.requests / other.requests for one, other in rounds)

    targets = [
        Target(f"{title}, c{concurrency}", round(ratio(above, below, concurrency), 3), limit, least=True)
        for title, above, below, limits in RATIOS
        for concurrency, limit in limits
    ]
    tail = statistics.median(one.p99 / one.p50 for one in heard["LR compiled", 64])
    lost = 1 - ratio("LR compiled", "LR uncounted", 16)
    ours = (one for (name, _), rounds in heard.items() if not name.startswith("MLServer") for one in rounds)
    failures = sum(one.failures for one in ours)  # MLServer's are its own; the details have them
    return [
        *targets,
        Target("LR compiled, p99 / p50, c64", round(tail, 2), 3.0),
        Target("throughput lost to metrics, c16", round(lost, 3), 0.15),
        Target("cold start to ready, s", round(start, 2), 4.0),
        Target("memory (PSS), LR, MB", round(memory / 1e6, 1), 150.0),
        Target("requests that failed", failures, 0),
    ]


def main(seconds: Annotated[float, typer.Option(help="Of each load.")] = 3.0) -> None:
    """Speed of the model server beside others; exit status 1 when a ratio is missed."""
    console = Console()
    if len(os.sched_getaffinity(0)) < 2 or not (shutil.which("wrk") and shutil.which("taskset")):
        console.print("needs two cores, wrk and taskset: apt-get install wrk util-linux", style="bold red")
        raise typer.Exit(1)
    warnings.simplefilter("ignore")
    heard: defaultdict[tuple[str, int], list[Heard]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        row = _prepare(folder, console)
        listed = plans(folder, row)
        start, memory = _cold_starts(next(plan for plan in listed if plan.name == "LR compiled"), folder)
        servers: list[Running] = []
        try:
            servers.extend(Running(plan, folder / f"{number}.log") for number, plan in enumerate(listed))
            for server in servers:
                ask(server, 4, 1, folder / "post.lua")  # warm: caches, branch predictors, lazily imported modules
            loads = [(server, one) for _ in range(ROUNDS) for one in CONCURRENCIES for server in servers]
            for server, concurrency in track(loads, "loads", console=console):
                heard[server.plan.name, concurrency].append(ask(server, concurrency, seconds, folder / "post.lua"))
        finally:
            for server in servers:
                server.end()
    result = Result("Speed of the model server", _targets(heard, start, memory))
    result.details = {
        f"{name}, c{concurrency}": {
            "requests_per_second": [round(one.requests) for one in rounds],
            "p50_ms": [one.p50 for one in rounds],
            "p99_ms": [one.p99 for one in rounds],
            "failures": sum(one.failures for one in rounds),
        }
        for (name, concurrency), rounds in heard.items()
    }
    result.write(Layout.here().checkout / "build" / "bench" / "model_server.json")
    result.show(console)
    console.print("written to build/bench/model_server.json", highlight=False)
    raise typer.Exit(0 if result.met else 1)


if __name__ == "__main__":
    typer.run(main)
