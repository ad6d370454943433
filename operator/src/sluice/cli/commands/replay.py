"""`kubectl sluice replay`: a rollout that was, decided again with other settings."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.progress import Progress

from sluice.api.v1alpha1 import Spec
from sluice.cli.errors import NotFound, Refused, Unreadable
from sluice.cli.manifests import read_document, spec_of
from sluice.cli.options import (
    STORE,
    Context,
    Kubeconfig,
    Name,
    Namespace,
    Prometheus,
    PrometheusAccess,
    Runtimes,
    connect,
    duration,
    err,
    explained,
    out,
    percentage,
)
from sluice.cli.rollout import Rollout, read
from sluice.cli.show.replays import Past, show, since
from sluice.core.stages import largest_share
from sluice.core.strategies import stages_of

if TYPE_CHECKING:
    from sluice.cli.store import Store
    from sluice.core.analysis.questions import Subject
    from sluice.core.metrics import MetricPreset
    from sluice.core.replay import Replayed

LAG: Final = timedelta(seconds=3)
"""A rollout under way is replayed up to so long ago: the newest scrapes may not be there yet."""


def replay(  # noqa: PLR0913, PLR0917 - a command line
    name: Name,
    namespace: Namespace = None,
    revision: Annotated[
        str | None,
        typer.Option(help="Revision whose newest rollout is meant; absent: the one under way, else the newest."),
    ] = None,
    filename: Annotated[
        Path | None,
        typer.Option("--filename", "-f", help="Manifest with other settings (spec.analysis); - for standard input."),
    ] = None,
    false_rollback: Annotated[
        str | None, typer.Option(help="Another spec.analysis.falseRollback, e.g. 5%.", show_default=False)
    ] = None,
    stable: Annotated[
        str | None,
        typer.Option(help="Revision that was stable then, if status.history no longer says.", show_default=False),
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="Only so long from its start, e.g. 10m.", show_default=False)
    ] = None,
    prometheus: Prometheus = STORE,
    prometheus_access: PrometheusAccess = None,
    runtimes: Runtimes = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Decide a past rollout again, with its settings and with others, from the metrics store's history.

    The operator's own reading and judging come to the numbers that it had then; the checks are those that the
    ModelDeployment has now, and those of -f or --false-rollback beside them. What the candidate would have done after
    the end nobody knows: a rollout that ended early is judged on what there is.

    Exit status: 0; 1 a rollout that cannot be replayed; 3 nobody could be asked, or a file that cannot be read.
    """
    with explained():
        from sluice.cli.runtimes import runtime  # noqa: PLC0415 - numpy would slow every command
        from sluice.cli.store import open_store  # noqa: PLC0415

        cluster = connect(kubeconfig, context)
        found = read(cluster.get(namespace or cluster.namespace, name))
        past, spec = past_of(found, revision, stable, datetime.now(UTC)), known_spec(found)
        if until is not None:
            past = replace(past, until=min(past.until, past.started_at + duration(until)))
        others = changed(spec, filename, false_rollback)
        preset = runtime(spec.runtime.name, runtimes, cluster).metrics
        settings = (("now", spec), *((("changed", others),) if others is not None else ()))
        with open_store(prometheus, prometheus_access, cluster) as store:
            replays = {label: again(store, subject_of(found, past, one, preset), past) for label, one in settings}
        show(out(), f"{found.namespace}/{found.name}", past, replays)


def past_of(found: Rollout, revision: str | None, stable: str | None, now: datetime) -> Past:
    """The rollout that is meant, and who was stable meanwhile. Raises NotFound, Refused."""
    label, status = f"{found.namespace}/{found.name}", found.status
    candidate = status.candidate
    if candidate is not None and revision in (None, candidate.revision):
        if status.stable is None:
            raise Refused(f"{label}: its first revision is under way, which nothing judges")
        told = f"under way, at {candidate.weight}%"
        return Past(candidate.revision, stable or status.stable.revision, candidate.started_at, now - LAG, told)
    entry = next((one for one in status.history if revision in (None, one.revision)), None)
    if entry is None:
        known = ", ".join(dict.fromkeys(one.revision for one in status.history)) or "none"
        raise NotFound(f"{label} has no rollout of {revision or 'any revision'} in status.history; it has: {known}")
    before = next(
        (one.revision for one in status.history if one.outcome == "Promoted" and one.ended_at <= entry.started_at), None
    )
    served = stable or before
    if served is None:
        raise Refused(
            f"{label}: status.history does not say what was stable before {entry.revision}; give --stable, or choose "
            "another rollout with --revision (the first one of all was judged by nothing)"
        )
    words = f"{entry.outcome} after {since((entry.ended_at - entry.started_at).total_seconds())}"
    told = ": ".join(filter(None, (words, entry.message)))
    return Past(entry.revision, served, entry.started_at, entry.ended_at, told)


def known_spec(found: Rollout) -> Spec:
    """What the ModelDeployment asks for now. Raises Unreadable for a spec of another version."""
    if found.spec is None:
        raise Unreadable(
            f"{found.namespace}/{found.name}: {found.problem}; install the plugin of the operator's version"
        )
    return found.spec


def changed(spec: Spec, filename: Path | None, false_rollback: str | None) -> Spec | None:
    """The other settings; None if none are given. Raises Unreadable, Refused, typer.BadParameter."""
    if filename is None and false_rollback is None:
        return None
    other = spec_of(read_document(filename)) if filename is not None else spec
    if false_rollback is None:
        return other
    alpha = percentage(false_rollback)
    if not alpha:
        raise typer.BadParameter("--false-rollback must be above 0%, e.g. 1%")
    return other.model_copy(update={"analysis": other.analysis.model_copy(update={"false_rollback": alpha})})


def subject_of(found: Rollout, past: Past, spec: Spec, preset: "MetricPreset") -> "Subject":
    """As the operator had it."""
    from sluice.core.analysis.questions import Subject  # noqa: PLC0415 - see above

    return Subject(
        namespace=found.namespace,
        name=found.name,
        candidate=past.revision,
        stable=past.stable,
        started_at=past.started_at,
        checks=spec.analysis.checks,
        preset=preset,
        largest_share=largest_share(stages_of(spec)),
        alpha=float(spec.analysis.false_rollback),
        gateway="a replay reads the servers' counts only",
    )


def again(store: "Store", subject: "Subject", past: Past) -> "Replayed":
    """Asks and judges, with a bar on standard error where that is a terminal. Raises Unreachable, NotFound."""
    from sluice.core.replay import replay as judging  # noqa: PLC0415 - see above

    going, start = judging(subject, past.until.timestamp()), past.started_at.timestamp()
    with Progress(console=err(), transient=True) as progress:
        task = progress.add_task("reading history", total=max(past.seconds, 1.0))
        question = next(going)
        while True:
            answer = store.ask(question)
            progress.update(task, completed=max(question.at - start, 0.0))
            try:
                question = going.send(answer)
            except StopIteration as ended:
                found: Replayed = ended.value
                break
    if not found.requests:
        raise NotFound(
            f"the metrics store has no request of {subject.deployment} between {past.started_at:%F %T} and "
            f"{past.until:%F %T} UTC: is it the right store (--prometheus), does it keep samples so long, does the "
            "runtime table name the metrics that the revision had?"
        )
    return found
