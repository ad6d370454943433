"""What should be changed before a rollout begins? Each piece of advice names the field and a value for it."""

from collections.abc import Iterator
from math import ceil, floor, isfinite
from typing import Final

from sluice.api.quantities import format_duration, format_percent
from sluice.api.v1alpha1 import Spec
from sluice.core.analysis.rates import tolerated_ratio
from sluice.core.forecast.expected import Outlook, Regression, StageOutlook
from sluice.core.forecast.judging import Rule
from sluice.core.forecast.slowdowns import CASES, latency_check
from sluice.core.stages import Stage
from sluice.core.strategies import stages_of

STEPS: Final = "spec.strategy.canary.steps"
THIN: Final = 3.0
"""A stage is thin when its minSamples take so many times its minDuration."""
WELL_FOUND: Final = 0.95
"""Share of the rollouts in which what matters should be found."""
COSTLY: Final = 100.0
"""Bad requests until a candidate that fails half is taken back; more is worth a word."""
FINE: Final = 1.2
"""Few pods may hide so many times the ratio that is asked for; more is worth a word."""
MOST_REPLICAS: Final = 64
"""Beyond that replicas are no advice."""


def on_stages(spec: Spec, stages: tuple[StageOutlook, ...], certificate: str, proof: float) -> Iterator[str]:
    """Where is the traffic too thin? certificate: what a stage that waits for one is marked with. proof: seconds for
    which one was waited for."""
    for number, (found, stage) in enumerate(zip(stages, stages_of(spec), strict=False)):
        least = stage.min_duration.total_seconds()
        if not isfinite(found.seconds):
            yield (
                f"stage {found.name} is never left: without traffic its minSamples of {stage.min_samples} do not come"
            )
        elif found.by == certificate and found.seconds >= proof:
            analysis = spec.analysis
            yield (
                f"check {found.of} is not Certified within {proof / 3600:.0f} h in half of the rollouts: "
                f"after evidenceDeadline ({format_duration(analysis.evidence_deadline)}) onDeadline "
                f"({analysis.on_deadline}) decides; {_more_weight(number, stage)}required: false for that check"
            )
        elif found.by == "minSamples" and found.seconds > THIN * max(least, 1):
            yield (
                f"stage {found.name} gets {found.rate:.2g} requests/s: its minSamples of {stage.min_samples} take "
                f"{found.seconds / 60:.0f} min; lower minSamples or raise its weight: {_thicker(number, stage, found)}"
            )


def _more_weight(number: int, stage: Stage) -> str:
    return f"{STEPS}[{number}].weight: 50, or " if stage.weight < 50 else ""


def _thicker(number: int, stage: Stage, found: StageOutlook) -> str:
    """Values with which the stage is no longer thin; of a stage without minDuration: with which it takes a minute."""
    seconds = THIN * stage.min_duration.total_seconds() or 60.0
    fewer, weight = floor(found.rate * seconds), ceil(stage.weight * stage.min_samples / (found.rate * seconds))
    said = [f"{STEPS}[{number}].minSamples: {fewer}"]
    if weight <= 100:
        said.append(f"{STEPS}[{number}].weight: {weight}")
    return " or ".join(said)


def on_power(spec: Spec, rule: Rule, found: Outlook, needed: float) -> Iterator[str]:
    """What is not seen well enough? needed: seconds that five times the errors take to be found in nearly all rollouts,
    in the last stage; inf where it is found already, or never is."""
    if found.false_rollback > 2 * float(spec.analysis.false_rollback):
        yield (
            f"an equal candidate is rolled back in {found.false_rollback:.1%} of the rollouts, more than the "
            f"{format_percent(spec.analysis.false_rollback)} of spec.analysis.falseRollback"
        )
    for regression in found.regressions:
        if regression.name == "half failing" and regression.bad_most > COSTLY:
            yield _gentler(spec, regression)
        elif regression.name.startswith("5x") and regression.found < WELL_FOUND and rule.ratio is not None:
            yield (
                f"{regression.name} is found in {regression.found:.0%} of the rollouts only: give the stages more "
                f"time or weight{_longer(found, needed)}"
            )
    if rule.ratio is None and found.regressions:
        yield (
            f"the check on errors knows only its maximum of {100 * (rule.maximum or 0):g}%: add versusStable, which "
            "finds a candidate that is worse than stable though below it"
        )
    elif rule.ratio is not None:
        yield from _on_pods(spec, rule.ratio, found)
    yield from _on_latency(spec, found)


def _gentler(spec: Spec, regression: Regression) -> str:
    first = stages_of(spec)[0].weight
    weight = max(1, floor(first * COSTLY / regression.bad_most))
    how = f": {STEPS}[0].weight: {weight}" if weight < first else ", or scrape more often"
    return f"a candidate that fails half costs up to {regression.bad_most:.0f} requests: begin with less weight{how}"


def _longer(found: Outlook, needed: float) -> str:
    return f": {STEPS}[{len(found.stages) - 1}].minDuration: {ceil(needed / 60)}m" if isfinite(needed) else ""


def _on_pods(spec: Spec, ratio: float, found: Outlook) -> Iterator[str]:
    replicas, last = spec.replicas or 1, found.stages[-1]
    tolerated = tolerated_ratio(last.pods, replicas, least=ratio)
    if tolerated <= ratio * FINE:
        return
    stage = stages_of(spec)[len(found.stages) - 1]
    enough = next(
        (
            n
            for n in range(replicas + 1, MOST_REPLICAS + 1)
            if tolerated_ratio(stage.capacity(n), n, least=ratio) <= ratio * FINE
        ),
        None,
    )
    how = f"; spec.replicas: {enough} tells {FINE:g} times the ratio" if enough else ""
    yield (
        f"{last.pods} pod{'s' if last.pods > 1 else ''} against {replicas}: up to {tolerated:.2g} times stable's "
        f"errors cannot be told from how pods differ by themselves; more replicas see finer{how}"
    )


def _on_latency(spec: Spec, found: Outlook) -> Iterator[str]:
    check = latency_check(spec)
    if check is None:
        if found.regressions:
            yield (
                "no check of type Latency has onFail: Rollback, so no slow-down is caught: add one with "
                "latency: {versusStable: {}} to spec.analysis.checks"
            )
        return
    missed = [row for row in found.slowdowns if row.found < WELL_FOUND]
    if not missed or check.latency is None:
        return
    names = ", ".join(f"{row.name} ({row.found:.0%})" for row in missed)
    if check.latency.versus_stable is None:
        yield f"check {check.name} knows only its slo and misses {names}: add versusStable to its latency"
    elif missed[-1].name == CASES[-1][0] and len(missed) == 1:
        yield f"check {check.name} misses {names}: a slow tail takes requests; give the last stage more time or weight"
    else:
        yield f"check {check.name} misses {names}: give the stages more time or weight, or spec.replicas more pods"
