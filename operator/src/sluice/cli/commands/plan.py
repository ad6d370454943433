"""`kubectl sluice plan`: what to expect of a rollout before anyone deploys it."""

import time
from math import exp, log
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from sluice.cli.cluster import Cluster
from sluice.cli.errors import Refused
from sluice.cli.lint.documents import Document
from sluice.cli.manifests import read_document, spec_of
from sluice.cli.options import (
    STORE,
    Context,
    Kubeconfig,
    Namespace,
    Prometheus,
    PrometheusAccess,
    Runtimes,
    connect,
    duration,
    explained,
    out,
    percentage,
)
from sluice.cli.rollout import read
from sluice.cli.show.outlook import draw, show
from sluice.cli.spans import rough as span

if TYPE_CHECKING:
    from sluice.core.forecast.measured import Usual

Z95: Final = 1.6449
"""The normal quantile of 95%."""


def plan(  # noqa: PLR0913, PLR0917 - a command line
    filename: Annotated[
        Path, typer.Option("--filename", "-f", help="Manifest of a ModelDeployment; - for standard input.")
    ],
    rps: Annotated[
        float | None,
        typer.Option(min=0.0, help="Requests/s that the route gets, of both revisions together.", show_default=False),
    ] = None,
    error_rate: Annotated[str, typer.Option(help="Share of stable's requests that fail, e.g. 0.5%.")] = "0.1%",
    latency_median: Annotated[str, typer.Option(help="Time that half of stable's answers take at most.")] = "60ms",
    latency_p95: Annotated[str, typer.Option(help="Time that 95% of stable's answers take at most.")] = "137ms",
    scrape_interval: Annotated[str, typer.Option(help="Time between two scrapes of a pod, e.g. 2s.")] = "5s",
    from_prometheus: Annotated[
        bool,
        typer.Option(
            "--from-prometheus",
            help="Take all of these from an hour of the running stable's metrics, with the noise between its pods.",
        ),
    ] = False,
    rollouts: Annotated[int, typer.Option(min=50, max=20_000, help="Simulated rollouts for each row.")] = 400,
    png: Annotated[Path | None, typer.Option(help="Also draw it into this file (needs matplotlib).")] = None,
    namespace: Namespace = None,
    prometheus: Prometheus = STORE,
    prometheus_access: PrometheusAccess = None,
    runtimes: Runtimes = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Say beforehand how long a rollout takes, which regressions it catches, and what they cost.

    Rollouts are simulated and judged by the operator's own tests: two pods of one revision differ by 20% in their
    share of errors and by 5% in their latency, and an hour of stable's history is known. Certificates of errors and of
    latency are waited for. Slow-downs are simulated at most 100 times each.

    Exit status: 0; 1 a manifest that is wrong or has no check on errors, or a stable without requests; 3 a file that
    cannot be read, or (--from-prometheus) nobody who could be asked.
    """
    from sluice.core.forecast.outlook import NoErrorsCheck, outlook  # noqa: PLC0415 - numpy would slow every command
    from sluice.core.forecast.slowdowns import USUAL  # noqa: PLC0415

    if rps is None and not from_prometheus:
        raise typer.BadParameter("give --rps, or --from-prometheus to have it measured")
    given = stated(rps or 0.0, error_rate, latency_median, latency_p95, scrape_interval)
    with explained():
        document, console = read_document(filename), out()
        if from_prometheus:
            given = measured(document, connect(kubeconfig, context), namespace, prometheus, prometheus_access, runtimes)
            console.print(words(given), highlight=False)
        try:
            found = outlook(
                spec_of(document),
                given.rate,
                given.share,
                burst=given.burst,
                scrape=max(given.scrape, 1.0),
                worlds=rollouts,
                latencies=given.latencies or USUAL,
            )
        except NoErrorsCheck as error:
            raise Refused(str(error)) from error
        show(console, found)
        if png is not None:
            draw(found, png)
            console.print(f"drawn into {png}", highlight=False)


def stated(rps: float, error_rate: str, median: str, p95: str, scrape_interval: str) -> "Usual":
    """What a person says of stable. Raises typer.BadParameter."""
    from sluice.core.forecast.measured import Usual  # noqa: PLC0415 - see above
    from sluice.core.forecast.slowdowns import Latencies  # noqa: PLC0415

    middle, slow = (duration(text).total_seconds() for text in (median, p95))
    if slow <= middle:
        raise typer.BadParameter(f"--latency-p95 {p95} must be longer than --latency-median {median}")
    return Usual(
        rate=rps,
        share=float(percentage(error_rate)),
        phi=1.0,
        latencies=Latencies(middle, log(slow / middle) / Z95),
        scrape=duration(scrape_interval).total_seconds(),
        pods=0,
        seconds=0.0,
    )


def measured(
    document: Document,
    cluster: Cluster,
    namespace: str | None,
    prometheus: str,
    access: Path | None,
    table: Path | None,
) -> "Usual":
    """What the metrics store tells of the stable revision that the manifest's ModelDeployment has now.

    Raises Refused where it has none or nobody asks it, Unreachable, Denied, NotFound, Unreadable.
    """
    from sluice.cli.runtimes import runtime  # noqa: PLC0415 - see above
    from sluice.cli.store import open_store  # noqa: PLC0415
    from sluice.core.analysis.questions import Failure  # noqa: PLC0415
    from sluice.core.forecast.measured import queries, usual_of  # noqa: PLC0415
    from sluice.core.replay import Question  # noqa: PLC0415

    metadata = document.value["metadata"]
    where = str(namespace or metadata.get("namespace") or cluster.namespace)
    running = read(cluster.get(where, str(metadata.get("name"))))
    label, stable = f"{running.namespace}/{running.name}", running.status.stable
    if stable is None or running.spec is None:
        raise Refused(f"{label} has no stable revision yet, so nothing can be measured; give --rps and --error-rate")
    preset = runtime(running.spec.runtime.name, table, cluster).metrics
    deployment, now = f"{running.name}-{stable.revision}", time.time()
    with open_store(prometheus, access, cluster) as store:
        told = [
            () if not promql or isinstance(answer := store.ask(Question(promql, now)), Failure) else answer
            for promql in queries(preset, running.namespace, deployment)
        ]
    found = usual_of(preset, *told)
    if found is None:
        raise Refused(
            f"the metrics store has no request of {deployment} in the last hour; is it the right one (--prometheus)? "
            "Else give --rps and --error-rate"
        )
    return found


def words(found: "Usual") -> str:
    """What was measured, in a sentence."""
    latency = "latencies unknown: 60 ms and 137 ms are assumed"
    if found.latencies is not None:
        median = found.latencies.median
        latency = (
            f"half within {1000 * median:.3g} ms, 95% within {1000 * median * exp(Z95 * found.latencies.sigma):.3g} ms"
        )
    return (
        f"Measured over {span(found.seconds)}, {found.pods} pod{'s' * (found.pods != 1)}: {found.rate:.3g} requests/s, "
        f"{found.share:.2%} fail, which scatter {found.phi:.2g} times as much as independent ones; {latency}; "
        f"a scrape each {found.scrape:.2g} s"
    )
