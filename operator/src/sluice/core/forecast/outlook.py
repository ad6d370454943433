"""What to expect of a rollout before anyone deploys it: how long, what it catches, what that costs, where it is too
thin."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import inf, isfinite
from typing import Final

import numpy as np

from sluice.api.quantities import format_duration
from sluice.api.v1alpha1 import Check, OnFail, Spec
from sluice.core.analysis.rates import tolerated_ratio
from sluice.core.analysis.sharing import limits_of
from sluice.core.analysis.slowness import PROVEN_TAIL
from sluice.core.forecast.judging import Rule, judge
from sluice.core.forecast.worlds import Leg, Rollouts, Traffic
from sluice.core.strategies import stages_of

WORLDS: Final = 400
"""Simulated rollouts for each row: a share of 50% is known to 5 points, one of 1% to 1 point."""
MOST_POLLS: Final = 400
"""Of one stage: one that takes hours is simulated in longer polls."""
FACTORS: Final = (1.5, 2.0, 3.0, 5.0)
"""Regressions that are tried: errors become so many times as frequent as stable's."""
HALF: Final = 0.5
THIN: Final = 3.0
"""A stage is thin when its minSamples take so many times its minDuration."""
PROOF_SECONDS: Final = 6 * 3600.0
"""How long a certificate is waited for, after the other gates of the last stage are open."""
PROOF_POLL: Final = 30.0
"""Seconds between two looks meanwhile."""
WELL_FOUND: Final = 0.95
CERTIFICATE: Final = "certificate"
"""What a stage waits for."""
_COSTLY: Final = 100.0
"""Bad requests until a candidate that fails half is taken back; more is worth a word."""


class NoErrorsCheck(ValueError):
    """The spec has no check on errors that rolls back, so nothing can be forecast."""


@dataclass(frozen=True, slots=True)
class StageOutlook:
    """One stage. rate: requests/s of the candidate. seconds: until it can be left, inf if never. by: what it waits
    for. of: the check whose certificate that is."""

    name: str
    weight: int
    pods: int
    rate: float
    seconds: float
    by: str
    of: str = ""


@dataclass(frozen=True, slots=True)
class Regression:
    """A candidate that is worse. share: of its requests that fail. found: share of rollouts that are rolled back.

    seconds: median from the first stage on, of those found. stage: in which most are found, "" if none is. bad,
    bad_most: bad requests that the candidate answers, median and 90%, whether it is found or not.
    """

    name: str
    share: float
    found: float
    seconds: float
    stage: str
    bad: float
    bad_most: float


@dataclass(frozen=True, slots=True)
class Outlook:
    """What to expect.

    false_rollback: share of rollouts of an equal candidate that are rolled back. advice: in words.
    """

    stages: tuple[StageOutlook, ...]
    regressions: tuple[Regression, ...]
    false_rollback: float
    advice: tuple[str, ...]

    @property
    def seconds(self) -> float:
        """Of all stages together."""
        return sum(stage.seconds for stage in self.stages)


def outlook(
    spec: Spec, rate: float, share: float, *, scrape: float = 5.0, worlds: int = WORLDS, seed: int = 1
) -> Outlook:
    """Forecast of a rollout by this spec.

    rate: requests/s that the route gets. share: of stable's requests that fail, 0..1. scrape: seconds between two
    scrapes of a pod. seed: equal seeds give equal answers. Raises NoErrorsCheck.
    """
    check = errors_check(spec)
    rule = rule_of(spec, check)
    stages = tuple(_stages(spec, rate))
    length = sum(stage.seconds for stage in stages if isfinite(stage.seconds))
    traffic = Traffic(
        rate,
        share,
        tuple(
            Leg(stage.weight, stage.seconds, stage.pods, max(scrape, stage.seconds / MOST_POLLS))
            for stage in stages
            if isfinite(stage.seconds)
        ),
        stable_pods=spec.replicas or 1,
    )
    if not traffic.legs:
        return Outlook(stages, (), 0.0, tuple(_advice_on_stages(spec, stages)))
    equal = judge(Rollouts(traffic, worlds, seed), length, rule)
    if len(traffic.legs) == len(stages):
        stages = _with_certificates(spec, stages, traffic, worlds, seed)
    found = Outlook(
        stages=stages,
        regressions=tuple(_regressions(traffic, stages, rule, worlds, seed)),
        false_rollback=float(np.mean(np.isfinite(equal.failed_at))),
        advice=(),
    )
    return replace(found, advice=(*_advice_on_stages(spec, stages), *_advice_on_power(spec, rule, found)))


def _with_certificates(
    spec: Spec, stages: tuple[StageOutlook, ...], traffic: Traffic, worlds: int, seed: int
) -> tuple[StageOutlook, ...]:
    """The last stage also waits for the certificates: so long that half of the equal candidates have the slowest."""
    last = traffic.legs[-1]
    waiting = Leg(last.weight, PROOF_SECONDS, last.pods, max(PROOF_POLL, last.poll))
    longer = replace(traffic, legs=(*traffic.legs, waiting))
    ready = {
        check.name: _certified_at(replace(longer, base=base), rule, worlds, seed)
        for check, rule, base in _required(spec, traffic.base)
    }
    slowest = max(ready, key=lambda name: ready[name], default="")
    late = min(ready.get(slowest, 0.0), longer.length) - traffic.length
    if late <= 0:
        return stages
    return (*stages[:-1], replace(stages[-1], seconds=stages[-1].seconds + late, by=CERTIFICATE, of=slowest))


def _certified_at(traffic: Traffic, rule: Rule, worlds: int, seed: int) -> float:
    """Median seconds until an equal candidate is certified."""
    judged = judge(Rollouts(traffic, worlds, seed), traffic.length, rule, certify=True)
    return float(np.median(np.nan_to_num(judged.certified_at, nan=inf)))


def _required(spec: Spec, share: float) -> Iterator[tuple[Check, Rule, float]]:
    """Checks whose certificate is waited for and can be forecast, what they tolerate, and stable's share of losses.

    A comparison of latencies is certified at the bound that about 5% of stable's requests exceed. How many exceed an
    objective is not known beforehand.
    """
    for check in spec.analysis.checks:
        if not check.required or check.on_fail is OnFail.REPORT:
            continue
        if check.rate is not None:
            yield check, rule_of(spec, check), share
        elif check.latency is not None and check.latency.versus_stable is not None:
            yield check, Rule(at=inf), PROVEN_TAIL


def errors_check(spec: Spec) -> Check:
    """The check on errors that rolls back. Raises NoErrorsCheck."""
    for check in spec.analysis.checks:
        if check.rate is not None and check.on_fail is OnFail.ROLLBACK:
            return check
    raise NoErrorsCheck(
        "spec.analysis.checks has no check of type Rate with onFail: Rollback; add one, or leave checks out"
    )


def rule_of(spec: Spec, check: Check) -> Rule:
    """What the check tolerates, at its share of alpha."""
    rate = check.rate
    if rate is None:
        raise NoErrorsCheck(f"check {check.name} of type {check.type} is none on errors")
    versus = rate.versus_stable
    return Rule(
        at=limits_of(spec.analysis.checks, float(spec.analysis.false_rollback))[check.name],
        ratio=float(versus.ratio) if versus else None,
        margin=float(versus.margin) if versus else 0.0,
        maximum=float(rate.max) if rate.max is not None else None,
    )


def _stages(spec: Spec, rate: float) -> Iterator[StageOutlook]:
    for stage in stages_of(spec)[:-1]:
        own = rate * stage.weight / 100
        least = stage.min_duration.total_seconds()
        asked = stage.min_samples / own if own > 0 else (inf if stage.min_samples else 0.0)
        by = "minSamples" if asked > least else "minDuration"
        yield StageOutlook(stage.name, stage.weight, stage.capacity(spec.replicas or 1), own, max(least, asked), by)


def _regressions(
    traffic: Traffic, stages: tuple[StageOutlook, ...], rule: Rule, worlds: int, seed: int
) -> Iterator[Regression]:
    cases = [(f"{factor:g}x errors", traffic.base * factor) for factor in FACTORS if traffic.base > 0]
    cases.append(("half failing", HALF))
    names = [stage.name for stage in stages if isfinite(stage.seconds)]
    for name, share in cases:
        if share >= 1:
            continue
        judged = judge(Rollouts(replace(traffic, failing=share), worlds, seed), traffic.length, rule)
        found = np.isfinite(judged.failed_at)
        where = np.bincount(judged.leg[found].astype(int), minlength=len(names))
        yield Regression(
            name=name,
            share=share,
            found=float(found.mean()),
            seconds=float(np.median(judged.failed_at[found])) if found.any() else inf,
            stage=names[int(where.argmax())] if found.any() else "",
            bad=float(np.median(judged.bad)),
            bad_most=float(np.quantile(judged.bad, 0.9)),
        )


def _advice_on_stages(spec: Spec, stages: tuple[StageOutlook, ...]) -> Iterator[str]:
    for stage, given in zip(stages, stages_of(spec), strict=False):
        if not isfinite(stage.seconds):
            yield f"stage {stage.name} is never left: without traffic its minSamples of {given.min_samples} do not come"
        elif stage.by == CERTIFICATE and stage.seconds >= PROOF_SECONDS:
            analysis = spec.analysis
            yield (
                f"check {stage.of} is not Certified within {PROOF_SECONDS / 3600:.0f} h in half of the rollouts: "
                f"after evidenceDeadline ({format_duration(analysis.evidence_deadline)}) onDeadline "
                f"({analysis.on_deadline}) decides; more weight in the last step, or required: false"
            )
        elif stage.by == "minSamples" and stage.seconds > THIN * max(given.min_duration.total_seconds(), 1):
            yield (
                f"stage {stage.name} gets {stage.rate:.2g} requests/s: its minSamples of {given.min_samples} take "
                f"{stage.seconds / 60:.0f} min; lower minSamples or raise its weight"
            )


def _advice_on_power(spec: Spec, rule: Rule, found: Outlook) -> Iterator[str]:
    replicas = spec.replicas or 1
    for regression in found.regressions:
        if regression.share == HALF and regression.bad_most > _COSTLY:
            yield (
                f"a candidate that fails half costs up to {regression.bad_most:.0f} requests: begin with less weight"
            )
        elif regression.name.startswith("5x") and regression.found < WELL_FOUND and rule.ratio is not None:
            yield (
                f"{regression.name} is found in {regression.found:.0%} of the rollouts only: give the stages more "
                "time or weight"
            )
    if rule.ratio is None and found.regressions:
        yield (
            f"the check on errors knows only its maximum of {100 * (rule.maximum or 0):g}%: add versusStable, which "
            "finds a candidate that is worse than stable though below it"
        )
    elif rule.ratio is not None:
        pods = found.stages[-1].pods
        tolerated = tolerated_ratio(pods, replicas, least=rule.ratio)
        if tolerated > rule.ratio * 1.2:
            yield (
                f"{pods} pod{'s' if pods > 1 else ''} against {replicas}: up to {tolerated:.2g} times stable's errors "
                "cannot be told from how pods differ by themselves; more replicas see finer"
            )
